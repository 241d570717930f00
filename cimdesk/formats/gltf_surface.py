"""What lies on the triangles of a primitive: colours, features and values, from vertices and from textures.

Triangles that carry a picture or features finer than themselves are cut into small ones, so that colours, picking and styling by
feature need nothing but triangles. Clear parts of pictures (leaves of trees on cards) are cut away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int
from cimdesk.base.srgb import to_linear, to_screen
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.gltf_metadata import PropertyTables
from cimdesk.formats.gltf_textures import CLAMP, Texture, Textures, base_color
from cimdesk.formats.picture_places import LaidPicture
from cimdesk.formats.tiles3d_paths import BrokenPart
from cimdesk.model.pictured import PictureFile

Attribute = Callable[[str], AnyArray | None]
PICTURE_CELLS = 8_000
"""Triangles a picture may be cut into, for one primitive."""
LEAST_CELLS = 32
"""The same, for the pictures of a large crowd."""
FEATURE_CELLS = 60_000
MOST_PARTS = 128
MOST_COLORS = 200
LEVELS = 14
CLEAR = 0.05
MOST_VALUES = 256


@dataclass(frozen=True)
class Cells:
    """Triangles, whole or cut, and where each lies in the one it was cut from.

    Attributes
    ----------
    points : (V, 3) float64
    triangles : (T, 3) int64
    corners : (T, 3) int64
        Vertices of the triangle each was cut from.
    weights : (T, 3) float64
        Its middle as weights of them.
    parts : int
        Parts along an edge.
    """

    points: Float
    triangles: Int
    corners: Int
    weights: Float
    parts: int = 1

    def at_middle(self, values: AnyArray) -> Float:
        """Return (T, k) values at the middles, of (V, k) at the vertices."""
        middles: Float = np.einsum("tc,tck->tk", self.weights, values[self.corners].astype(np.float64))
        return middles

    def take(self, is_kept: Bool) -> Cells:
        """Return some of the triangles."""
        return replace(self, triangles=self.triangles[is_kept], corners=self.corners[is_kept], weights=self.weights[is_kept])


@dataclass(frozen=True)
class Painted:
    """Cells with what lies on them.

    Attributes
    ----------
    cells : Cells
    colors : (4,) or (T, 4) uint8
    features : (T,) int64 or None
    table : int
    further : dict of int to (T,) int64
        Rows in other property tables, by table: what the cells are part of besides.
    values : dict of str to (T,) array
        Properties kept by place rather than by feature.
    is_cut_out : bool
        Whether clear parts were cut away.
    laid : LaidPicture or None
        What is laid on the triangles as it is.
    """

    cells: Cells
    colors: AnyArray
    features: Int | None
    table: int
    further: dict[int, Int]
    values: dict[str, AnyArray]
    is_cut_out: bool
    laid: LaidPicture | None = None


@dataclass
class Surface:
    """Paints the primitives of one file, which are going to be drawn ``copies`` times.

    Where it ``lays_pictures`` they stay what they are, on whole triangles, unless something else wants these cut.
    """

    document: Mapping[str, Any]
    textures: Textures
    tables: PropertyTables | None
    findings: Findings
    where: str
    copies: int = 1
    lays_pictures: bool = False
    _files: dict[tuple[Any, ...], PictureFile] = field(default_factory=dict)

    def paint(self, entry: Mapping[str, Any], points: Float, triangles: Int, attribute: Attribute) -> Painted:
        """Return the triangles of a primitive with their colours, features and values."""
        attribute = _fitting(attribute, len(points))
        factor, info, mode, cutoff = base_color(self.document, entry)
        picture = self._texture(info, attribute) if info else None
        extensions = as_dict(entry.get("extensions"))
        chosen = feature_set(extensions, attribute)
        feature_map = None
        if chosen is not None and "texture" in chosen:
            feature_map = self._texture(chosen["texture"], attribute)
        described = self._described(extensions)
        maps = {name: found for name, (info, _) in described.items() if (found := self._texture(info, attribute)) is not None}
        picture_cells = max(PICTURE_CELLS * 8 // max(self.copies, 8), LEAST_CELLS)
        wanted = [(each, FEATURE_CELLS) for each in (feature_map, *maps.values()) if each is not None]
        laid = None
        if self.lays_pictures and picture is not None and not wanted and len(triangles):
            laid, picture_cells = self._laid(picture, factor, mode, cutoff, _coordinates(picture, attribute)[triangles]), 1
        cells = _cut(points, triangles, wanted + ([(picture, picture_cells)] if picture is not None else []), attribute)
        colors, is_kept = self._colors(cells, factor, picture, mode, cutoff, attribute)
        features, table = self._features(cells, chosen, feature_map, attribute)
        further = self._further(cells, extensions, table, attribute)
        values = {name: tables_value(self.tables, described[name], _texels(cells, each, attribute)) for name, each in maps.items()}
        values |= self._attribute_values(extensions, cells, attribute)
        if features is None and maps:
            features, values = _by_value(values)
        if laid is not None or is_kept is None or is_kept.all():
            return Painted(cells, colors, features, table, further, values, False, laid)
        return Painted(
            cells.take(is_kept),
            colors if colors.ndim == 1 else colors[is_kept],
            None if features is None else features[is_kept],
            table,
            {each: rows[is_kept] for each, rows in further.items()},
            {name: column[is_kept] for name, column in values.items()},
            True,
        )

    def _laid(self, picture: Texture, factor: Float, mode: str, cutoff: float, coordinates: Float) -> LaidPicture:
        """Return a picture with the places of its (T, 3, 2) texture coordinates."""
        alpha = {"MASK": cutoff, "BLEND": None}.get(mode, 0.0)
        tint = (float(factor[0]), float(factor[1]), float(factor[2]))
        key = (id(picture.data), picture.wraps, tint, alpha)
        if key not in self._files:
            height, width = picture.pixels.shape[:2]
            is_repeated = CLAMP not in picture.wraps
            self._files[key] = PictureFile(Path(self.where), (width, height), is_repeated, picture.data, tint, alpha)
        placed = picture.placed(coordinates)
        return LaidPicture(self._files[key], np.stack([placed[..., 0], 1.0 - placed[..., 1]], axis=-1).astype(np.float32))

    def _texture(self, info: Any, attribute: Attribute) -> Texture | None:
        try:
            found = self.textures.texture(info)
        except BrokenPart as broken:
            self.findings.add(broken.code, self.where, broken.template, remedy=broken.remedy, **broken.values)
            return None
        return found if attribute(found.coordinates) is not None else None

    def _colors(
        self, cells: Cells, factor: Float, picture: Texture | None, mode: str, cutoff: float, attribute: Attribute
    ) -> tuple[AnyArray, Bool | None]:
        """Return the screen colours of the cells, one for all where they are alike, and which cells are not clear."""
        light = factor[None, :]
        own = vertex_colors(attribute)
        if own is not None:
            light = light * cells.at_middle(own)
        if picture is not None:
            texels = _texels(cells, picture.reduced(_pixels_per_cell(cells, picture, attribute)), attribute)
            light = light * np.column_stack([to_linear(texels[:, :3]), texels[:, 3:] / 255.0])
        is_kept = None
        opacity: Float = np.round(np.clip(light[:, 3], 0.0, 1.0) * 255.0)
        if mode in ("MASK", "BLEND") and picture is not None:
            is_kept = np.asarray(light[:, 3] >= (cutoff if mode == "MASK" else CLEAR))
        if mode != "BLEND":
            opacity = np.full(len(light), 255.0)
        colors = np.column_stack([to_screen(light[:, :3]), opacity.astype(np.uint8)])
        if len(colors) == 1:
            return colors[0], None
        return _few(colors), is_kept

    def _features(
        self, cells: Cells, chosen: dict[str, Any] | None, feature_map: Texture | None, attribute: Attribute
    ) -> tuple[Int | None, int]:
        if chosen is None:
            return None, -1
        table = as_int(chosen.get("propertyTable"), -1)
        if "texture" in chosen:
            if feature_map is None:
                return None, -1
            channels = [as_int(each, 0) for each in as_list(as_dict(chosen["texture"]).get("channels", [0]))][:4]
            texels = _texels(cells, feature_map, attribute).astype(np.int64)
            ids = sum((texels[:, min(max(c, 0), 3)] << (8 * k) for k, c in enumerate(channels)), np.zeros(len(texels), np.int64))
        elif "attribute" in chosen:
            found = attribute(str(chosen["attribute"]))
            assert found is not None
            ids = whole_ids(found, len(attribute("POSITION")))[cells.corners[:, 0]]  # type: ignore[arg-type]
        else:
            ids = cells.corners[:, 0].astype(np.int64)
        null = chosen.get("nullFeatureId")
        return (np.where(ids == null, -1, ids) if isinstance(null, int) else ids), table

    def _further(self, cells: Cells, extensions: Mapping[str, Any], table: int, attribute: Attribute) -> dict[int, Int]:
        """Return the rows in the tables of the other feature sets whose identifiers are attributes."""
        found: dict[int, Int] = {}
        for each in (as_dict(each) for each in as_list(as_dict(extensions.get("EXT_mesh_features")).get("featureIds"))):
            other = as_int(each.get("propertyTable"), -1)
            name = f"_FEATURE_ID_{each.get('attribute')}"
            if other in (-1, table) or "attribute" not in each or "texture" in each or attribute(name) is None:
                continue
            found[other] = self._features(cells, {**each, "attribute": name}, None, attribute)[0]  # type: ignore[assignment]
        return found

    def _described(self, extensions: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Return the texture info and the class property of every property of the property textures in use."""
        if self.tables is None:
            return {}
        used = as_list(as_dict(extensions.get("EXT_structural_metadata")).get("propertyTextures"))
        return self.tables.placed_properties("propertyTextures", used)

    def _attribute_values(self, extensions: Mapping[str, Any], cells: Cells, attribute: Attribute) -> dict[str, AnyArray]:
        if self.tables is None:
            return {}
        used = as_list(as_dict(extensions.get("EXT_structural_metadata")).get("propertyAttributes"))
        out: dict[str, AnyArray] = {}
        for name, (entry, kind) in self.tables.placed_properties("propertyAttributes", used).items():
            found = attribute(str(entry.get("attribute")))
            if found is not None and found.ndim == 1:
                out[name] = self.tables.scaled_numbers(found[cells.corners[:, 0]], kind, entry)
        return out


def tables_value(tables: PropertyTables | None, described: tuple[dict[str, Any], dict[str, Any]], texels: AnyArray) -> AnyArray:
    """Return the property values that (T, 4) texels stand for."""
    assert tables is not None
    entry, kind = described
    return tables.texel_values(texels, entry, kind)


def whole_ids(values: AnyArray, count: int) -> Int:
    """Return identifiers as whole numbers: files keep them as floats, and Draco may quantise those."""
    values = values.reshape(len(values), -1)[:, 0] if len(values) else np.zeros(0)
    if len(values) != count:
        raise BrokenPart("bad-features", "{found} feature identifiers for {count} vertices.", found=len(values), count=count)
    whole = np.rint(np.nan_to_num(values.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0))
    return np.clip(whole, -1, 2**31 - 1).astype(np.int64)


def _fitting(attribute: Attribute, count: int) -> Attribute:
    """Return the same attributes without those that do not have a value for each vertex; identifiers must."""

    def fitting(name: str) -> AnyArray | None:
        found = attribute(name)
        is_fit = found is None or len(found) == count or "BATCHID" in name or name.startswith("_FEATURE_ID")
        return found if is_fit else None

    return fitting


def feature_set(extensions: Mapping[str, Any], attribute: Attribute) -> dict[str, Any] | None:
    """Return the feature identifiers to use: those of a property table first, else the legacy batch identifiers.

    ``attribute`` in it is the full name of the attribute.
    """
    sets = [as_dict(each) for each in as_list(as_dict(extensions.get("EXT_mesh_features")).get("featureIds"))]
    sets.sort(key=lambda each: "propertyTable" not in each)
    for each in sets:
        if "texture" in each or "attribute" not in each:
            return each
        name = f"_FEATURE_ID_{each['attribute']}"
        if attribute(name) is not None:
            return {**each, "attribute": name}
    for name in ("_BATCHID", "BATCHID", "_FEATURE_ID_0"):
        if attribute(name) is not None:
            return {"attribute": name}
    return None


def vertex_colors(attribute: Attribute) -> Float | None:
    """Return (V, 4) linear vertex colours."""
    found = attribute("COLOR_0")
    if found is None or found.ndim != 2 or found.shape[1] not in (3, 4):
        return None
    values = found.astype(np.float64)
    if found.dtype.kind in "iu":
        values /= float(np.iinfo(found.dtype).max)
    values = np.nan_to_num(values)
    return values if values.shape[1] == 4 else np.column_stack([values, np.ones(len(values))])


def _coordinates(texture: Texture, attribute: Attribute) -> Float:
    """Return (V, 2) texture coordinates; whole numbers that are not marked as normalised count as such."""
    found = attribute(texture.coordinates)
    if found is None or found.ndim != 2 or found.shape[1] != 2:
        raise BrokenPart("bad-texture", "A texture cannot be read: {reason}", reason=texture.coordinates)
    return np.nan_to_num(found.astype(np.float64))


def _texels(cells: Cells, texture: Texture, attribute: Attribute) -> AnyArray:
    return texture.sample(cells.at_middle(_coordinates(texture, attribute)))


def _pixels_per_cell(cells: Cells, texture: Texture, attribute: Attribute) -> int:
    """Return how many pixels of a picture lie along a typical cell, so that they can be averaged."""
    if not len(cells.corners):
        return 1
    corners = (_coordinates(texture, attribute) @ texture.placing[:, :2].T)[cells.corners]
    reach = np.ptp(corners, axis=1).max(axis=1) * max(texture.pixels.shape[:2]) / cells.parts
    return int(np.clip(np.median(reach) / 2.0, 1, 256))


def _cut(points: Float, triangles: Int, wanted: list[tuple[Texture, int]], attribute: Attribute) -> Cells:
    """Return the triangles cut as finely as what lies on them asks for, within the number of cells that is kept."""
    parts = 1
    for texture, most in wanted:
        if not len(triangles):
            continue
        corners = (_coordinates(texture, attribute) @ texture.placing[:, :2].T)[triangles]
        pixels = float(np.quantile(np.ptp(corners, axis=1).max(axis=1), 0.9)) * max(texture.pixels.shape[:2])
        parts = max(parts, int(min(np.ceil(min(pixels, 1e6)), MOST_PARTS, np.sqrt(most / len(triangles)))))
    if parts == 1:
        return Cells(points, triangles, triangles, np.full((len(triangles), 3), 1.0 / 3.0))
    weights, pattern = barycentric_grid(parts)
    cut = np.einsum("kc,tcx->tkx", weights, points[triangles]).reshape(-1, 3)
    starts = np.arange(len(triangles)) * len(weights)
    return Cells(
        cut,
        (pattern[None] + starts[:, None, None]).reshape(-1, 3),
        np.repeat(triangles, len(pattern), axis=0),
        np.tile(weights[pattern].mean(axis=1), (len(triangles), 1)),
        parts,
    )


def barycentric_grid(parts: int) -> tuple[Float, Int]:
    """Return (K, 3) weights of the nodes and (parts², 3) small triangles of one triangle cut ``parts`` times along each edge."""
    rows, columns = np.nonzero(np.arange(parts + 1)[None, :] <= parts - np.arange(parts + 1)[:, None])
    weights = np.column_stack([parts - rows - columns, columns, rows]) / parts
    number = np.full((parts + 1, parts + 1), -1, dtype=np.int64)
    number[rows, columns] = np.arange(len(rows))
    i, j = np.nonzero(np.arange(parts)[None, :] < parts - np.arange(parts)[:, None])
    up = np.column_stack([number[i, j], number[i, j + 1], number[i + 1, j]])
    has_down = i + j < parts - 1
    i, j = i[has_down], j[has_down]
    down = np.column_stack([number[i, j + 1], number[i + 1, j + 1], number[i + 1, j]])
    return weights, np.concatenate([up, down])


def _few(colors: AnyArray) -> AnyArray:
    """Return one colour where all are alike, and rounded ones where there are too many to keep apart."""
    packed = np.ascontiguousarray(colors).view(np.uint32).ravel()
    if not len(packed):
        return np.full(4, 255, dtype=np.uint8)
    different = len(np.unique(packed))
    if different == 1:
        return np.asarray(colors[0])
    if different <= MOST_COLORS:
        return colors
    rounded = np.round(np.round(colors[:, :3] / 255.0 * LEVELS) * (255.0 / LEVELS)).astype(np.uint8)
    # Plain white would read as no colour at all.
    rounded = np.where((rounded == 255).all(axis=1)[:, None], np.uint8(254), rounded)
    opacity = np.where(colors[:, 3] > 223, 255, np.maximum(colors[:, 3] & 0xC0, 64)).astype(np.uint8)
    return np.column_stack([rounded, opacity])


def _by_value(values: dict[str, AnyArray]) -> tuple[Int | None, dict[str, AnyArray]]:
    """Return places of equal values as features, when there are not too many of them."""
    texts = [column.astype(str) if column.dtype == object else column for column in values.values()]
    codes = [np.unique(column, return_inverse=True)[1] for column in texts]
    _, features = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    features = features.ravel().astype(np.int64)
    return (features if len(features) and features.max() < MOST_VALUES else None), values
