"""What the Flood, Lifecycle, Review and Present actions do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.commands import bookmarks, layers
from cimdesk.model.appearance import default_style, describe
from cimdesk.model.style import StyleMode
from cimdesk.model.water import is_muddy
from cimdesk.ui.desk import Desk
from cimdesk.ui.needs import flood_results

if TYPE_CHECKING:
    from cimdesk.commands.lifecycle import MarkOutcome


def show_exposure(desk: Desk) -> None:
    """Show who and what is in the water."""
    if desk.shell:
        desk.shell.panels.show_tab("exposure")


def go_to_peak(desk: Desk) -> None:
    """Set the clock to the largest wet area of the flood that is shown."""
    results = flood_results(desk)
    shown = next((r for r in results if desk.session.workspace.layer(r[0]).visible), results[0])
    result = shown[2]
    desk.session.clock.set_time(result.start_time + float(result.times[int(np.argmax(result.wet_area))]))


def hide_water(desk: Desk) -> None:
    """Hide every flood."""
    choose_flood(desk, "")


def toggle_muddy(desk: Desk) -> None:
    """Show the water of all floods muddy, or clean again."""
    keys = [key for key, _, _ in flood_results(desk) if not desk.session.workspace.is_guest(key)]
    if keys:
        layers.set_muddy(desk.session, keys, not has_muddy_water(desk))


def has_muddy_water(desk: Desk) -> bool:
    """Whether the floods are shown muddy."""
    return any(is_muddy(desk.session.workspace.layer(key).options) for key, _, _ in flood_results(desk))


def choose_flood(desk: Desk, layer_id: str) -> None:
    """Show one flood and hide the others; none for an empty id."""
    workspace = desk.session.workspace
    ids = [key for key, _, _ in flood_results(desk)]
    hide = [key for key in ids if key != layer_id and workspace.layer(key).visible]
    if hide:
        layers.set_visible(desk.session, hide, False)
    if layer_id and not workspace.layer(layer_id).visible:
        layers.set_visible(desk.session, [layer_id], True)


def play(desk: Desk) -> None:
    """Play or pause."""
    desk.player.toggle()


def is_playing(desk: Desk) -> bool:
    """Whether the clock moves."""
    return desk.player.playing


def step_back(desk: Desk) -> None:
    """One step back in time."""
    desk.player.step(-1)


def step_forward(desk: Desk) -> None:
    """One step on in time."""
    desk.player.step(1)


def to_start(desk: Desk) -> None:
    """Set the clock to the first moment."""
    desk.player.jump(to_end=False)


def to_end(desk: Desk) -> None:
    """Set the clock to the last moment."""
    desk.player.jump(to_end=True)


def slower(desk: Desk) -> None:
    """Play more slowly."""
    desk.player.faster(-1)


def faster(desk: Desk) -> None:
    """Play faster."""
    desk.player.faster(1)


def mark_stage(desk: Desk) -> None:
    """Ask for a stage, a date and a reason, and mark the selected assets."""
    from cimdesk.commands import lifecycle

    answer = desk.ask.form("stage", desk)
    if answer is not None:
        stage, date, why = answer
        outcome = lifecycle.mark(desk.session, sorted(desk.session.selection.refs), stage, date, desk.session.author, why)
        _tell_outcome(desk, outcome)


def _tell_outcome(desk: Desk, outcome: MarkOutcome) -> None:
    text = tr("{count} marked.").format(count=len(outcome.changed))
    if outcome.refused:
        text += " " + tr("{count} refused: the stage may not follow.").format(count=len(outcome.refused))
    desk.message.emit(text)


def color_by_stage(desk: Desk) -> None:
    """Colour the current layer by lifecycle stage, or back by what it was."""
    layer = desk.layer
    data = desk.session.workspace.data(desk.current_layer)
    if layer is None or data is None:
        return
    if layer.style.mode is StyleMode.STAGE:
        style = default_style(layer.kind, data)
    else:
        style = replace(layer.style, mode=StyleMode.STAGE)
    layers.set_style(desk.session, layer.id, style)


def is_colored_by_stage(desk: Desk) -> bool:
    """Whether the current layer is coloured by stage."""
    return desk.layer is not None and desk.layer.style.mode is StyleMode.STAGE


def show_history(desk: Desk) -> None:
    """Open the inspector, which shows the history."""
    if desk.shell and not desk.shell.panels.is_shown("right"):
        desk.shell.panels.toggle("right")


def add_note(desk: Desk) -> None:
    """Write a note on the selected asset."""
    from cimdesk.commands import notes

    refs = sorted(desk.session.selection.refs)
    text = desk.ask.text(tr("Add note"), tr("Note on {name}").format(name=describe(desk.session.workspace, refs[0])))
    if text:
        notes.add(desk.session, text, asset=refs[0])


def close_note(desk: Desk) -> None:
    """Close the open notes of the first selected asset; reopen them when all are closed."""
    from cimdesk.commands import notes

    ref = min(desk.session.selection.refs)
    written = notes.notes(desk.session, ref)
    if not written:
        desk.message.emit(tr("There is no note on {name}.").format(name=ref.feature))
        return
    unsettled = [key for key, record in written if record.get("status") != notes.CLOSED]
    for key in unsettled or [key for key, _ in written]:
        notes.set_status(desk.session, key, notes.CLOSED if unsettled else notes.OPEN)


def take_stages(desk: Desk) -> None:
    """Take the stages that the current layer's file tells into the history."""
    from cimdesk.commands.source_stages import take_stages as take

    outcome = desk.attempt(take, desk.session, desk.current_layer)
    if outcome is None:
        return
    text = tr("{count} marked.").format(count=len(outcome.changed))
    if outcome.refused:
        text += " " + tr("{count} refused: the stage may not follow.").format(count=len(outcome.refused))
    desk.message.emit(text if outcome.changed or outcome.refused else tr("The file of this layer tells no stages."))


def import_schedule(desk: Desk) -> None:
    """Mark the stages that a table lists, as one edit; rows that cannot be are listed."""
    from cimdesk.commands import lifecycle

    files = desk.ask.files(tr("Import schedule"))
    outcome = desk.attempt(lifecycle.import_schedule_file, desk.session, files[0]) if files else None
    if outcome is None:
        return
    counts = {"count": len(outcome.changed), "refused": len(outcome.refused)}
    desk.message.emit(tr("{count} stages marked, {refused} rows refused").format(**counts))


def snapshot(desk: Desk) -> None:
    """Ask for the size and furniture of a picture, and save it."""
    desk.ask.form("snapshot", desk)


def report(desk: Desk) -> None:
    """Ask what goes into a report, and write it."""
    desk.ask.form("report", desk)


def present(desk: Desk) -> None:
    """Show only the city, or come back."""
    if desk.shell:
        desk.shell.set_presenting(not desk.shell.presenting)


def is_presenting(desk: Desk) -> bool:
    """Whether only the city is shown."""
    return desk.shell is not None and desk.shell.presenting


def next_bookmark(desk: Desk) -> None:
    """Go to the next bookmark."""
    _go_bookmark(desk, 1)


def previous_bookmark(desk: Desk) -> None:
    """Go back to the bookmark before."""
    _go_bookmark(desk, -1)


def _go_bookmark(desk: Desk, step: int) -> None:
    keys = [key for key, _ in bookmarks.bookmarks(desk.session)]
    if not keys:
        desk.message.emit(tr("There are no bookmarks yet."))
        return
    at = keys.index(desk.current_bookmark) + step if desk.current_bookmark in keys else (0 if step > 0 else len(keys) - 1)
    desk.go_to_bookmark(keys[at % len(keys)])
