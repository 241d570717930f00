"""Pieces on disk between the two passes: each task of the first pass leaves one file with a segment for every unit it touches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Int, UInt8
from cimdesk.formats.metadata_write import TableSummary
from cimdesk.model.features import FeatureTable

_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(dict[str, Any])


@dataclass(frozen=True)
class Town:
    """Items and triangles of one unit.

    Attributes
    ----------
    features : FeatureTable
    item_feature : (I,) int64
    plan : (I, 2) float64
        Flat place of each item, in the units of the grid.
    origin : (3,) float64
        World coordinates of the local zero.
    points : (V, 3) float32
        Local [m].
    triangles : (T, 3) int32
    owner : (T,) int32
        Item.
    kind : (T,) uint8
    colors : (T, 4) uint8 or None
    """

    features: FeatureTable
    item_feature: Int
    plan: Float
    origin: Float
    points: Float32
    triangles: AnyArray
    owner: AnyArray
    kind: UInt8
    colors: UInt8 | None


def encode_town(town: Town) -> bytes:
    """Return the bytes of a segment."""
    return _ENCODE.encode({
        **packed_table(town.features),
        "item_feature": town.item_feature.astype("<i4").tobytes(),
        "plan": town.plan.astype("<f8").tobytes(),
        "origin": town.origin.tolist(),
        "points": town.points.astype("<f4").tobytes(),
        "triangles": town.triangles.astype("<i4").tobytes(),
        "owner": town.owner.astype("<i4").tobytes(),
        "kind": town.kind.tobytes(),
        "colors": None if town.colors is None else town.colors.tobytes(),
    })  # fmt: skip


def decode_town(data: bytes) -> Town:
    """Return the town of a segment's bytes."""
    entry = _DECODE.decode(data)
    colors = entry["colors"]
    return Town(
        unpacked_table(entry),
        np.frombuffer(entry["item_feature"], "<i4").astype(np.int64),
        np.frombuffer(entry["plan"], "<f8").reshape(-1, 2),
        np.array(entry["origin"]),
        np.frombuffer(entry["points"], "<f4").reshape(-1, 3),
        np.frombuffer(entry["triangles"], "<i4").reshape(-1, 3),
        np.frombuffer(entry["owner"], "<i4"),
        np.frombuffer(entry["kind"], np.uint8),
        None if colors is None else np.frombuffer(colors, np.uint8).reshape(-1, 4),
    )


def merged_towns(towns: Sequence[Town], summary: TableSummary) -> Town:
    """Return one town of several, around the first one's origin, with the columns of ``summary``."""
    if len(towns) == 1:
        return towns[0]
    features = np.cumsum([0, *(len(town.features) for town in towns)])
    items = np.cumsum([0, *(len(town.item_feature) for town in towns)])
    vertices = np.cumsum([0, *(len(town.points) for town in towns)])
    origin = towns[0].origin
    has_colors = any(town.colors is not None for town in towns)
    return Town(
        joined_tables([town.features for town in towns], summary.columns),
        np.concatenate([town.item_feature + start for town, start in zip(towns, features[:-1], strict=True)]),
        np.concatenate([town.plan for town in towns]),
        origin,
        np.concatenate([_shifted(town, origin) for town in towns]),
        np.concatenate([town.triangles + np.int32(start) for town, start in zip(towns, vertices[:-1], strict=True)]),
        np.concatenate([town.owner + np.int32(start) for town, start in zip(towns, items[:-1], strict=True)]),
        np.concatenate([town.kind for town in towns]),
        np.concatenate([_colors(town) for town in towns]) if has_colors else None,
    )


def packed_table(table: FeatureTable) -> dict[str, Any]:
    """Return a table as plain values."""
    columns = {name: _packed_column(values) for name, values in table.columns.items()}
    return {"ids": table.ids.tolist(), "columns": columns}


def unpacked_table(entry: Mapping[str, Any]) -> FeatureTable:
    """Return the table of plain values."""
    return FeatureTable(_objects(entry["ids"]), {name: _column(packed) for name, packed in entry["columns"].items()})


def joined_tables(tables: Sequence[FeatureTable], names: Iterable[str]) -> FeatureTable:
    """Return tables one below the other, with the columns ``names``; one that a table lacks has gaps there."""
    columns = {name: _joined([(len(table), table.columns.get(name)) for table in tables]) for name in names}
    return FeatureTable(np.concatenate([table.ids for table in tables]), columns)


def write_spill(path: Path, segments: Iterable[bytes]) -> list[tuple[int, int]]:
    """Write the segments of one task as they come; return where each lies and its size. The file is whole or not there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    places: list[tuple[int, int]] = []
    at = 0
    with temporary.open("wb") as file:
        for segment in segments:
            file.write(segment)
            places.append((at, len(segment)))
            at += len(segment)
    temporary.replace(path)
    return places


def read_segments(folder: Path, places: Sequence[tuple[str, int, int]]) -> list[Town]:
    """Return the towns at (file, offset, size) below a folder, in order."""
    towns = []
    for name, offset, size in places:
        with (folder / name).open("rb") as file:
            file.seek(offset)
            towns.append(decode_town(file.read(size)))
    return towns


def _packed_column(values: AnyArray) -> list[Any]:
    if values.dtype.kind == "O":
        return ["O", values.tolist()]
    return [values.dtype.str, values.tobytes()]


def _column(packed: Sequence[Any]) -> AnyArray:
    dtype, values = packed
    return _objects(values) if dtype == "O" else np.frombuffer(values, dtype)


def _objects(values: Sequence[Any]) -> AnyArray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _joined(pieces: Sequence[tuple[int, AnyArray | None]]) -> AnyArray:
    kinds = {piece.dtype.kind for _, piece in pieces if piece is not None}
    is_whole = all(piece is not None for _, piece in pieces)
    if is_whole and len(kinds) == 1:
        return np.concatenate([piece for _, piece in pieces if piece is not None])
    if kinds <= {"i", "f"}:
        return np.concatenate([np.full(count, np.nan) if piece is None else piece.astype(np.float64) for count, piece in pieces])
    return np.concatenate([np.full(count, None, dtype=object) if p is None else p.astype(object) for count, p in pieces])


def _shifted(town: Town, origin: Float) -> Float32:
    shift = town.origin - origin
    return town.points if not shift.any() else (town.points.astype(np.float64) + shift).astype(np.float32)


def _colors(town: Town) -> UInt8:
    return np.full((len(town.triangles), 4), 255, dtype=np.uint8) if town.colors is None else town.colors
