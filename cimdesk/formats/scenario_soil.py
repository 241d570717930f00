"""Soils of a scenario file: parameters of infiltration by class, in the table of the file or in a CSV."""

from __future__ import annotations

from cimdesk.base.errors import DataError
from cimdesk.formats.scenario_inputs import SoilInput
from cimdesk.formats.scenario_table import ScenarioTable
from cimdesk.formats.series import read_table

SOIL_MODELS = ("horton", "green-ampt")
_FIELDS = {
    "horton": (("initial_mm_h", 1 / 3.6e6), ("final_mm_h", 1 / 3.6e6), ("decay_per_h", 1 / 3600.0)),
    "green-ampt": (("conductivity_mm_h", 1 / 3.6e6), ("suction_mm", 1e-3), ("deficit", 1.0)),
}
"""Fields and what turns them into SI, in the order the engine takes them."""


def read_soil(table: ScenarioTable, model: str) -> SoilInput:
    """Return the soils of ``[surface.infiltration]``.

    Raises
    ------
    DataError
        If a parameter is missing or makes no sense, or there are several classes and nothing that says where.
    """
    fields = _FIELDS[model]
    if "table" in table.values:
        path = table.file("table")
        rows = []
        for line, row in enumerate(read_table(path, ("class", *(name for name, _ in fields))), start=2):
            try:
                values = [float(row[name]) * factor for name, factor in fields]
            except ValueError:
                raise DataError(path, "'{text}' is no row of numbers.", where=f"line {line}", text=",".join(row.values())) from None
            rows.append((row["class"].strip(), _checked(model, values, table)))
    else:
        rows = [("", _checked(model, [table.need(name, least=0.0) * factor for name, factor in fields], table))]
    source = table.file("source") if "source" in table.values else None
    if not rows or (source is None and len(rows) > 1):
        raise table.error(
            "source", "there are {count} soil classes and nothing that says where each is.",
            remedy="Name a raster or polygons as source.", count=len(rows),
        )  # fmt: skip
    if len(rows) > 256:
        raise table.error("table", "there are more than 256 soil classes.")
    return SoilInput(model, tuple(rows), source, str(table.take("column") or "class"))


def _checked(model: str, values: list[float], table: ScenarioTable) -> tuple[float, float, float]:
    first, second, third = values
    if min(values) < 0.0 or not all(value < float("inf") for value in values):
        raise table.error("", "infiltration has a negative parameter.")
    if model == "horton" and second > first:
        raise table.error("final_mm_h", "the final rate is above the initial one.")
    if model == "green-ampt" and third > 1.0:
        raise table.error("deficit", "the moisture deficit is a share between 0 and 1.")
    return first, second, third
