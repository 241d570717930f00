"""Shader hooks of tiles: light without what flat surfaces never show, rows of a texture that grows, and upload out of sight."""

from __future__ import annotations

from typing import Any

_LIGHT = """
  vec3 faceNormal = cross(dFdx(vertexVC.xyz), dFdy(vertexVC.xyz));
  faceNormal *= inversesqrt(max(dot(faceNormal, faceNormal), 1e-30));
  if (cameraParallel == 1 ? faceNormal.z < 0.0 : dot(faceNormal, vertexVC.xyz) > 0.0) faceNormal = -faceNormal;
  vec3 faceLight = max(0.0, dot(faceNormal, -lightDirectionVC0)) * lightColor0
                 + max(0.0, dot(faceNormal, -lightDirectionVC1)) * lightColor1;
  fragOutput0 = vec4(ambientColor + faceLight * diffuseColor, opacity);
"""
_TEXTURE_ROWS = "//VTK::TCoord::Impl\n  tcoordVCVSOutput.y *= rowScale;\n"
_ASIDE = "//VTK::PositionVC::Impl\n  if (isAside > 0.5) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);\n"


def light_flat_faces(actor: Any) -> None:
    """Light flat faces by the two lights of the scene, without highlights: the same picture with half the arithmetic."""
    actor.GetShaderProperty().AddFragmentShaderReplacement("//VTK::Light::Impl", True, _LIGHT, False)


def hook_vertices(actor: Any) -> None:
    """Let `set_row_scale` and `set_aside` have an effect."""
    shader = actor.GetShaderProperty()
    shader.AddVertexShaderReplacement("//VTK::TCoord::Impl", True, _TEXTURE_ROWS, False)
    shader.AddVertexShaderReplacement("//VTK::PositionVC::Impl", True, _ASIDE, False)
    set_row_scale(actor, 1.0)
    set_aside(actor, False)


def set_row_scale(actor: Any, scale: float) -> None:
    """Multiply the second texture coordinate: a texture that has grown needs no new coordinates."""
    actor.GetShaderProperty().GetVertexCustomUniforms().SetUniformf("rowScale", scale)


def set_aside(actor: Any, is_aside: bool) -> None:
    """Move every vertex out of the picture, so that a frame uploads the actor without showing it."""
    actor.GetShaderProperty().GetVertexCustomUniforms().SetUniformf("isAside", float(is_aside))
