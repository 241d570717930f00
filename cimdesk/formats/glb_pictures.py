"""Pictures in a GLB: embedded as they are where glTF knows their kind, with a material for each."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float32
from cimdesk.base.pictures import read_picture
from cimdesk.model.pictured import PictureFile

KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""First bytes of the pictures that glTF may have."""
CLAMP, REPEAT, LINEAR, MIPMAPS = 33071, 10497, 9729, 9987
SPECK = 1e-10
"""Twice the area of a triangle that is none [m2]."""


class PictureShelf:
    """Images, textures and materials of one file.

    Attributes
    ----------
    images, textures, samplers : lists of dict
        As glTF has them.
    """

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.textures: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []

    def material(self, file: PictureFile, view: Callable[[bytes], int]) -> dict[str, Any] | None:
        """Return the material that shows a picture, whose bytes ``view`` takes; None where the picture cannot be read."""
        found = _embedded(file)
        if found is None:
            return None
        kind, data = found
        wrap = REPEAT if file.is_repeated else CLAMP
        sampler = {"wrapS": wrap, "wrapT": wrap, "magFilter": LINEAR, "minFilter": MIPMAPS}
        if sampler not in self.samplers:
            self.samplers.append(sampler)
        self.images.append({"mimeType": kind, "bufferView": view(data)})
        self.textures.append({"source": len(self.images) - 1, "sampler": self.samplers.index(sampler)})
        factor = [*file.tint, 1.0]
        material: dict[str, Any] = {
            "pbrMetallicRoughness": {
                "baseColorTexture": {"index": len(self.textures) - 1}, "baseColorFactor": factor, "metallicFactor": 0.0,
                "roughnessFactor": 0.9,
            },
            "doubleSided": True,
        }  # fmt: skip
        if file.alpha is None and kind == "image/png":
            material["alphaMode"] = "BLEND"
        elif file.alpha:
            material |= {"alphaMode": "MASK", "alphaCutoff": file.alpha}
        return material

    def entries(self) -> dict[str, Any]:
        """Return what the document gets."""
        return {"images": self.images, "textures": self.textures, "samplers": self.samplers} if self.images else {}


def cut_corners(points: Float32, triangles: AnyArray) -> tuple[Float32, Bool]:
    """Return the (3 T, 3) corners of triangles one by one, and which (T,) triangles have an area; only those are there."""
    corners = points[triangles]
    a, b, c = (corners[:, k].astype(np.float64) for k in range(3))
    has_area: Bool = np.linalg.norm(np.cross(b - a, c - a), axis=1) > SPECK
    return corners[has_area].reshape(-1, 3), has_area


def _embedded(file: PictureFile) -> tuple[str, bytes] | None:
    """Return the kind and bytes of a picture; one that glTF does not know becomes a PNG."""
    try:
        data = file.data if file.data is not None else file.path.read_bytes()
        kind = next((name for start, name in KINDS.items() if data.startswith(start)), None)
        if kind is not None:
            return kind, data
        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(read_picture(data, file.size)).save(out, format="PNG")
    except (OSError, ValueError):
        return None
    return "image/png", out.getvalue()
