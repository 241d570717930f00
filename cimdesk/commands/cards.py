"""Cards of datasets: what can be told of a layer by itself, what a person says, the grade, and who has surveyed a place already."""

from __future__ import annotations

import re
import time
import tomllib
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int
from cimdesk.base.errors import Problem, Severity, UsageError
from cimdesk.base.i18n import current_language, tr
from cimdesk.base.paths import resource_dir
from cimdesk.base.units import format_area, parse_time
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.cim import CARD, LEVELS, CardGrade, CimCard, Currency, grade
from cimdesk.model.city import CityModel
from cimdesk.model.document import Changes
from cimdesk.model.features import VectorLayer
from cimdesk.model.layers import TILED_FROM, Layer, LayerKind
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData, Workspace, bounds_of

CELL = 50.0
"""Side of the squares in which two datasets are compared [m]."""
MOST_CELLS = 250_000
MOST_POINTS = 400_000
OVERLAP = 0.2
"""Share of a dataset that must lie on another one before anybody is warned."""
_LEVEL_OF_LOD = {0: 1, 1: 2, 2: 3, 3: 4, 4: 5}
_CATEGORY_OF_KIND = {
    LayerKind.NETWORK: "resources", LayerKind.SENSORS: "sensing", LayerKind.FLOOD: "results",
}  # fmt: skip
_PLANNING = ("plan", "zoning", "parcel", "landuse", "land_use", "规划", "地块", "用地")
_LICENCES = ("licence", "license", "copyright", "rights", "dataLicense", "许可")
_SOURCES = ("source", "lineage", "pointOfContact", "provider", "author", "title")
_DATES = ("referenceDate", "datasetReferenceDate", "date", "lastRevision", "surveyDate", "creationDate")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((resource_dir() / "standards" / "cim.toml").read_text(encoding="utf-8"))


def levels() -> list[tuple[int, str]]:
    """Return number and name of every CIM level, in the current language."""
    return [(int(row["number"]), f"CIM{row['number']} {_named(row)}") for row in _table()["level"]]


def level_content(number: int) -> str:
    """Return what the standard's table says of a level; empty for none."""
    return next((str(row["content"]) for row in _table()["level"] if row["number"] == number), "")


def categories() -> list[tuple[str, str]]:
    """Return code and name of every category of data, in the current language."""
    return [(str(row["code"]), _named(row)) for row in _table()["category"]]


def level_name(number: int) -> str:
    """Return the name of a level, such as ``CIM2 frame model``; a dash for none."""
    return dict(levels()).get(number, "–")


def category_name(code: str) -> str:
    """Return the name of a category; a dash for none."""
    return dict(categories()).get(code, "–")


def _named(row: Mapping[str, Any]) -> str:
    return str(row["chinese"] if current_language().startswith("zh") else row["name"])


def card_of(workspace: Workspace, layer: Layer) -> CimCard:
    """Return the card of a layer: what can be told from its data, with what a person has said instead."""
    said = layer.options.get(CARD)
    return derived_card(layer, workspace.data(layer.id)).edited(said if isinstance(said, dict) else {})


def derived_card(layer: Layer, data: LayerData | None) -> CimCard:
    """Return what the data itself tells for its card."""
    return _looked_at(layer, data)[0]


_SEEN: dict[str, tuple[weakref.ref[Any], tuple[str, ...], tuple[CimCard, float | None]]] = {}
"""What was found by looking through the data of a layer, as long as it is the same data."""


def _looked_at(layer: Layer, data: LayerData | None) -> tuple[CimCard, float | None]:
    """Return the card that the data tells and the share of its objects that are drawn; looking through a city takes a moment."""
    if data is None:
        return _told(layer, data), None
    key = (layer.name, layer.source, layer.part, current_language())
    seen = _SEEN.get(layer.id)
    if seen is not None and seen[0]() is data and seen[1] == key:
        return seen[2]
    found = _told(layer, data), _share_drawn(data)
    _SEEN[layer.id] = weakref.ref(data), key, found
    return found


def _told(layer: Layer, data: LayerData | None) -> CimCard:
    about = _metadata(data)
    licence = _first_text(about, _LICENCES)
    source = _first_text(about, _SOURCES) or _file_of(layer)
    found = _DATE.match(_first_text(about, _DATES))
    return CimCard(
        _level(layer, data),
        _category(layer, data),
        source,
        found[0] if found else "",
        licence,
        _accuracy(data),
        _coverage(data),
    )


def _file_of(layer: Layer) -> str:
    """Return the name of the file a layer is read from, or its tiles were made of."""
    made_of = str(layer.options.get(TILED_FROM) or "")
    name = Path((made_of or layer.source).replace("\\", "/")).name
    return tr("Tiled from {name}").format(name=name) if made_of else name


def set_card(session: Session, layer_id: str, card: CimCard) -> Changes:
    """Keep what a person says on the card of a layer; undoable. Fields that say what the data says itself are not kept.

    Raises
    ------
    UsageError
        If the level, the category or the date is none.
    """
    layer = session.workspace.layer(layer_id)
    if not 0 <= card.level <= LEVELS:
        raise UsageError("There is no CIM level {number}; they go from 1 to 7.", number=card.level)
    if card.category and card.category not in dict(categories()):
        codes = ", ".join(code for code, _ in categories())
        raise UsageError("There is no category of data {name}; there are {names}.", name=card.category, names=codes)
    if card.date and surveyed_at(card.date) is None:
        raise UsageError("{text} is no date; write 2024, 2024-06 or 2024-06-07.", text=card.date)
    kept = card.changes_from(derived_card(layer, session.workspace.data(layer_id)))
    options = {name: value for name, value in layer.options.items() if name != CARD} | ({CARD: kept} if kept else {})
    record = session.workspace.document.update("layer", layer_id, options=options)
    if record.after == record.before:
        return Changes()
    return session.do(Edit(tr("Card of {name}").format(name=layer.name), (record,)))


def grade_of(workspace: Workspace, layer: Layer, now: float | None = None) -> CardGrade:
    """Return how complete and how current a layer is."""
    card = card_of(workspace, layer)
    row = next((row for row in _table()["category"] if row["code"] == card.category), {"current": 1.0, "ageing": 3.0})
    errors = sum(problem.severity is Severity.ERROR for problem in workspace.problems(layer.id))
    limits = (float(row["current"]), float(row["ageing"]))
    share = _looked_at(layer, workspace.data(layer.id))[1]
    return grade(card, time.time() if now is None else now, surveyed_at(card.date), limits, share, errors)


def reasons(found: CardGrade) -> list[str]:
    """Return why a grade is what it is, in the current language."""
    said: list[str] = []
    if found.missing:
        said.append(tr("Not filled in: {fields}").format(fields=", ".join(tr(_FIELD_NAMES[name]) for name in found.missing)))
    if found.age is None:
        said.append(tr("Nobody knows when it was surveyed."))
    elif found.currency is Currency.CURRENT:
        said.append(tr("Surveyed {years} years ago: current for its category.").format(years=f"{found.age:.1f}"))
    else:
        said.append(tr("Surveyed {years} years ago: too long for its category.").format(years=f"{found.age:.1f}"))
    if found.share_drawn is not None and found.share_drawn < 0.99:
        said.append(tr("{share} of its objects have no geometry.").format(share=f"{1.0 - found.share_drawn:.0%}"))
    if found.errors:
        said.append(tr("{count} errors were found while reading it.").format(count=found.errors))
    return said


_FIELD_NAMES = {
    "level": "CIM level", "category": "Category", "source": "Source", "date": "Date", "licence": "Licence", "accuracy": "Accuracy",
    "coverage": "Coverage",
}  # fmt: skip
CURRENCY_NAMES = {
    Currency.CURRENT: "current", Currency.AGEING: "ageing", Currency.OUTDATED: "outdated", Currency.UNKNOWN: "age unknown",
}  # fmt: skip


def field_name(name: str) -> str:
    """Return the name of a field of the card in the current language."""
    return tr(_FIELD_NAMES[name])


def plain_card(workspace: Workspace, layer: Layer) -> dict[str, Any]:
    """Return card and grade of a layer as the command line prints them."""
    card, found = card_of(workspace, layer), grade_of(workspace, layer)
    return {
        "cim_level": card.level or None, "category": card.category, "source": card.source, "date": card.date or None,
        "licence": card.licence or None, "accuracy": card.accuracy or None, "coverage": card.coverage or None,
        "grade": found.letter, "completeness": round(found.completeness, 3), "currency": str(found.currency),
        "reasons": reasons(found),
    }  # fmt: skip


def surveyed_at(text: str) -> float | None:
    """Return POSIX seconds of a date, a month or a year; None for anything else."""
    found = _DATE.fullmatch(text.strip()[:10]) if text else None
    if found is None:
        return None
    whole = {4: "-07-01", 7: "-15"}.get(len(found[0]), "")
    try:
        return parse_time(found[0] + whole)
    except ValueError:
        return None


@dataclass(frozen=True)
class Dataset:
    """A layer of a project with its data and card, held still for a job."""

    layer: Layer
    data: LayerData
    card: CimCard


def datasets(workspace: Workspace, among: Iterable[str] | None = None) -> tuple[Dataset, ...]:
    """Return the layers that have data, or those ``among`` them."""
    layers = [workspace.layer(key) for key in among] if among is not None else workspace.layers()
    loaded = [(layer, workspace.data(layer.id)) for layer in layers]
    return tuple(Dataset(layer, data, card_of(workspace, layer)) for layer, data in loaded if data is not None)


def alike(new: Dataset, others: Iterable[Dataset]) -> tuple[Dataset, ...]:
    """Return the datasets that are about the same subject and of the same category as ``new``."""
    subject = _subject(new.layer, new.data)
    if subject is None:
        return ()
    same = [other for other in others if other.layer.id != new.layer.id and other.card.category == new.card.category]
    return tuple(other for other in same if _is_alike(subject, _subject(other.layer, other.data)))


def surveyed_by(new: Dataset, others: Iterable[Dataset]) -> tuple[Problem, ...]:
    """Return a warning for each other dataset that is alike and covers the same place; all lie in the same frame."""
    shares = [(other, overlap(new.data, other.data)) for other in alike(new, others)]
    return tuple(
        Problem(
            Severity.WARNING,
            "surveyed-already",
            new.layer.name,
            "Already surveyed here: {share} of it lies on {name}, which is of the same category.",
            {"share": f"{share:.0%}", "name": other.layer.name},
        )
        for other, share in shares
        if share >= OVERLAP
    )


def surveyed_already(workspace: Workspace, layer_id: str, among: Iterable[str] | None = None) -> tuple[Problem, ...]:
    """Return a warning for each other layer of the same subject and category that covers the same place.

    Parameters
    ----------
    among : iterable of str, optional
        Layers to compare with; all others by default.
    """
    (new, *_) = datasets(workspace, [layer_id]) or (None,)
    return () if new is None else surveyed_by(new, datasets(workspace, among))


def overlap(data: LayerData, other: LayerData) -> float:
    """Return the share of ``data``'s squares in which ``other`` has something too."""
    boxes = [bounds_of(each)[:, :2] for each in (data, other)]
    if not all(np.isfinite(box).all() for box in boxes):
        return 0.0
    if (boxes[0][0] > boxes[1][1]).any() or (boxes[1][0] > boxes[0][1]).any():
        return 0.0
    spans = [float(np.prod(np.maximum(box[1] - box[0], CELL))) for box in boxes]
    cell = max(CELL, float(np.sqrt(max(spans) / MOST_CELLS)))
    mine, theirs = (_cells(each, box, cell) for each, box in zip((data, other), boxes, strict=True))
    return float(np.isin(mine, theirs).mean()) if len(mine) else 0.0


def _cells(data: LayerData, box: Float, cell: float) -> Int:
    """Return the squares in which there is something, each as one number."""
    points = _points(data)
    if points is None:
        low, high = np.floor(box / cell).astype(np.int64)
        x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        columns, rows = x.ravel(), y.ravel()
    else:
        step = max(1, len(points) // MOST_POINTS)
        usable = points[::step]
        columns, rows = np.floor(usable[np.isfinite(usable).all(axis=1)] / cell).astype(np.int64).T
    return np.unique(columns * (1 << 31) + rows)


def _points(data: LayerData) -> AnyArray | None:
    """Return (N, 2) places where the data is; None for what fills its box."""
    if isinstance(data, TiledCity) and data.tiles is None:
        data = data.city
    if isinstance(data, CityModel):
        parts = [mesh.world_vertices()[:, :2] for mesh in data.meshes.values()]
        return np.concatenate(parts) if parts else np.zeros((0, 2))
    if isinstance(data, VectorLayer):
        return data.shapes.coordinates[:, :2]
    if isinstance(data, UtilityNetwork):
        return data.positions[:, :2]
    return None


def _subject(layer: Layer, data: LayerData | None) -> tuple[str, frozenset[str]] | None:
    """Return what a dataset is about, with what else must be alike; None for what is never surveyed twice."""
    if layer.kind in (LayerKind.BUILDINGS, LayerKind.TILES):
        types = data.features.columns.get("type") if isinstance(data, CityModel) else None
        return "city", frozenset() if types is None else frozenset(str(t).removesuffix("Part") for t in set(types.tolist()))
    if isinstance(data, UtilityNetwork):
        return f"network {data.utility}", frozenset()
    if isinstance(data, VectorLayer):
        return f"vector {int(data.shapes.kind)}", frozenset(name.casefold() for name in data.features.columns)
    if layer.kind in (LayerKind.TERRAIN, LayerKind.POINTS):
        return str(layer.kind), frozenset()
    return None


def _is_alike(subject: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]] | None) -> bool:
    if other is None or subject[0] != other[0]:
        return False
    if not subject[0].startswith("vector"):
        # Buildings on a model of trees are no second survey; where nobody tells what a model holds, it may be one.
        return not subject[1] or not other[1] or bool(subject[1] & other[1])
    both = subject[1] | other[1]
    return len(subject[1] & other[1]) >= 0.5 * len(both)


def _level(layer: Layer, data: LayerData | None) -> int:
    """Return the CIM level that the content of a layer speaks for; 0 where the standard has none."""
    city = data.city if isinstance(data, TiledCity) else data
    types = _types(city)
    if any(name.startswith("Ifc") for name in types):
        return 6
    if layer.kind in (LayerKind.TERRAIN, LayerKind.IMAGERY, LayerKind.VECTOR):
        return 1
    if layer.kind is LayerKind.NETWORK:
        return 4
    if isinstance(city, CityModel) and (layer.kind is LayerKind.BUILDINGS):
        if types & {"BuildingRoom", "Room", "BuildingStorey", "BuildingUnit", "BuildingFurniture"}:
            return 5
        numbers = [int(name[0]) for name in city.lods if name[:1].isdigit()]
        return _LEVEL_OF_LOD.get(max(numbers), 3) if numbers else 3 if city.lods else 1
    return 3 if layer.kind in (LayerKind.TILES, LayerKind.POINTS) else 0


def _category(layer: Layer, data: LayerData | None) -> str:
    city = data.city if isinstance(data, TiledCity) else data
    if any(name.startswith("Ifc") for name in _types(city)):
        return "construction"
    if layer.kind is LayerKind.VECTOR:
        words = f"{layer.name} {layer.source} {layer.part}".casefold()
        return "planning" if any(word in words for word in _PLANNING) else "base"
    return _CATEGORY_OF_KIND.get(layer.kind, "base")


def _types(data: LayerData | None) -> set[str]:
    if not isinstance(data, CityModel):
        return set()
    column = data.features.columns.get("type")
    return set() if column is None else {str(name) for name in set(column.tolist())}


def _accuracy(data: LayerData | None) -> str:
    if isinstance(data, Terrain):
        cell = data.cell_x if data.source is None else float(getattr(data.source, "cell_x", data.cell_x))
        return tr("cells of {size} m").format(size=f"{cell:g}")
    return ""


def _coverage(data: LayerData | None) -> str:
    """Return the size of the box a dataset fills, in words."""
    if data is None:
        return ""
    box = bounds_of(data)[:, :2]
    if not np.isfinite(box).all():
        return ""
    width, depth = (float(v) for v in box[1] - box[0])
    if width < 400.0 and depth < 200.0 and np.abs(box[:, 1]).max() <= 90.0 and np.abs(box[:, 0]).max() <= 360.0:
        return f"{width:.3f}° × {depth:.3f}°"
    return f"{width / 1000.0:,.2f} × {depth / 1000.0:,.2f} km, {format_area(width * depth)}"


def _share_drawn(data: LayerData | None) -> float | None:
    """Return the share of objects that have geometry, themselves or through their parts."""
    if not isinstance(data, CityModel) or not len(data.features):
        return None
    drawn = np.zeros(len(data.features), dtype=bool)
    for mesh in data.meshes.values():
        drawn[mesh.feature_index] = True
    up = data.parents.astype(np.int64)
    for _ in range(8):
        mine = np.flatnonzero(drawn & (up >= 0))
        if not len(mine) or drawn[up[mine]].all():
            break
        drawn[up[mine]] = True
    types = data.features.columns.get("type")
    if types is not None:
        drawn |= types == "CityObjectGroup"
    return float(drawn.mean())


def _metadata(data: LayerData | None) -> Mapping[str, Any]:
    if isinstance(data, CityModel):
        return data.metadata
    if isinstance(data, TiledCity):
        said = data.tileset.metadata
        asset = said.get("asset") if isinstance(said.get("asset"), dict) else {}
        return {**said, **(asset or {})}
    return {}


def _first_text(about: Mapping[str, Any], names: Iterable[str]) -> str:
    for name in names:
        value = about.get(name)
        if isinstance(value, dict):
            value = value.get("contactName") or value.get("name") or value.get("organization")
        if isinstance(value, str) and value.strip():
            return value.strip()[:200]
    return ""
