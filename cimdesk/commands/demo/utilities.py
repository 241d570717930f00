"""Gas, power and telecom of the demo city: lines below the streets, each at its own depth and side of the axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.commands.demo.ground_plan import write_layer
from cimdesk.commands.demo.plan import Plan
from cimdesk.commands.demo.streets import StreetGraph, Stretch
from cimdesk.model.terrain import Terrain


@dataclass(frozen=True)
class Utility:
    """How one utility is laid.

    Attributes
    ----------
    offset : float
        From the street axis, in plan u and v [m].
    depth : float
        Cover to the axis [m].
    kinds : mapping of street class to attributes
        Classes that have the utility.
    """

    name: str
    prefix: str
    offset: float
    depth: float
    owner: str
    kinds: Mapping[str, Mapping[str, Any]]


UTILITIES = (
    Utility(
        "gas", "TR", -5.0, 1.1, "Guangzhou Gas Group 广州燃气集团",
        {
            "arterial": {"material": "steel", "diameter_mm": 400, "pressure": "medium A 0.4 MPa"},
            "secondary": {"material": "PE100", "diameter_mm": 250, "pressure": "medium A 0.4 MPa"},
            "local": {"material": "PE80", "diameter_mm": 110, "pressure": "low 3 kPa"},
        },
    ),
    Utility(
        "power", "GD", 7.0, 0.8, "Guangzhou Power Supply 广州供电局",
        {
            "arterial": {"material": "XLPE, 12-duct bank", "diameter_mm": 600, "voltage_kv": 110.0},
            "secondary": {"material": "XLPE, 9-duct bank", "diameter_mm": 400, "voltage_kv": 10.0},
            "local": {"material": "XLPE", "diameter_mm": 150, "voltage_kv": 10.0},
        },
    ),
    Utility(
        "telecom", "XX", -7.5, 0.7, "China Telecom / Unicom / Mobile 三大运营商",
        {
            "arterial": {"material": "PVC, 12 ducts", "diameter_mm": 450, "fibres": 576},
            "secondary": {"material": "PVC, 9 ducts", "diameter_mm": 350, "fibres": 288},
            "local": {"material": "PVC, 4 ducts", "diameter_mm": 220, "fibres": 96},
        },
    ),
)  # fmt: skip


def write_utilities(folder: Path, plan: Plan, graph: StreetGraph, terrain: Terrain) -> dict[str, int]:
    """Write ``gas.gpkg``, ``power.gpkg`` and ``telecom.gpkg``; return how many lines each has."""
    counts = {}
    for k, utility in enumerate(UTILITIES):
        rng = np.random.default_rng([plan.seed, 9, k])
        counts[utility.name] = _write(folder / f"{utility.name}.gpkg", utility, plan, graph, terrain, rng)
    return counts


def _write(path: Path, utility: Utility, plan: Plan, graph: StreetGraph, terrain: Terrain, rng: np.random.Generator) -> int:
    from shapely import linestrings

    lines: list[Any] = []
    rows: list[dict[str, Any]] = []
    for stretch in graph.stretches:
        kind = utility.kinds.get(stretch.street.line.kind)
        # A tenth of the local streets do without gas.
        if kind is None or (utility.name == "gas" and stretch.street.line.kind == "local" and rng.random() < 0.1):
            continue
        path_ = _path(plan, stretch, utility.offset)
        z = np.round(terrain.sample(path_) - utility.depth, 3)
        lines.append(linestrings(np.column_stack([np.round(path_, 3), z])))
        year = int(rng.integers(1994, 2025))
        rows.append(
            {
                "id": f"{utility.prefix}-{len(rows) + 1:04d}",
                "utility": utility.name,
                "owner": utility.owner,
                "street": stretch.street.line.en,
                **kind,
                "depth_m": utility.depth,
                "year": year,
                "condition": int(np.clip(round((2026 - year) / 8.0 + float(rng.normal(0.6, 0.7))), 1, 5)),
                "survey_quality": str(rng.choice(["A", "B", "B", "C", "D"])),
            }
        )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    write_layer(path, utility.name, lines, columns, "LineString Z")
    return len(lines)


def _path(plan: Plan, stretch: Stretch, offset: float) -> Float:
    """Return (P, 2) world points of a stretch moved by the same plan offset at both ends, so that lines meet at crossings."""
    start, end = stretch.start + offset, stretch.end + offset
    along = np.linspace(start, end, max(2, int((end - start) / 40.0) + 1))
    return plan.street_points(stretch.street, along, offset)
