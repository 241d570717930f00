"""Footprints with heights become buildings: a layer of their own, read from the same file and raised whenever it is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cimdesk.base.errors import Problem, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands.extruding_large import are_too_many, tiles_job
from cimdesk.commands.ground import ground_of, grounded
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.formats.extrusion import EXTRUDE, Extrusion, extrude, guessed_height, number_columns
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadResult, Source
from cimdesk.model.appearance import default_style
from cimdesk.model.city import CityModel
from cimdesk.model.document import RecordChange
from cimdesk.model.features import ShapeKind, VectorLayer
from cimdesk.model.layers import Layer, LayerKind, new_layer_id
from cimdesk.model.terrain import ON_GROUND, Terrain
from cimdesk.model.workspace import LayerData

__all__ = ["Extrusion", "can_be_extruded", "extrude_job", "extrude_layer", "guessed_height", "number_columns", "with_bodies"]


def can_be_extruded(data: LayerData | None) -> bool:
    """Whether a layer's data has outlines that can become buildings."""
    return isinstance(data, VectorLayer) and data.shapes.kind is ShapeKind.POLYGON


def extrude_job(session: Session, layer_id: str, extrusion: Extrusion, on_ground: bool = False) -> JobSpec[Any]:
    """Return the job that adds the outlines of a layer as a layer of buildings, in one undoable step.

    In a window, buildings that are too many to be held are tiled and streamed.

    Parameters
    ----------
    layer_id : str
        A layer of polygons.
    extrusion : Extrusion
    on_ground : bool
        Whether the buildings stand on the terrain instead of at the heights of their outlines.

    Raises
    ------
    UsageError
        If the layer has no polygons, a column is not there, or there is no terrain to stand on.
    """
    workspace = session.workspace
    layer, data = workspace.layer(layer_id), workspace.data(layer_id)
    if not isinstance(data, VectorLayer) or not can_be_extruded(data):
        raise UsageError("{name} has no outlines that could become buildings.", name=layer.name)
    for column in (extrusion.height, extrusion.base):
        if column and column not in data.features.columns:
            names = ", ".join(number_columns(data.features)) or tr("none")
            raise UsageError("There is no column {name}; columns of numbers are {names}.", name=column, names=names)
    terrain = ground_of(workspace) if on_ground else None
    if on_ground and terrain is None:
        raise UsageError("There is no terrain to set buildings down on.", remedy="Add one first.")
    if are_too_many(session, layer, data):
        return tiles_job(session, layer, data, extrusion, terrain, _name_of(layer))
    findings = Findings()

    def work(progress: Progress, cancel: CancelToken) -> CityModel:
        progress(0.1)
        city = extrude(data, extrusion, findings)
        cancel.raise_if_cancelled()
        return _on_terrain(city, terrain)

    def done(city: CityModel) -> None:
        _add(session, layer, extrusion, on_ground, city, tuple(findings.problems()))

    return JobSpec(tr("Extruding {name}").format(name=layer.name), work, done)


def extrude_layer(
    session: Session, layer_id: str, extrusion: Extrusion, on_ground: bool = False, progress: Progress = no_progress
) -> str:
    """Add the outlines of a layer as buildings now; return the new layer. Raises as `extrude_job`."""
    before = set(session.workspace.document.records("layer"))
    job = extrude_job(session, layer_id, extrusion, on_ground)
    city = job.work(progress, CancelToken())
    if job.done is not None:
        job.done(city)
    return next(key for key in session.workspace.document.records("layer") if key not in before)


def with_bodies(result: ReadResult, layer: Layer) -> ReadResult:
    """Return what a file gave with the outlines of an extruded layer as buildings; as it is for other layers."""
    extrusion = Extrusion.of(layer.options)
    if extrusion is None or layer.kind is not LayerKind.BUILDINGS:
        return result
    findings = Findings()
    sources: list[Source] = []
    for source in result.sources:
        data = source.data
        if isinstance(data, VectorLayer) and can_be_extruded(data) and source.part == layer.part:
            city = extrude(data, extrusion, findings)
            sources.append(replace(source, kind=LayerKind.BUILDINGS, data=city, options=layer.options))
        else:
            sources.append(source)
    return replace(result, sources=tuple(sources), problems=(*result.problems, *findings.problems()))


def _on_terrain(city: CityModel, terrain: Terrain | None) -> CityModel:
    if terrain is None:
        return city
    moved = grounded(city, terrain)
    assert isinstance(moved, CityModel)
    return moved


def _name_of(layer: Layer) -> str:
    # The table of areas in a file of OpenStreetMap has a name that tells nobody anything.
    told = Path(layer.source).name.split(".")[0] if layer.part.partition("#")[0] == "multipolygons" else layer.name
    return tr("{name} as buildings").format(name=told)


def _add(
    session: Session, layer: Layer, extrusion: Extrusion, on_ground: bool, city: CityModel, problems: tuple[Problem, ...]
) -> None:
    document = session.workspace.document
    name = _name_of(layer)
    key = new_layer_id(document.records("layer"), name)
    options = {**layer.options, EXTRUDE: extrusion.to_record(), **({ON_GROUND: True} if on_ground else {})}
    made = Layer(
        key, name, LayerKind.BUILDINGS, layer.source, layer.part, layer.crs, order=float(len(document.records("layer"))),
        style=default_style(LayerKind.BUILDINGS, city), options=options,
    )  # fmt: skip
    label = tr("Extrude {name}").format(name=layer.name)
    session.do(Edit(label, (RecordChange("layer", key, None, made.to_record()),), {key: city}))
    session.workspace.set_problems(key, problems)
    for problem in problems:
        session.messages.emit((key, problem))
