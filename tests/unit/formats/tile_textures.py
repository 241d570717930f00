"""GLB files with pictures, features and values on a square."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.unit.formats.tile_files import SQUARE, Glb

FRAME = np.add(np.multiply(SQUARE / 10, (1, -1, 1)), (0, 1, 0))
"""Texture coordinates of the square: v grows downwards."""
UV = FRAME[:, :2].astype(np.float32)


def picture(pixels, form="PNG"):
    out = io.BytesIO()
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(
        out, form, **({"lossless": True, "exact": True} if form == "WEBP" else {})
    )
    return out.getvalue()


def textured(pixels, form="PNG", info=None, sampler=None, primitive=None, uv=UV, **material):
    glb = Glb().mesh(material=0, TEXCOORD_0=uv, **(primitive or {}))
    data = pixels if isinstance(pixels, bytes) else picture(pixels, form)
    glb.document |= {
        "images": [{"bufferView": glb.view(data), "mimeType": "image/png"}],
        "samplers": [sampler or {}],
        "textures": [{"sampler": 0, "source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, **(info or {})}}, **material}],
    }
    return glb


def with_ids(ids, table=True, **more):
    """A square whose features are told apart by the red channel of a texture, rows of a property table."""
    pixels = np.zeros((*np.shape(ids), 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = ids, 255
    entry = {"featureCount": 4, "texture": {"index": 0, "texCoord": 0, "channels": [0]}, **more}
    if table:
        entry["propertyTable"] = 0
    glb = textured(pixels, primitive={"extensions": {"EXT_mesh_features": {"featureIds": [entry]}}})
    glb.document["materials"] = [{}]
    if table:
        names = glb.view(b"roofwalldoor"), glb.view(np.array([0, 4, 8, 12], "<u4").tobytes())
        glb.document["extensions"] = {
            "EXT_structural_metadata": {
                "schema": {"classes": {"part": {"properties": {"name": {"type": "STRING"}}}}},
                "propertyTables": [
                    {"class": "part", "count": 3, "properties": {"name": {"values": names[0], "stringOffsets": names[1]}}}
                ],
            }
        }
    return glb


def with_values(pixels, kinds, properties, **classes):
    glb = textured(pixels, primitive={"extensions": {"EXT_structural_metadata": {"propertyTextures": [0]}}})
    glb.document["materials"] = [{}]
    glb.document["extensions"] = {
        "EXT_structural_metadata": {
            "schema": {"classes": {"wall": {"properties": kinds}}, **classes},
            "propertyTextures": [{"class": "wall", "properties": properties}],
        }
    }
    return glb
