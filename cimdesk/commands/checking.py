"""Tell what a file holds and everything that is wrong with it, without adding it to anything."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.errors import CimdeskError, DataError, Problem, ProjectError, ServiceError, Severity
from cimdesk.commands.cards import derived_card
from cimdesk.commands.folders import files_in, is_plain_folder
from cimdesk.commands.projects import is_project, open_project
from cimdesk.commands.tiled import address_of, check_source
from cimdesk.formats.registry import ReadOptions, Source
from cimdesk.formats.scenario import read_scenario
from cimdesk.formats.scenario_measures import read_measures
from cimdesk.formats.scenario_table import read_toml
from cimdesk.model.cim import CARD
from cimdesk.model.layers import Layer

SCENARIO_SUFFIX = ".toml"


def check(path: Path, options: ReadOptions | None = None) -> dict[str, Any]:
    """Return the report of one file, folder or http(s) address with the keys of the command line's ``check --json``.

    Never raises for a bad file: ``readable`` is then false and ``problems`` says why.
    """
    report: dict[str, Any] = {
        "path": address_of(path) or str(path), "format": None, "version": None, "crs": None, "objects": {}, "extent": None,
        "layers": [], "problems": [], "readable": False,
    }  # fmt: skip
    try:
        if address_of(path) is None and is_project(path):
            return {**report, **_project_report(path)}
        if address_of(path) is None and path.suffix.lower() == SCENARIO_SUFFIX:
            return {**report, **_scenario_report(path)}
        if address_of(path) is None and is_plain_folder(path):
            files_in(path)  # tells when nothing in it can be opened
        result = check_source(path, options or ReadOptions())
    except ServiceError as error:
        report["problems"] = [_refusal(error, "unreachable")]
        return report
    except (DataError, ProjectError) as error:
        report["problems"] = [_refusal(error)]
        return report
    report.update(
        format=result.format,
        version=result.version,
        crs=result.crs,
        objects=dict(result.objects),
        extent=None if result.extent is None else plain_extent(result.extent),
        layers=[{"name": source.name, "kind": str(source.kind), "card": _source_card(source)} for source in result.sources],
        problems=[plain_problem(problem) for problem in result.problems],
        readable=True,
    )
    return report


def _project_report(path: Path) -> dict[str, Any]:
    """Return what a project decides: its layers as they are named, and how much else it keeps."""
    session = open_project(path, read_only=True)
    try:
        document = session.workspace.document
        layers = session.workspace.layers()
        frame = session.workspace.frame
        return {
            "format": "cimdesk project",
            "crs": frame.crs.definition if frame is not None and frame.crs is not None else None,
            "objects": {
                "layers": len(layers), "bookmarks": len(document.records("bookmark")), "results": len(document.records("result")),
            },
            "layers": [
                # The data is not loaded for this: only what somebody has written on its card is known.
                {"name": layer.name, "kind": str(layer.kind), "card": dict(layer.options.get(CARD) or {})}
                for layer in layers
            ],
            "readable": True,
        }  # fmt: skip
    finally:
        session.close()


def _scenario_report(path: Path) -> dict[str, Any]:
    """Return what a scenario asks for, or a file of measures alone holds."""
    tables = read_toml(path)
    if "measure" in tables and "scenario" not in tables:
        return {"format": "cimdesk measures", "objects": {"measures": len(read_measures(path))}, "readable": True}
    scenario = read_scenario(path)
    counts = {
        "rain": len(scenario.rain), "inflows": len(scenario.inflows), "boundaries": len(scenario.boundaries),
        "gauges": len(scenario.gauges) + len(scenario.lines), "measures": len(scenario.measures),
    }  # fmt: skip
    return {"format": "cimdesk scenario", "objects": {kind: count for kind, count in counts.items() if count}, "readable": True}


def _source_card(source: Source) -> dict[str, Any]:
    """Return what a source tells for its card: CIM level, category, date, licence and so on."""
    layer = Layer("", source.name, source.kind, source.name, options=source.options)
    return {name: value or None for name, value in asdict(derived_card(layer, source.data)).items() if name != "source"}


def plain_problem(problem: Problem) -> dict[str, str]:
    """Return a problem as the command line prints it."""
    return {"severity": str(problem.severity), "code": problem.code, "where": problem.where, "message": problem.message}


def plain_extent(extent: Float) -> list[float | None]:
    """Return [min x, min y, min z, max x, max y, max z]; None for unknown heights."""
    return [float(value) if math.isfinite(value) else None for value in np.asarray(extent, dtype=np.float64).ravel()]


def _refusal(error: CimdeskError, code: str = "unreadable") -> dict[str, str]:
    message = f"{error.message} {error.remedy}".strip()
    return {"severity": str(Severity.ERROR), "code": code, "where": error.where, "message": message}
