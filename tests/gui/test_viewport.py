"""The viewport's two back ends show and pick the same, and its input moves the camera as the presets say."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent

from cimdesk.model.selection import AssetRef
from cimdesk.ui.viewport_input import PRESETS
from tests.gui.windows import layer_named, open_sample, open_window

pytestmark = pytest.mark.gui


@pytest.fixture(params=["blit", "fbo"])
def window(request, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("CIMDESK_VIEWPORT", request.param)
    made = open_window(qtbot)
    open_sample(qtbot, made, tmp_path, "city")
    assert type(made.view.surface).__name__.lower().startswith(request.param)
    made.actions_.trigger("view.top")
    made.view.scene.fit()
    qtbot.wait(700)
    return made


def _grab(widget) -> np.ndarray:
    picture = widget.grab().toImage()
    image = picture.convertToFormat(picture.Format.Format_RGBA8888)
    # The bits belong to the image and go with it.
    return np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.width(), 4).copy()


def test_the_picture_shows_the_city_and_no_noise(window):
    picture = _grab(window.view.surface)
    assert (picture[:, :, 3] == 255).all()
    # Neighbouring pixels of a drawn city are mostly alike; of uninitialised memory they are not.
    steps = np.abs(np.diff(picture[:, :, :3].astype(int), axis=1)).sum(axis=2)
    assert np.median(steps) <= 6
    assert len(np.unique(picture[:, :, :3].reshape(-1, 3), axis=0)) > 3


def test_a_point_on_a_roof_picks_its_building(window):
    x, y, _ = window.view.scene.places.screen_of(np.array([[431_045.0, 2_558_005.0, 12.0]]))[0]
    pick = window.view.scene.pick(float(x), float(y))
    assert pick is not None
    assert pick.ref == AssetRef(layer_named(window, "buildings"), "b2")
    assert pick.world[2] == pytest.approx(12.0, abs=0.3)


def test_a_small_picture_leaves_the_view_alone(window):
    before = window.view.scene.camera.to_record()
    picture = window.view.pictures.seen_from({**before, "distance": before["distance"] * 2}, 120, 80)
    assert (picture.width(), picture.height()) == (120, 80)
    assert window.view.scene.camera.to_record() == before


def _drag(view, button, start, end, modifiers=Qt.KeyboardModifier.NoModifier):
    for kind, at, held in (
        (QEvent.Type.MouseButtonPress, start, button),
        (QEvent.Type.MouseMove, (start + end) / 2, button),
        (QEvent.Type.MouseMove, end, button),
        (QEvent.Type.MouseButtonRelease, end, Qt.MouseButton.NoButton),
    ):
        pressed = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else button
        event = QMouseEvent(kind, at, view.mapToGlobal(at), pressed, held, modifiers)
        {
            QEvent.Type.MouseButtonPress: view.mousePressEvent,
            QEvent.Type.MouseMove: view.mouseMoveEvent,
            QEvent.Type.MouseButtonRelease: view.mouseReleaseEvent,
        }[kind](event)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_button_does_what_the_preset_says(qtbot, tmp_path, preset):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    qtbot.wait(400)
    view = window.view
    view.navigation = preset
    for button, wanted in PRESETS[preset].items():
        before = view.scene.camera.to_record()
        middle = QPointF(view.width() / 2, view.height() / 2)
        _drag(view, button, middle, middle + QPointF(60, 30))
        after = view.scene.camera.to_record()
        moved = {name for name in before if before[name] != pytest.approx(after[name], rel=1e-6)}
        if wanted == "pan":
            assert "azimuth" not in moved
            assert "target" in moved
        elif wanted == "orbit":
            assert "azimuth" in moved
        elif wanted == "zoom":
            assert "distance" in moved
            assert "azimuth" not in moved
        else:
            assert not moved


def test_the_wheel_zooms_in_and_out_again(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    qtbot.wait(400)
    view = window.view
    start = view.scene.camera.to_record()["distance"]
    at = QPointF(view.width() / 2, view.height() / 2)
    for delta, closer in ((120, True), (-240, False)):
        before = view.scene.camera.to_record()["distance"]
        event = QWheelEvent(
            at, view.mapToGlobal(at), QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        view.wheelEvent(event)
        assert (view.scene.camera.to_record()["distance"] < before) is closer
    assert view.scene.camera.to_record()["distance"] > start


def test_a_box_around_everything_selects_everything(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.actions_.trigger("view.top")
    window.view.scene.fit()
    qtbot.wait(500)
    window.actions_.trigger("select.box")
    view = window.view
    _drag(view, Qt.MouseButton.LeftButton, QPointF(5, 5), QPointF(view.width() - 5.0, view.height() - 5.0))
    assert {ref.feature for ref in window.desk.session.selection.refs} == {"b0", "b1", "b2"}
    window.actions_.trigger("select.clear")
    assert view.tool == "pick"
