"""Instances: one model drawn at many places (EXT_mesh_gpu_instancing, i3dm), laid out as plain triangles with a feature each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_buffers import Buffers, accessor, item_of
from cimdesk.formats.gltf_json import as_dict, as_int, as_list
from cimdesk.formats.gltf_surface import whole_ids
from cimdesk.formats.picture_places import LaidPicture
from cimdesk.formats.tiles3d_paths import BrokenPart

MAX_TRIANGLES = 2_000_000
"""Triangles that the instances of one primitive may come to; beyond, each is drawn as a box around the model."""
MAX_INSTANCES = 150_000
OUTLINED = 200
"""Triangles up to which the instances of a model have outlines: those of trees only clutter."""
_BOX = np.array([
    [0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4],
    [2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5],
])  # fmt: skip


@dataclass(frozen=True)
class Primitive:
    """Triangles of one glTF primitive, placed by its nodes.

    Attributes
    ----------
    points : (V, 3) float64
        In glTF's axes, y up [m].
    triangles : (T, 3) int64
    color : (4,) or (T, 4) uint8
        Of all triangles or of each.
    feature_ids : (T,) int64 or None
        Feature of each triangle, -1 for none.
    table : int
        Property table the identifiers index, -1 for none.
    values : dict of str to (T,) array
        Properties kept by place; a feature has their mean.
    further : dict of int to (T,) int64
        Rows in other property tables, by table.
    family : str
        Identifiers without a table are the same things within a family only.
    added : int
        Triangles that cutting added to those of the file.
    has_outline : bool
        Whether its creases read as outlines of what it shows.
    part : str
        Name of the node it belongs to.
    laid : LaidPicture or None
        What lies on the triangles.
    """

    points: Float
    triangles: Int
    color: AnyArray
    feature_ids: Int | None
    table: int = -1
    values: dict[str, AnyArray] = field(default_factory=dict)
    further: dict[int, Int] = field(default_factory=dict)
    family: str = ""
    added: int = 0
    has_outline: bool = True
    part: str = ""
    laid: LaidPicture | None = None


@dataclass(frozen=True)
class Crowd:
    """Where a model stands.

    Attributes
    ----------
    matrices : (N, 4, 4) float64
    ids : (N,) int64
        Feature of each instance.
    table : int
    family : str
    """

    matrices: Float
    ids: Int
    table: int = -1
    family: str = ""

    def __len__(self) -> int:
        return len(self.ids)


def read_crowd(
    node: Mapping[str, Any], document: Mapping[str, Any], buffers: Buffers, family: str, findings: Findings, where: str
) -> Crowd | None:
    """Return the instances of a node; None for one without.

    Raises
    ------
    BrokenPart
        If they do not fit together.
    """
    extensions = as_dict(node.get("extensions"))
    attributes = as_dict(as_dict(extensions.get("EXT_mesh_gpu_instancing")).get("attributes"))
    if not attributes:
        return None
    counts = {as_int(item_of(document, "accessors", index).get("count"), 0) for index in attributes.values()}
    count = counts.pop()
    if counts or count < 0:
        raise BrokenPart("bad-instances", "The instances of a model do not fit together.")
    kept = kept_instances(count, findings, where)
    found = {
        name: accessor(document, buffers, attributes[name])[:kept].astype(np.float64)
        for name in ("TRANSLATION", "ROTATION", "SCALE") if name in attributes
    }  # fmt: skip
    matrices = instance_matrices(
        _rows(found.get("TRANSLATION"), kept, (0.0, 0.0, 0.0)),
        rotations(_rows(found.get("ROTATION"), kept, (0.0, 0.0, 0.0, 1.0))),
        _rows(found.get("SCALE"), kept, (1.0, 1.0, 1.0)),
    )
    for each in as_list(as_dict(extensions.get("EXT_instance_features")).get("featureIds")):
        entry = as_dict(each)
        table = as_int(entry.get("propertyTable"), -1)
        name = f"_FEATURE_ID_{entry.get('attribute')}"
        if "attribute" not in entry:
            return Crowd(matrices, np.arange(kept), table, family)
        if name in attributes:
            ids = whole_ids(accessor(document, buffers, attributes[name])[:kept], kept)
            null = entry.get("nullFeatureId")
            return Crowd(matrices, np.where(ids == null, -1, ids) if isinstance(null, int) else ids, table, family)
    return Crowd(matrices, np.arange(kept), -1, family)


def kept_instances(count: int, findings: Findings, where: str) -> int:
    """Return how many instances to draw; that the rest is left out is noted."""
    if count > MAX_INSTANCES:
        findings.error("too-many-instances", where, "Of {count} instances the first {kept} are drawn.",
                       count=count, kept=MAX_INSTANCES)  # fmt: skip
    return min(count, MAX_INSTANCES)


def _rows(values: AnyArray | None, count: int, default: tuple[float, ...]) -> Float:
    if values is None:
        return np.tile(np.array(default), (count, 1))
    if values.shape != (count, len(default)):
        raise BrokenPart("bad-instances", "The instances of a model do not fit together.")
    return np.nan_to_num(values, posinf=0.0, neginf=0.0)


def rotations(quaternions: Float) -> Float:
    """Return (N, 3, 3) matrices of (N, 4) quaternions x, y, z, w; those of no length do not turn."""
    length = np.linalg.norm(quaternions, axis=1, keepdims=True)
    unit = np.divide(quaternions, length, out=np.tile([0.0, 0.0, 0.0, 1.0], (len(quaternions), 1)), where=length > 1e-12)
    x, y, z, w = unit.T
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]).transpose(2, 0, 1)  # fmt: skip


def instance_matrices(positions: Float, turns: Float, scales: Float) -> Float:
    """Return (N, 4, 4) matrices: scaled (N, 3), turned (N, 3, 3), then moved (N, 3)."""
    out = np.tile(np.eye(4), (len(positions), 1, 1))
    out[:, :3, :3] = turns * scales[:, None, :]
    out[:, :3, 3] = positions
    return out


def repeated(primitive: Primitive, crowd: Crowd, findings: Findings, where: str) -> Primitive:
    """Return a primitive at every place of a crowd, a feature for each instance."""
    count = len(crowd)
    shape = primitive
    if count * len(primitive.triangles) > MAX_TRIANGLES:
        findings.add(
            "many-instances", where, "{count} instances of {triangles} triangles each are drawn as boxes.", count=count,
            triangles=len(primitive.triangles),
        )  # fmt: skip
        shape = _boxed(primitive)
    turned = shape.points @ crowd.matrices[:, :3, :3].transpose(0, 2, 1)
    turned += crowd.matrices[:, None, :3, 3]
    triangles = np.tile(shape.triangles, (count, 1, 1))
    is_mirrored = np.linalg.det(crowd.matrices[:, :3, :3]) < 0
    triangles[is_mirrored] = triangles[is_mirrored][:, :, ::-1]
    triangles += (np.arange(count) * len(shape.points))[:, None, None]
    size = len(shape.triangles)
    return replace(
        shape,
        points=turned.reshape(-1, 3),
        triangles=triangles.reshape(-1, 3),
        color=shape.color if shape.color.ndim == 1 else np.tile(shape.color, (count, 1)),
        feature_ids=np.repeat(crowd.ids, size),
        table=crowd.table,
        values={name: np.tile(column, count) for name, column in shape.values.items()},
        further={},
        family=crowd.family,
        added=shape.added * count,
        has_outline=shape.has_outline and size <= OUTLINED,
        laid=None if shape.laid is None else shape.laid.repeated(is_mirrored),
    )


def _boxed(primitive: Primitive) -> Primitive:
    """Return the box around a primitive, in its middle colour."""
    low, high = primitive.points.min(axis=0), primitive.points.max(axis=0)
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)])
    color = primitive.color if primitive.color.ndim == 1 else np.round(primitive.color.mean(axis=0)).astype(np.uint8)
    return Primitive(low + corners * (high - low), _BOX, color, None, family=primitive.family)
