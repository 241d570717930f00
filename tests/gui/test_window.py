"""The window: live language and theme, idle means idle, panels follow the one selection and the one clock."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from cimdesk.app.main import make_application
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.base.i18n import set_language
from cimdesk.commands.sources import preview
from cimdesk.model.appearance import LegendCard
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import Status
from cimdesk.model.style import LegendEntry
from cimdesk.ui.bottom_panel import TABS
from cimdesk.ui.charts import Curve
from cimdesk.ui.error_dialog import ErrorDialog, card_lines
from cimdesk.ui.handlers_data import alarms
from cimdesk.ui.overlays import order_cards
from cimdesk.ui.preview_dialog import PreviewDialog
from cimdesk.ui.stage_dialog import StageDialog
from cimdesk.ui.theme import THEMES, contrast, load_theme
from cimdesk.ui.window import MainWindow
from tests import samples
from tests.gui.windows import FakeAsker, layer_named, open_sample, open_window, wait_for_jobs

pytestmark = pytest.mark.gui

HEAVY = (
    "vtkmodules",
    "pyvista",
    "numba",
    "scipy",
    "rasterio",
    "pyogrio",
    "shapely",
    "pyproj",
    "pyqtgraph",
    "trimesh",
    "matplotlib",
    "PIL",
)


def test_nothing_heavy_is_imported_before_the_first_show():
    code = (
        "import sys\n"
        "from cimdesk.app.main import make_application\n"
        "application = make_application('light', 'en')\n"
        "from cimdesk.ui.window import MainWindow\n"
        "window = MainWindow()\n"
        "window.show()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "window.release()\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}, check=True, timeout=60)
    assert out.stdout.strip() == "[]"


def test_the_frame_is_painted_before_numbers_and_models_are_loaded():
    code = (
        "import sys\n"
        "import cimdesk.app.cli\n"
        "from cimdesk.app.main import make_application\n"
        "application = make_application('light', 'en')\n"
        "from cimdesk.ui.window import MainWindow\n"
        "window = MainWindow(at_once=False)\n"
        "window.show()\n"
        "while not window._painted:\n"
        "    application.processEvents()\n"
        f"print([name for name in (*{HEAVY!r}, 'numpy', 'cimdesk.model', 'cimdesk.commands') if name in sys.modules])\n"
        "window.close()\n"
        "window.release()\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}, check=True, timeout=60)
    assert out.stdout.strip() == "[]"


def test_a_frame_fills_itself_after_its_first_paint(qtbot):
    make_application("light", "en")
    window = MainWindow(FakeAsker(), at_once=False)
    qtbot.addWidget(window, before_close_func=lambda w: w.release())
    with qtbot.waitSignal(window.filled, timeout=20_000):
        window.show()
    assert window.menus.menus["Flood"].title() == "Flood"
    qtbot.waitUntil(lambda: window.view.scene is not None, timeout=20_000)


def test_language_changes_everywhere_at_once(qtbot):
    window = open_window(qtbot)
    assert window.menus.menus["Flood"].title() == "Flood"
    window.actions_.trigger("view.language_zh")
    assert window.menus.menus["Flood"].title() == "洪涝"
    assert window.layers.heading.text() == "图层"
    assert "保存" in window.actions_["project.save"].text()
    window.actions_.trigger("view.language_en")
    assert window.menus.menus["Flood"].title() == "Flood"


def test_a_closed_window_no_longer_follows_the_language(qtbot):
    window = open_window(qtbot)
    window.close()
    set_language("zh_CN")
    assert window.layers.heading.text() == "LAYERS"


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_in_every_theme(name):
    tokens = load_theme(name).tokens
    least = 7.0 if name == "projector" else 4.5
    for text, ground in (("text", "panel"), ("text", "card"), ("text", "bg"), ("dim", "panel"), ("accent_text", "accent")):
        assert contrast(tokens[text], tokens[ground]) >= (least if text != "dim" or name == "projector" else 4.0), (text, ground)


def test_projector_status_colours_reach_seven_to_one():
    tokens = load_theme("projector").tokens
    assert all(
        contrast(tokens[name], tokens["panel"]) >= 7.0 for name in ("normal", "attention", "warning", "alarm", "stale", "dim")
    )


def test_an_idle_window_draws_nothing(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    qtbot.wait(1500)
    before = window.view.renders
    qtbot.wait(1000)
    assert window.view.renders == before
    window.bottom.update()
    window.view.draw_ink()
    qtbot.wait(200)
    assert window.view.renders == before


def test_many_requests_make_one_picture(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    qtbot.wait(1200)
    before = window.view.renders
    for _ in range(50):
        window.view.request_render()
    qtbot.wait(300)
    assert window.view.renders - before == 1


def test_two_thousand_calls_leave_none_its_references(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.layers.model.refresh()
    before = sys.getrefcount(None)
    for k in range(2000):
        window.status.show_position((float(k), 1.0, 2.0))
        window.layers.model.data(window.layers.model.index(0, 0), Qt.ItemDataRole.DecorationRole)
        window.bottom.table.model.headerData(0, Qt.Orientation.Horizontal, Qt.ItemDataRole.DecorationRole)
        window.view.draw_ink()
    assert sys.getrefcount(None) >= before - 50


def test_selection_is_the_same_in_table_and_scene(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    buildings = layer_named(window, "buildings")
    window.panels.show_tab("table")
    window.desk.select_layer(buildings)
    window.bottom.table.view.selectRow(1)
    assert window.desk.session.selection.refs == {AssetRef(buildings, "b1")}
    window.desk.session.selection.set([AssetRef(buildings, "b2")])
    rows = {index.row() for index in window.bottom.table.view.selectionModel().selectedRows()}
    assert rows == {2}
    window.inspector.refresh()
    assert window.inspector.ref == AssetRef(buildings, "b2")


def test_a_click_selects_and_a_click_on_nothing_clears(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    buildings = layer_named(window, "buildings")
    scene = window.view.scene
    window.actions_.trigger("view.top")
    scene.fit()
    qtbot.wait(600)
    x, y, _ = scene.places.screen_of(np.array([[431_025.0, 2_558_005.0, 9.0]]))[0]
    scale = window.view.device(QPointF(1.0, 1.0))[0]
    window.view.picking.click(QPointF(x / scale, y / scale), toggle=False)
    assert window.desk.session.selection.refs == {AssetRef(buildings, "b1")}
    window.view.picking.click(QPointF(3.0, 3.0), toggle=False)
    assert not window.desk.session.selection.refs


def test_hiding_a_layer_in_the_tree_can_be_undone(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    model, buildings = window.layers.model, layer_named(window, "buildings")
    index = model.index_of(buildings)
    assert model.setData(index, Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    assert not window.desk.session.workspace.layer(buildings).visible
    window.actions_.trigger("edit.undo")
    assert window.desk.session.workspace.layer(buildings).visible


def test_a_dragged_opacity_slider_is_one_undo_step(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    desk, buildings = window.desk, layer_named(window, "buildings")
    steps = len(desk.session.history.done)
    menu = window.layers.menu_for(desk.session.workspace.layer(buildings))
    slider = next(action.slider for action in menu.actions() if hasattr(action, "slider"))
    for value in (90, 70, 50):
        slider.setValue(value)
    assert desk.session.workspace.layer(buildings).opacity == pytest.approx(0.5)
    assert len(desk.session.history.done) == steps + 1


def test_the_clock_moves_while_it_plays_and_stops_at_the_end(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "sensors")
    clock, player = window.desk.session.clock, window.desk.player
    window.actions_.trigger("time.start")
    player.speed = 86400
    window.actions_.trigger("time.play")
    qtbot.waitUntil(lambda: not player.playing, timeout=5000)
    assert clock.time == clock.range[1]


def test_an_area_in_the_xray_view_takes_the_pipes_and_a_layer_can_be_kept(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "drainage")
    city, network = layer_named(window, "buildings"), layer_named(window, "network")
    refs = frozenset({AssetRef(city, "b0"), AssetRef(city, "b1"), AssetRef(network, "C1")})
    selection = window.desk.session.selection
    window.view.picking.choose_area(refs, toggle=False)
    assert selection.refs == refs
    window.inspector.refresh()
    assert not window.inspector.parts.isHidden()
    window.inspector.parts.linkActivated.emit(city)
    assert {ref.layer for ref in selection.refs} == {city}
    window.actions_.trigger("underground.xray")
    window.view.picking.choose_area(refs, toggle=False)
    assert selection.refs == {AssetRef(network, "C1")}
    window.view.picking.choose_area(frozenset({AssetRef(city, "b0")}), toggle=False)
    assert selection.refs == {AssetRef(city, "b0")}


def test_escape_closes_the_palette_and_keeps_the_selection(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.desk.select([AssetRef(layer_named(window, "buildings"), "b0")])
    window.activateWindow()
    window.show_palette()
    qtbot.keyClicks(window.palette_.input, "zzzqq")
    window.palette_.fill()
    full = window.palette_.height()
    assert "zzzqq" in window.palette_.nothing.text()
    assert not window.palette_.nothing.isHidden()
    qtbot.keyClick(window.palette_.input, Qt.Key.Key_Escape)
    assert window.palette_.isHidden()
    assert window.desk.session.selection.refs
    window.show_palette()
    assert window.palette_.height() > 2 * full  # as high as its rows


def test_the_palette_finds_commands_and_assets_and_says_why_not(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.actions_.trigger("help.commands")
    palette = window.palette_
    palette.input.setText("run flood")
    palette.fill()
    assert palette.entries[0].icon == "flood.run"
    assert palette.entries[0].why_not == "needs a terrain"
    palette.input.setText("楼 2")
    palette.fill()
    asset = next(entry for entry in palette.entries if entry.icon == "city.find")
    asset.do()
    assert {ref.feature for ref in window.desk.session.selection.refs} == {"b2"}


def test_problems_are_listed_with_the_way_to_their_object(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    buildings = layer_named(window, "buildings")
    window.desk.session.messages.emit((buildings, Problem(Severity.WARNING, "test", "b1", "Something is odd.")))
    assert "Messages 1" in [window.bottom.tabs.tabText(k) for k in range(window.bottom.tabs.count())]
    entry = window.bottom.messages.entries()[0]
    assert entry[3] == AssetRef(buildings, "b1")


def test_an_error_card_says_what_where_and_what_now(qtbot):
    error = DataError("/data/delft.json", "header says {a} bytes.", where="line 4", remedy="Download the tile again.", a=9)
    texts = [text for text, _ in card_lines(error)]
    assert texts == ["header says 9 bytes.", "/data/delft.json  line 4", "Download the tile again."]
    dialog = ErrorDialog(error)
    qtbot.addWidget(dialog)
    assert "header says 9 bytes" in dialog.details


def test_window_state_is_kept(qtbot):
    window = open_window(qtbot)
    window.actions_.trigger("view.right_panel")
    window.close()
    again = open_window(qtbot, all_panels=False)
    assert not again.panels.is_shown("right")
    again.actions_.trigger("view.right_panel")
    assert isinstance(again.desk.ask, FakeAsker)


def test_presenting_leaves_only_the_city(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city")
    window.actions_.trigger("present.start")
    assert window.presenting
    assert not window.tools.isVisible()
    assert not window.bottom.isVisible()
    window.actions_.trigger("select.clear")
    assert not window.presenting
    assert window.tools.isVisible()
    wait_for_jobs(qtbot, window)


def test_files_dropped_on_the_window_are_shown_before_they_are_added(qtbot, tmp_path):
    window = open_window(qtbot)
    path = samples.city_json(tmp_path / "dropped.city.json")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    at = QPointF(200.0, 200.0)
    event = QDropEvent(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(event)
    wait_for_jobs(qtbot, window)
    assert window.desk.ask.asked == ["preview"]
    assert not window.desk.is_open
    window.desk.ask.answers["preview"] = ([path], "")
    window.dropEvent(event)
    qtbot.waitUntil(lambda: window.desk.is_open and not window.desk.runner.jobs, timeout=30_000)
    assert layer_named(window, "buildings")


def test_a_preview_asks_only_for_a_missing_reference_system(qtbot, tmp_path):
    window = open_window(qtbot)
    known = samples.city_json(tmp_path / "known.city.json")
    unknown = samples.drainage_inp(tmp_path / "unknown.inp")
    dialog = PreviewDialog(window.desk, preview([known]))
    qtbot.addWidget(dialog)
    assert dialog.answer() == ([known], "")
    asking = PreviewDialog(window.desk, preview([known, unknown, tmp_path / "missing.tif"]))
    qtbot.addWidget(asking)
    assert [p.path for p in asking.without_system] == [unknown]
    asking.system.setCurrentText("EPSG:4547")
    assert asking.answer() == ([known, unknown], "EPSG:4547")


def test_the_legend_explains_pipes_first_in_the_xray_view_and_not_while_they_are_hidden():
    cards = [LegendCard(name, (LegendEntry("a", "#ff0000", 1),), name, "line") for name in ("water", "pipes", "gauges")]
    assert [card.layer for card in order_cards(cards, {"pipes"}, xray=True, covered=False)] == ["pipes", "water", "gauges"]
    assert [card.layer for card in order_cards(cards, {"pipes"}, xray=False, covered=True)] == ["water", "gauges"]
    assert order_cards(cards, {"pipes"}, xray=False, covered=False) == cards


def test_a_legend_that_was_cut_grows_back_with_the_view(qtbot):
    window = open_window(qtbot)
    legend = window.overlays.legend
    entries = tuple(LegendEntry(f"class {k}", "#123456") for k in range(6))
    legend.set_cards([LegendCard("one", entries, "a", "fill"), LegendCard("two", entries, "b", "fill")])
    whole = legend.sizeHint().height()
    legend.fit(90, 700)
    assert legend.sizeHint().height() <= 130  # one block, and a line that says what is left out
    legend.fit(2000, 700)
    assert legend.sizeHint().height() == whole


def test_a_click_on_a_cut_legend_shows_all_of_it_and_another_less(qtbot):
    window = open_window(qtbot)
    legend = window.overlays.legend
    entries = tuple(LegendEntry(f"class {k}", "#123456") for k in range(6))
    long = "A very long name of a storm, with drains and walls, and another one of the same kind, with everything said"
    legend.blockSignals(True)  # the window is not asked how much room there is
    legend.set_cards([LegendCard(long, entries, "a", "fill"), LegendCard("two", entries, "b", "fill")])
    legend.fit(260, 700)
    assert [card.layer for card in legend.cards] == ["a"]
    assert legend.sizeHint().width() < 0.3 * 700
    qtbot.mouseClick(legend, Qt.MouseButton.LeftButton)
    legend.fit(260, 700)
    assert [card.layer for card in legend.cards] == ["a", "b"]
    assert legend.sizeHint().height() <= 260
    qtbot.mouseClick(legend, Qt.MouseButton.LeftButton)
    legend.fit(260, 700)
    assert [card.layer for card in legend.cards] == ["a"]


def test_going_from_tab_to_tab_leaves_the_row_of_tabs_where_it_is(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "city", "sensors")
    places = set()
    for name in TABS:
        window.panels.show_tab(name)
        qtbot.wait(30)
        places.add(window.bottom.tabs.mapTo(window, QPoint(0, 0)).y())
    assert len(places) == 1


def test_a_stage_is_marked_only_with_a_reason(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "drainage")
    window.desk.select([AssetRef(layer_named(window, "network"), "C1")])
    dialog = StageDialog(window.desk)
    qtbot.addWidget(dialog)
    assert not dialog.accept_button.isEnabled()
    dialog.why.setText(" ")
    assert not dialog.accept_button.isEnabled()
    dialog.why.setText("order 12/2026")
    assert dialog.accept_button.isEnabled()


def test_alarms_are_counted_alike_in_the_tab_and_the_status_bar(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "sensors")
    window.actions_.trigger("time.end")
    raised = [status for _, status in alarms(window.desk) if status >= Status.WARNING]
    qtbot.wait(200)
    said = sum(int(word) for word in window.status.alarms.text().split() if word.isdigit())
    assert said == len(raised)
    expected = f"Alarms {len(raised)}" if raised else "Alarms"
    assert window.bottom.tabs.tabText(TABS.index("alarms")) == expected


def test_curves_that_share_a_unit_name_it_once(qtbot, tmp_path):
    window = open_window(qtbot)
    open_sample(qtbot, window, tmp_path, "sensors")
    chart = window.bottom.charts
    times, values = np.array([0.0, 60.0]), np.array([1.0, 2.0])
    nothing = (np.nan, np.nan, np.nan)
    chart.curves = [Curve("a", "mm", times, values, nothing), Curve("b", "mm", times, values, nothing)]
    assert [chart._name_of(curve) for curve in chart.curves] == ["a", "b"]
    chart.curves.append(Curve("c", "m", times, values, nothing))
    assert [chart._name_of(curve) for curve in chart.curves] == ["a [mm]", "b [mm]", "c [m]"]
