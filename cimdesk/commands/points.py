"""Point clouds: how they are drawn, as one undoable edit, and their preparation after a first glance."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from cimdesk.base.crs import Crs
from cimdesk.base.errors import EditError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.commands.history import Edit
from cimdesk.commands.placing import place
from cimdesk.commands.session import Session
from cimdesk.commands.tiled import address_of, read_source
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.model.document import Changes
from cimdesk.model.layers import LayerKind
from cimdesk.model.point_style import HIDDEN_CLASSES
from cimdesk.model.points import PointCloud
from cimdesk.model.style import Style
from cimdesk.services.address_keys import with_keys


def set_point_style(session: Session, layer_id: str, style: Style, hidden_classes: Collection[int] = ()) -> Changes:
    """Draw a point cloud in another style, without the points of some classes.

    Raises
    ------
    EditError
        If the layer is no point cloud.
    """
    layer = session.workspace.layer(layer_id)
    if layer.kind is not LayerKind.POINTS:
        raise EditError("{name} is no point cloud.", name=layer.name)
    options = {name: value for name, value in layer.options.items() if name != HIDDEN_CLASSES}
    if hidden_classes:
        options[HIDDEN_CLASSES] = sorted(hidden_classes)
    record = session.workspace.document.update("layer", layer_id, style=style.to_record(), options=options)
    return session.do(Edit(tr("Style of {name}").format(name=layer.name), (record,)))


def prepare_glances(session: Session, layer_ids: Iterable[str]) -> None:
    """Begin to prepare, in the background, the clouds of which only a glance has been read."""
    for layer_id in layer_ids:
        data = session.workspace.data(layer_id)
        if isinstance(data, PointCloud) and data.is_glance:
            session.run(_prepare_job(session, layer_id))


def _prepare_job(session: Session, layer_id: str) -> JobSpec[ReadResult]:
    layer = session.workspace.layer(layer_id)
    address = address_of(layer.source)
    path = session.base_dir / layer.source if address is None else Path(with_keys(address))
    crs = Crs.parse(layer.crs)

    def work(progress: Progress, cancel: CancelToken) -> ReadResult:
        return read_source(path, ReadOptions(crs=crs, progress=progress, cancel=cancel), streams=False)

    def done(result: ReadResult) -> None:
        workspace = session.workspace
        frame = workspace.frame
        if workspace.document.get("layer", layer_id) is None or frame is None:
            return
        (source,) = result.sources
        workspace.apply((), {layer_id: place(source.data, source.crs or crs, frame)})
        workspace.set_problems(layer_id, result.problems)
        for problem in result.problems:
            session.messages.emit((layer_id, problem))

    return JobSpec(tr("Preparing {name}").format(name=layer.name), work, done, key=f"points:{layer_id}")
