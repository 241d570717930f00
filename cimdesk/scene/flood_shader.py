"""The shader of flood water: depth between two frames, shoreline, depth colours, small waves and the sky in them.

One RGBA texel of `depthMap` per cell holds the depth codes of two frames, low byte first; see `flood_surface`. The bed is in the
codes too: where the ground stands above the water the depth is negative, so the shoreline is where the water level meets the
ground between two cells, at any magnification.
"""

from __future__ import annotations

from typing import Any

from cimdesk.scene.flood_surface import LARGEST, ZERO

VERTEX_DECLARED = """//VTK::PositionVC::Dec
in float rise;
out vec3 waterAt;
"""
VERTEX_PLACED = """//VTK::PositionVC::Impl
  float waterRise = rise * frameWeight;
  waterAt = vertexMC.xyz + vec3(0.0, 0.0, waterRise);
  gl_Position += MCDCMatrix * vec4(0.0, 0.0, waterRise, 0.0);
  gl_Position.z -= eyePull;
"""
FRAGMENT_DECLARED = """//VTK::PositionVC::Dec
in vec3 waterAt;
"""
FRAGMENT = """
  ivec2 gridSize = textureSize(depthMap, 0);
  vec2 gridAt = tcoordVCVSOutput * vec2(gridSize) - 0.5;
  // While something moves, one cell is enough where cells are about as small as pixels.
  vec2 pace = fwidth(gridAt);
  bool isFar = farSampling * max(pace.x, pace.y) > 0.6;
  if (isFar) gridAt = floor(gridAt + 0.5);
  ivec2 cell = ivec2(floor(gridAt));
  vec2 part = gridAt - vec2(cell);
  int corners = isFar ? 1 : 4;
  float depthSum = 0.0;
  float weightSum = 0.0;
  for (int k = 0; k < corners; k++) {
    ivec2 offset = ivec2(k & 1, k >> 1);
    vec4 texel = texelFetch(depthMap, clamp(cell + offset, ivec2(0), gridSize - 1), 0);
    // The top bit says that a wall or bank stands there: such a cell counts where no open one does.
    float isOpen = max(texel.g, texel.a) < 0.5 ? 1.0 : 0.001;
    vec2 high = texel.ga * 255.0 - 128.0 * step(0.5, texel.ga);
    vec2 code = texel.rb * 255.0 + high * 256.0;
    vec2 w2 = mix(1.0 - part, part, vec2(offset));
    float w = isOpen * w2.x * w2.y;
    depthSum += w * mix(code.x, code.y, frameWeight);
    weightSum += w;
  }
  float depth = (depthSum / max(weightSum, 1e-9) - %(zero)s) * depthStep;
  float soft = clamp(fwidth(depth), 1e-5, 0.02);
  float shore = smoothstep(%(min)s - soft, %(min)s + soft, depth);
  if (shore < 0.02) discard;
  vec3 water = waterColor0;
  water = mix(water, waterColor1, smoothstep(0.84 * %(b1)s, 1.16 * %(b1)s, depth));
  water = mix(water, waterColor2, smoothstep(0.84 * %(b2)s, 1.16 * %(b2)s, depth));
  water = mix(water, waterColor3, smoothstep(0.84 * %(b3)s, 1.16 * %(b3)s, depth));
  if (waveHeight > 0.0) {
    vec3 toEye = waterEye - waterAt;
    float away = length(toEye);
    toEye /= away;
    // Waves shorter than two pixels would flicker.
    float seen = waveHeight * smoothstep(0.03, 0.35, depth) / (1.0 + pow(away / waveReach, 2.0));
    vec2 p = waterAt.xy;
    vec2 bent = p + 2.3 * vec2(sin(p.y * 0.31 + 0.4 * wavePhase), sin(p.x * 0.37 - 0.3 * wavePhase))
              + 0.9 * vec2(sin(p.y * 0.83 + 2.0), sin(p.x * 0.71 + 0.7));
    vec2 slope = vec2(0.80, 0.60) * cos(dot(bent, vec2(0.80, 0.60)) * 1.43 + wavePhase * 1.9);
    slope += vec2(-0.45, 0.89) * cos(dot(bent, vec2(-0.45, 0.89)) * 2.32 - wavePhase * 2.4);
    slope += 0.8 * vec2(0.97, -0.22) * cos(dot(bent, vec2(0.97, -0.22)) * 3.70 + wavePhase * 3.1);
    vec3 up = normalize(vec3(-seen * slope, 1.0));
    float facing = clamp(dot(up, toEye), 0.0, 1.0);
    float mirror = 0.03 + 0.97 * pow(1.0 - facing, 5.0);
    vec3 ray = reflect(-toEye, up);
    vec3 sky = mix(skyLow, skyHigh, clamp(ray.z * 1.6, 0.0, 1.0));
    water *= 1.0 + 0.8 * dot(up.xy, vec2(0.55, 0.60));
    water = mix(water, sky, min(mirror, %(most)s));
    water += sunGlint * pow(clamp(dot(ray, vec3(-0.467, -0.539, 0.701)), 0.0, 1.0), 90.0);
  }
  fragOutput0 = vec4(water, waterOpacity * shore * mix(0.80, 1.0, smoothstep(%(min)s, 0.15, depth)));
"""
MOST_MIRRORED = 0.42
"""Share of the sky in the water at most: its depth is what it is there to tell."""


def fragment_code(least: float, bounds: tuple[float, float, float]) -> str:
    """Return the fragment code for water deeper than ``least`` in four classes parted by ``bounds`` [m]."""
    values: dict[str, Any] = {"min": f"{least:.4f}", "zero": f"{float(ZERO):.1f}", "most": f"{MOST_MIRRORED:.3f}"}
    values |= {f"b{k}": f"{bound:.4f}" for k, bound in enumerate(bounds, start=1)}
    return FRAGMENT % values


assert LARGEST == 0x7FFF, "the shader reads fifteen bits"
