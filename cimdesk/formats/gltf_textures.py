"""Textures of glTF as numpy arrays: decoded with limits, sampled by texture coordinates, in linear or screen colours."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Int, UInt8
from cimdesk.formats.gltf_buffers import Buffers, item_of
from cimdesk.formats.gltf_json import as_dict, as_int, as_list, number_list
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_PIXELS = 64 << 20
"""Pixels that the pictures of one file may have."""
CLAMP, _MIRROR = 33071, 33648
_SOURCES = ("EXT_texture_webp", "MSFT_texture_dds", "KHR_texture_basisu")


@dataclass(frozen=True)
class Texture:
    """A decoded image and how its texture coordinates are meant.

    Attributes
    ----------
    pixels : (H, W, 4) uint8
        Row 0 is v = 0, as glTF has it.
    wraps : (int, int)
        Codes of the sampler for u and v.
    coordinates : str
        Attribute with the texture coordinates.
    placing : (2, 3) float64
        KHR_texture_transform.
    smaller : dict of int to (H, W, 4) uint8
        The same image with blocks of so many pixels averaged, made when asked for.
    data : bytes
        The image as its file has it.
    """

    pixels: UInt8
    wraps: tuple[int, int]
    coordinates: str
    placing: Float
    smaller: dict[int, UInt8] = field(default_factory=dict)
    data: bytes = b""

    def placed(self, places: Float) -> Float:
        """Return (..., 2) texture coordinates moved as KHR_texture_transform says."""
        moved = places @ self.placing[:, :2].T + self.placing[:, 2]
        return np.nan_to_num(moved, posinf=0.0, neginf=0.0)

    def sample(self, places: Float) -> UInt8:
        """Return (N, 4) texels nearest to (N, 2) texture coordinates."""
        placed = self.placed(places)
        height, width = self.pixels.shape[:2]
        columns = _texel(placed[:, 0], self.wraps[0], width)
        return self.pixels[_texel(placed[:, 1], self.wraps[1], height), columns]

    def reduced(self, factor: int) -> Texture:
        """Return the texture with blocks of so many pixels averaged, clear ones not counted."""
        if factor <= 1:
            return self
        if factor not in self.smaller:
            from PIL import Image

            whole = Image.fromarray(self.pixels).convert("RGBa")
            self.smaller[factor] = np.asarray(whole.reduce(min(factor, *self.pixels.shape[:2])).convert("RGBA"))
        return replace(self, pixels=self.smaller[factor])


def _texel(values: Float, wrap: int, size: int) -> Int:
    if wrap == _MIRROR:
        turned = np.mod(values, 2.0)
        values = np.where(turned > 1.0, 2.0 - turned, turned)
    elif wrap != CLAMP:
        # Whole numbers end a picture as often as they begin it; one at its end belongs to its last column.
        wrapped = values - np.floor(values)
        values = np.where((wrapped == 0.0) & (values >= 1.0), 1.0, wrapped)
    return np.clip(np.floor(values * size), 0, size - 1).astype(np.int64)


@dataclass
class Textures:
    """The textures of one glTF file, each image decoded once."""

    document: Mapping[str, Any]
    buffers: Buffers
    _images: dict[int, tuple[UInt8, dict[int, UInt8], bytes]] = field(default_factory=dict)

    def texture(self, info: Any) -> Texture:
        """Return the texture that a texture info object refers to.

        Raises
        ------
        BrokenPart
            If its image is missing, damaged, too large, or of a kind that is not read.
        """
        entry = as_dict(info)
        described = item_of(self.document, "textures", entry.get("index"))
        transform = as_dict(as_dict(entry.get("extensions")).get("KHR_texture_transform"))
        channel = as_int(transform.get("texCoord", entry.get("texCoord")), 0)
        sampler: dict[str, Any] = {}
        if "sampler" in described:
            sampler = item_of(self.document, "samplers", described["sampler"])
        wraps = (as_int(sampler.get("wrapS"), 0), as_int(sampler.get("wrapT"), 0))
        pixels, smaller, data = self._image(_source_of(described))
        return Texture(pixels, wraps, f"TEXCOORD_{channel}", _placing(transform), smaller, data)

    def _image(self, index: Any) -> tuple[UInt8, dict[int, UInt8], bytes]:
        entry = item_of(self.document, "images", index)
        if index not in self._images:
            uri = entry.get("uri")
            data = self.buffers.file(uri) if isinstance(uri, str) else self.buffers.view(as_int(entry.get("bufferView"), -1))
            held = sum(pixels.size // 4 for pixels, _, _ in self._images.values())
            self._images[index] = read_image(data, MAX_PIXELS - held), {}, data
        return self._images[index]


def _source_of(texture: Mapping[str, Any]) -> Any:
    extensions = as_dict(texture.get("extensions"))
    webp = as_dict(extensions.get("EXT_texture_webp")).get("source")
    if webp is not None:
        return webp
    if "source" not in texture and any(name in extensions for name in _SOURCES):
        raise BrokenPart("texture-kind", "A texture is of a kind that is not read (KTX2 or DDS).")
    return texture.get("source")


def _placing(transform: Mapping[str, Any]) -> Float:
    offset = number_list(transform.get("offset"), 2) or [0.0, 0.0]
    scale = number_list(transform.get("scale"), 2) or [1.0, 1.0]
    turn = number_list([transform.get("rotation", 0.0)], 1) or [0.0]
    c, s = float(np.cos(turn[0])), float(np.sin(turn[0]))
    return np.array([[c * scale[0], s * scale[1], offset[0]], [-s * scale[0], c * scale[1], offset[1]]])


def read_image(data: bytes, most: int) -> UInt8:
    """Return (H, W, 4) uint8 pixels of a PNG, JPEG or WebP.

    Parameters
    ----------
    data : bytes
    most : int
        Pixels it may have.

    Raises
    ------
    BrokenPart
        If it is none of these, damaged, or has too many pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        if image.width * image.height > most:
            raise BrokenPart("texture-size", "A texture has {width} by {height} pixels, which is too large.",
                             width=image.width, height=image.height)  # fmt: skip
        return np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError, Warning) as error:
        raise BrokenPart("bad-texture", "A texture cannot be read: {reason}", reason=str(error)[:120]) from error


def base_color(document: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[Float, dict[str, Any], str, float]:
    """Return the (4,) linear base colour of a primitive's material, its texture info, alpha mode and alpha cutoff."""
    materials = as_list(document.get("materials"))
    index = entry.get("material")
    material: dict[str, Any] = {}
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(materials):
        material = as_dict(materials[index])
    rough = as_dict(material.get("pbrMetallicRoughness"))
    shiny = as_dict(as_dict(material.get("extensions")).get("KHR_materials_pbrSpecularGlossiness"))
    shaders = as_dict(as_dict(as_dict(material.get("extensions")).get("KHR_techniques_webgl")).get("values"))
    drawn = [shaders[name] for name in sorted(shaders) if "diffuse" in name.lower() or "color" in name.lower()]
    factor = number_list(rough.get("baseColorFactor"), 4) or number_list(shiny.get("diffuseFactor"), 4)
    factor = factor or next((found for each in drawn if (found := number_list(each, 4))), [1.0] * 4)
    info = as_dict(rough.get("baseColorTexture")) or as_dict(shiny.get("diffuseTexture"))
    info = info or next((each for each in drawn if isinstance(each, dict) and "index" in each), {})
    cutoff = number_list([material.get("alphaCutoff", 0.5)], 1) or [0.5]
    return np.array(factor), info, str(material.get("alphaMode", "OPAQUE")), cutoff[0]
