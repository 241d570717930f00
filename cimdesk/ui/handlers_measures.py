"""What the measures of the Flood menu do: draw one in the view, unblock drains, run a flood again with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.commands import measures
from cimdesk.model.flood import FloodResult
from cimdesk.ui.desk import Desk
from cimdesk.ui.draw_card import DrawCard
from cimdesk.ui.draw_tool import Drawing, Snapping
from cimdesk.ui.needs import flood_results, is_pipe

if TYPE_CHECKING:
    from cimdesk.base.jobs import JobSpec
    from cimdesk.commands.flood_apart import ApartRun
    from cimdesk.model.measures import Places

NODE = "node:"


def draw(desk: Desk, kind: str) -> None:
    """Draw a measure of a kind in the view."""
    if desk.view is None or desk.view.scene is None:
        return
    parent = shown_flood(desk)
    grid = None if parent is None else parent[1].terrain
    cell, corner = (0.0, (0.0, 0.0)) if grid is None else (grid.cell_x, (grid.west, grid.north))
    workspace = desk.session.workspace

    def done(drawing: Drawing) -> None:
        points = tuple((x, y) for x, y, _ in drawing.points)
        key = desk.attempt(measures.draw, desk.session, drawing.kind, points, drawing.numbers)
        if desk.view is not None:
            desk.view.set_tool("pick")
        if key is not None and desk.shell is not None:
            desk.shell.panels.show_tab("measures")

    snapping = Snapping(workspace, cell, corner)
    desk.view.take(lambda canvas: Drawing(canvas, kind, snapping, done), DrawCard)


def draw_wall(desk: Desk) -> None:
    """Draw a wall."""
    draw(desk, "wall")


def draw_gate(desk: Desk) -> None:
    """Draw a gate."""
    draw(desk, "gate")


def draw_breach(desk: Desk) -> None:
    """Draw a breach along a dike."""
    draw(desk, "breach")


def draw_opening(desk: Desk) -> None:
    """Draw an opening."""
    draw(desk, "opening")


def draw_pump(desk: Desk) -> None:
    """Draw a pump."""
    draw(desk, "pump")


def draw_culvert(desk: Desk) -> None:
    """Draw a culvert."""
    draw(desk, "culvert")


def draw_storage(desk: Desk) -> None:
    """Draw a storage."""
    draw(desk, "storage")


def unblock(desk: Desk) -> None:
    """Clear the inlets of the selected drains in the next run."""
    nodes, places = _selected_nodes(desk)
    if not nodes:
        desk.message.emit(tr("Select manholes of the drains first."))
        return
    key = desk.attempt(measures.unblock, desk.session, nodes, places)
    if key is not None and desk.shell is not None:
        desk.shell.panels.show_tab("measures")


def _selected_nodes(desk: Desk) -> tuple[list[str], Places]:
    from cimdesk.model.network import UtilityNetwork

    nodes: list[str] = []
    places: list[tuple[float, float]] = []
    for ref in sorted(desk.session.selection.refs):
        data = desk.session.workspace.data(ref.layer)
        if not (is_pipe(desk, ref.layer) and isinstance(data, UtilityNetwork) and ref.feature.startswith(NODE)):
            continue
        name = ref.feature.removeprefix(NODE)
        rows = data.nodes.rows_of([name])
        if len(rows):
            x, y = data.positions[int(rows[0]), :2].tolist()
            nodes.append(name)
            places += [(x, y)] if np.isfinite([x, y]).all() else []
    return nodes, tuple(places)


def shown_flood(desk: Desk) -> tuple[str, FloodResult] | None:
    """Return layer and result of the flood that is shown, else of the last one; None where there is none."""
    results = flood_results(desk)
    if not results:
        return None
    shown = next((r for r in results if desk.session.workspace.layer(r[0]).visible), results[0])
    return shown[0], shown[2]


def parent_flood(desk: Desk) -> str:
    """Return the layer that is run again: of the flood that is shown, or where that had measures, of the one it came from."""
    shown = shown_flood(desk)
    if shown is None:
        return ""
    layer_id, result = shown
    scenarios = desk.session.workspace.document.records("scenario").values()
    parents = {str(record.get("name")): str(record.get("parent", "")) for record in scenarios if record.get("parent")}
    found = parents.get(result.name, "")
    return found if isinstance(desk.session.workspace.data(found), FloodResult) else layer_id


def run_again(desk: Desk) -> None:
    """Run the flood again with all measures that are switched on, on a window where that is quicker."""
    _run_again(desk, None)


def run_whole(desk: Desk) -> None:
    """Run the whole flood again with all measures that are switched on, its drains included."""
    _run_again(desk, True)


def _run_again(desk: Desk, whole: bool | None) -> None:
    """Run the flood again with the measures, then show it beside the one before."""
    if not any(measure.enabled for measure in measures.measures(desk.session).values()):
        desk.message.emit(tr("Draw a measure first: a wall, a gate, a pump."))
        return
    from cimdesk.commands.flood_preview import AT_THE_END
    from cimdesk.commands.flood_whatif import baseline_of, whatif_job

    parent = parent_flood(desk)
    # What cannot be run is said now; the queue makes the job when its turn has come.
    if desk.attempt(whatif_job, desk.session, parent, (), whole) is None:
        return

    def make(run: ApartRun) -> JobSpec[FloodResult]:
        job = whatif_job(desk.session, parent, whole=whole, run=run)
        clock = desk.session.clock
        moment = clock.time

        def done(result: FloodResult) -> None:
            if job.done is not None:
                job.done(result)
            before = baseline_of(desk.session, parent, result)
            _compare(desk, before, result)
            # The clock has followed the run to its end, where the water has drained off: back to what was looked at.
            if clock.time >= result.start_time + float(result.times[-1]) - AT_THE_END:
                clock.set_time(moment)
            desk.message.emit(outcome(desk, before, result))

        return replace(job, done=done)

    desk.floods.add(tr("Run with measures"), make)


def run_storm(desk: Desk) -> None:
    """Ask for another storm and run it with all measures that are switched on: the same measures, another return period."""
    from cimdesk.commands.flood_whatif import storm_with_measures
    from cimdesk.ui.handlers_flood import order

    if not any(measure.enabled for measure in measures.measures(desk.session).values()):
        desk.message.emit(tr("Draw a measure first: a wall, a gate, a pump."))
        return
    storm = desk.ask.form("flood", desk)
    if storm is None:
        return
    found = desk.attempt(storm_with_measures, desk.session, storm, getattr(storm, "name", tr("Flood")))
    if found is not None:
        order(desk, *found)


def _compare(desk: Desk, parent: str, result: FloodResult) -> None:
    """Show what has changed: the new flood drawn against the one before, and both in the exposure table."""
    from cimdesk.commands.flood_compare import set_comparison

    workspace = desk.session.workspace
    layer_id = next((layer.id for layer in workspace.layers() if workspace.data(layer.id) is result), "")
    if layer_id:
        desk.attempt(set_comparison, desk.session, layer_id, parent)
    desk.compare_with(parent)


def outcome(desk: Desk, parent: str, result: FloodResult) -> str:
    """Return in one line what the measures changed."""
    from cimdesk.commands.flood_whatif import difference

    before = desk.session.workspace.data(parent)
    if not isinstance(before, FloodResult) or before.max_depth.shape != result.max_depth.shape:
        return result.name
    changed = difference(before, result)
    return tr("{name}: lower on {lower} ha, by {fall} m at most; higher on {higher} ha, by {rise} m at most").format(
        name=result.name, lower=f"{changed['lower_m2'] / 1e4:,.2f}", fall=f"{changed['largest_fall_m']:.2f}",
        higher=f"{changed['higher_m2'] / 1e4:,.2f}", rise=f"{changed['largest_rise_m']:.2f}",
    )  # fmt: skip
