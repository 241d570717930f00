"""What the actions that judge floods do: difference, swipe, marks and gauges, ways out."""

from __future__ import annotations

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.commands.anchors import anchors, has_feature
from cimdesk.commands.flood_compare import set_comparison
from cimdesk.model.flood_comparison import against_of
from cimdesk.ui.desk import Desk
from cimdesk.ui.needs import flood_results


def shown_flood(desk: Desk) -> str:
    """Return the layer of the flood that is shown, else of the first; empty where there is none."""
    workspace = desk.session.workspace
    keys = [key for key, _, _ in flood_results(desk)]
    return next((key for key in keys if workspace.layer(key).visible), keys[0] if keys else "")


def compared_key(desk: Desk) -> str:
    """Return the layer that the shown flood is compared with; empty for the dry city."""
    key = shown_flood(desk)
    against = against_of(desk.session.workspace.layer(key).options) if key else None
    return against.layer if against is not None else desk.compared_flood


def choose_compared(desk: Desk, other: str) -> None:
    """Compare the shown flood with another, in the table and in the picture; with the dry city for an empty id."""
    key = shown_flood(desk)
    mode = _mode(desk)
    if mode and other != key:
        desk.attempt(set_comparison, desk.session, key, other, mode)
    desk.compare_with(other)


def toggle_difference(desk: Desk) -> None:
    """Draw the shown flood as its difference to another, or alone again."""
    _toggle(desk, "difference")


def toggle_swipe(desk: Desk) -> None:
    """Draw the shown flood beside another with a swipe, or alone again."""
    _toggle(desk, "swipe")


def is_difference(desk: Desk) -> bool:
    """Whether a difference is shown."""
    return _mode(desk) == "difference"


def is_swipe(desk: Desk) -> bool:
    """Whether two floods are shown with a swipe."""
    return _mode(desk) == "swipe"


def _mode(desk: Desk) -> str:
    key = shown_flood(desk)
    against = against_of(desk.session.workspace.layer(key).options) if key else None
    return against.mode if against is not None else ""


def _toggle(desk: Desk, mode: str) -> None:
    key = shown_flood(desk)
    if _mode(desk) == mode:
        desk.attempt(set_comparison, desk.session, key, "")
        return
    other = _other(desk, key)
    if other:
        desk.attempt(set_comparison, desk.session, key, other, mode)
        if desk.compared_flood != other:
            desk.compare_with(other)


def _other(desk: Desk, key: str) -> str:
    """Return the flood to compare with: the one named already, the only other one, or the one somebody chooses."""
    others = [(other, name) for other, name, _ in flood_results(desk) if other != key]
    if desk.compared_flood in [other for other, _ in others]:
        return desk.compared_flood
    if not others:
        desk.message.emit(tr("There is no other flood to compare with: run one more."))
        return ""
    if len(others) == 1:
        return others[0][0]
    chosen = desk.ask.choice(tr("Compare"), tr("Compare with"), [name for _, name in others])
    return "" if chosen is None else others[chosen][0]


def calibrate(desk: Desk) -> None:
    """Hold the shown flood against marks and gauges; asks for a table of marks where it has none."""
    from cimdesk.commands.flood_calibration import MARKS, calibration_of, set_marks

    key = shown_flood(desk)
    if not desk.session.workspace.layer(key).options.get(MARKS):
        files = desk.ask.files(tr("Surveyed marks: name, x, y, level or depth"))
        if files:
            desk.attempt(set_marks, desk.session, key, files[0])
    found = desk.attempt(calibration_of, desk.session, key)
    if found is not None:
        desk.ask.form("calibration", desk, layer=key, found=found)
    elif not desk.session.workspace.layer(key).options.get(MARKS):
        desk.message.emit(tr("There are no marks, and no water gauges with readings of the run's time."))


def set_ways_out(desk: Desk) -> None:
    """Take the middles of the selected assets as the places that roads must lead to; none for no selection."""
    from cimdesk.commands.flood_exposure import set_exits

    workspace = desk.session.workspace
    points = []
    for ref in sorted(desk.session.selection.refs):
        data = workspace.data(ref.layer)
        if data is not None and has_feature(data, ref.feature):
            points += [point[:2] for point in anchors(data, [ref.feature]) if np.isfinite(point[:2]).all()]
    desk.attempt(set_exits, desk.session, np.array(points).reshape(-1, 2) if points else None)
    text = tr("Roads must lead to {count} places now.").format(count=len(points))
    desk.message.emit(text if points else tr("Roads must lead to the largest dry part now."))
