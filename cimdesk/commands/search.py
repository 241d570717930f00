"""Search in everything that is loaded: by identifier, name, address or any attribute, while one types; and by coordinates."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.base.crs import Crs
from cimdesk.base.errors import CimdeskError
from cimdesk.commands.session import Session
from cimdesk.model.columns import encode
from cimdesk.model.features import FeatureTable
from cimdesk.model.tileset import TiledCity

NAME_COLUMNS = ("name", "name_zh", "名称", "title")
PLACE_COLUMNS = ("address", "address_zh", "地址", "street", "street_zh")
"""Columns whose hits come before those of others: what a thing is called, then where it is."""
MOST = 40
SEPARATOR = "\n"


@dataclass
class _Column:
    """Distinct values of a column as one text that is searched as a whole.

    Attributes
    ----------
    text : str
        Case-folded, each value between line ends.
    starts : list of int
        Where each value begins in ``text``.
    rows : (N,) int64, offsets : (M + 1,) int64
        Rows of the table by value.
    """

    name: str
    text: str
    starts: list[int]
    rows: Int
    offsets: Int

    @staticmethod
    def of(name: str, values: AnyArray, start: int) -> _Column:
        if name == "":
            names, codes = [str(value) for value in values.tolist()], np.arange(len(values))
        else:
            encoded = encode(values)
            used, codes = np.unique(encoded.codes[start:], return_inverse=True)
            names = ["" if code < 0 else encoded.names[code] for code in used.tolist()]
            codes = codes.ravel()
        folded = [value.casefold().replace(SEPARATOR, " ") for value in names]
        lengths = np.fromiter(map(len, folded), dtype=np.int64, count=len(folded)) + 1
        offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
        starts = (np.cumsum(lengths) - lengths + 1).tolist()
        rows = np.argsort(codes, kind="stable") + start
        return _Column(name, SEPARATOR + SEPARATOR.join(folded) + SEPARATOR, starts, rows.astype(np.int64), offsets)

    def find(self, needle: str, most: int) -> list[tuple[int, int]]:
        """Return (rank, row) of values with ``needle``: 0 the whole value, 1 its beginning, 2 a word's, 3 anywhere."""
        found: dict[int, int] = {}
        for rank, pattern in ((0, SEPARATOR + needle + SEPARATOR), (1, SEPARATOR + needle), (2, " " + needle), (3, needle)):
            at = self.text.find(pattern)
            while at >= 0 and len(found) < most:
                value = bisect_right(self.starts, at + (1 if rank < 3 else 0)) - 1
                found.setdefault(value, rank)
                at = self.text.find(pattern, self.starts[value + 1] - 1 if value + 1 < len(self.starts) else len(self.text))
            if len(found) >= most:
                break
        out = [
            (rank, int(row))
            for value, rank in found.items()
            for row in self.rows[self.offsets[value] : self.offsets[value + 1]][:most]
        ]
        return sorted(out)[:most]


@dataclass
class LayerIndex:
    """The texts of one layer, in parts: features that came later are a part of their own."""

    table: FeatureTable
    parts: list[_Column] = field(default_factory=list)
    done: int = 0

    def extend(self, table: FeatureTable) -> None:
        """Take in the rows that the table has more than before; another table begins anew."""
        if len(table) < self.done or (self.done and table.ids[self.done - 1] != self.table.ids[self.done - 1]):
            self.parts, self.done = [], 0
        start, self.table = self.done, table
        if len(table) == start:
            return
        self.parts.append(_Column.of("", table.ids[start:], start))
        for name, values in table.columns.items():
            if values.dtype == object:
                self.parts.append(_Column.of(name, values, start))
        self.done = len(table)


@dataclass(frozen=True)
class Found:
    """A hit.

    Attributes
    ----------
    layer, feature : str
    column : str
        Where it was found; empty for the identifier.
    value : str
        The whole text of that attribute.
    rank : float
        The smaller, the better.
    """

    layer: str
    feature: str
    column: str
    value: str
    rank: float


class SearchIndex:
    """What can be found in a session; `update` follows it, `find` is quick enough for every key."""

    def __init__(self) -> None:
        self.layers: dict[str, LayerIndex] = {}

    def update(self, tables: dict[str, FeatureTable]) -> None:
        """Take in these tables by layer; layers that are not among them are forgotten."""
        for gone in [key for key in self.layers if key not in tables]:
            del self.layers[gone]
        for key, table in tables.items():
            known = self.layers.get(key)
            if known is None or known.table is not table:
                index = known or LayerIndex(table)
                index.extend(table)
                self.layers[key] = index

    def is_behind(self, tables: dict[str, FeatureTable]) -> bool:
        """Whether `update` with these tables would change anything."""
        return {key: id(index.table) for key, index in self.layers.items()} != {key: id(table) for key, table in tables.items()}

    def find(self, text: str, most: int = MOST) -> list[Found]:
        """Return the best hits of a text, of numbers too: identifiers, names and addresses before other attributes."""
        needle = " ".join(text.casefold().split())
        if not needle:
            return []
        best: dict[tuple[str, int], Found] = {}
        for layer, index in list(self.layers.items()):
            for part in index.parts:
                weight = _weight(part.name.removeprefix("attributes."))
                for rank, row in part.find(needle, most):
                    found = best.get((layer, row))
                    if found is None or rank + weight < found.rank:
                        feature = str(index.table.ids[row])
                        value = feature if part.name == "" else str(index.table.columns[part.name][row])
                        best[layer, row] = Found(layer, feature, part.name, value, rank + weight)
        return sorted(best.values(), key=lambda found: (found.rank, len(found.value), found.value))[:most]


def _weight(column: str) -> float:
    return 0.0 if not column else 0.2 if column.casefold() in NAME_COLUMNS else 0.6 if column.casefold() in PLACE_COLUMNS else 2.0


def tables_of(session: Session) -> dict[str, FeatureTable]:
    """Return the table of every layer that has one, the nodes of networks left out."""
    found = {layer.id: session.workspace.features(layer.id) for layer in session.workspace.layers()}
    return {key: table for key, table in found.items() if table is not None}


def not_loaded(session: Session) -> list[tuple[str, int, int]]:
    """Return (layer name, features seen, tiles) of each tileset that is streamed: what nobody has looked at cannot be found."""
    found = []
    for layer in session.workspace.layers():
        data = session.workspace.data(layer.id)
        if isinstance(data, TiledCity) and data.tiles is not None:
            contents = sum(1 for references in data.tiles.tileset.contents if references)
            found.append((layer.name, data.tiles.feature_count, contents))
    return found


_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_PAIR = re.compile(
    rf"^\s*(?:[A-Za-zΑ-Ω东北经纬度坐标]*[:：=]?\s*)?{_NUMBER}\s*(?:°|m|米)?\s*[NnEeSsWw]?\s*[,，;；\s]\s*"
    rf"(?:[A-Za-z东北经纬度]*[:：=]?\s*)?{_NUMBER}\s*(?:°|m|米)?\s*[NnEeSsWw]?\s*$"
)


def coordinates_of(session: Session, text: str) -> tuple[float, float] | None:
    """Return easting and northing in the project's reference system that a text means; None when it means none.

    Two numbers are easting and northing where they lie in or near the project; else longitude and latitude in degrees, in the
    order in which they come to lie in the project.
    """
    match = _PAIR.match(text)
    if match is None:
        return None
    first, second = float(match[1]), float(match[2])
    box = session.workspace.bounds()
    options = [(first, second), (second, first)]
    frame = session.workspace.frame
    if frame is not None and frame.crs is not None and max(abs(first), abs(second)) <= 180.0:
        options += [place for pair in options if (place := _from_degrees(frame.crs, *pair)) is not None]
    if not np.isfinite(box[:, :2]).all():
        return options[0]
    size = max(float(np.max(box[1, :2] - box[0, :2])), 100.0)
    near = [(float(_away(box, place)), place) for place in options]
    best = min(near, key=lambda item: item[0])
    return best[1] if best[0] <= 50.0 * size else None


def _away(box: Float, place: tuple[float, float]) -> float:
    point = np.array(place)
    return float(np.hypot(*(np.maximum(np.maximum(box[0, :2] - point, point - box[1, :2]), 0.0))))


def _from_degrees(crs: Crs, longitude: float, latitude: float) -> tuple[float, float] | None:
    if abs(latitude) > 90.0:
        return None
    try:
        point = Crs("EPSG:4326").transform(crs, np.array([[longitude, latitude, 0.0]]))[0]
    except CimdeskError:
        return None
    return (float(point[0]), float(point[1])) if np.isfinite(point[:2]).all() else None
