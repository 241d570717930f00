"""Inspector: what is known about the selection - name, class, source, stage, readings, water, history, notes, attributes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_quantity, format_time
from cimdesk.commands import notes
from cimdesk.commands.cards import card_of
from cimdesk.model.appearance import NODE_PREFIX, active_flood, describe, feature_depths, value_text
from cimdesk.model.drainage import SPILLS
from cimdesk.model.layers import Layer
from cimdesk.model.lifecycle import STAGE_PALETTE, Stage
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.points import PointCloud
from cimdesk.model.selection import AssetRef
from cimdesk.model.sensors import STATUS_PALETTE, Sensors, Status
from cimdesk.model.tileset import TiledCity
from cimdesk.ui.attributes import point_attributes, show_attribute
from cimdesk.ui.charts import SeriesChart
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.hydrograph_chart import HydrographChart
from cimdesk.ui.status_bar import selection_summary
from cimdesk.ui.theme import current_theme
from cimdesk.ui.water_facts import facts_at

MOST_ATTRIBUTES = 60


@dataclass(frozen=True)
class Fact:
    """One line: a label, a value, and the token of its colour when it is not plain text."""

    label: str
    value: str
    token: str = ""


class Inspector(QWidget):
    """Follows the selection."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._desk = desk
        self._links = Links()
        self.heading = QLabel()
        self.heading.setObjectName("heading")
        self.title = QLabel()
        self.title.setObjectName("title")
        self.title.setWordWrap(True)
        self.subtitle = QLabel()
        self.subtitle.setObjectName("dim")
        self.subtitle.setWordWrap(True)
        for label in (self.title, self.subtitle):
            label.setMinimumWidth(1)
        self.parts = _rich()
        self.parts.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)
        self.parts.linkActivated.connect(self._keep_layer)
        self.stage = StageRow(desk)
        self.card_heading = _heading()
        self.card = FactList()
        self.now = FactList()
        self.now_heading = _heading()
        self.chart = SeriesChart(desk, compact=True)
        self.place: tuple[float, float] | None = None
        self.hydrograph = HydrographChart(desk, compact=True)
        self.history_heading = _heading()
        self.history = _rich()
        self.notes_heading = _heading()
        self.notes = _rich()
        self.attributes_heading = _heading()
        self.filter = QLineEdit()
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._show_attributes)
        self.attributes = FactList()
        self._lay_out()
        self._later = QTimer(self, singleShot=True, interval=40)
        self._later.timeout.connect(self.refresh)
        desk.session_changed.connect(self.bind)
        desk.layer_selected.connect(self._soon)
        self.bind()
        self.retranslate()

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("panel")
        column = QVBoxLayout(content)
        column.setContentsMargins(14, 0, 14, 14)
        column.setSpacing(5)
        for widget in (
            self.title, self.subtitle, self.parts, self.card_heading, self.card, self.stage, self.now_heading, self.now, self.chart,
            self.history_heading, self.history, self.notes_heading, self.notes, self.attributes_heading, self.filter,
            self.attributes,
        ):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.heading)
        layout.addWidget(scroll, 1)

    def bind(self, _session: object = None) -> None:
        """Follow the desk's session."""
        session = self._desk.session
        self._links.clear()
        self._links.add(session.selection.changed, self._soon)
        self._links.add(session.clock.changed, self._soon)
        self._links.add(session.workspace.changed, self._soon)
        self._later.start()

    def show_place(self, world: tuple[float, float, float] | None) -> None:
        """Tell of the water at a place that was clicked, unless an asset is selected there."""
        self.place = None if world is None else (float(world[0]), float(world[1]))
        self.hydrograph.place = self.place
        self.hydrograph.gather()
        self._later.start()

    @property
    def ref(self) -> AssetRef | None:
        """The asset that is shown; None for none or several."""
        refs = self._desk.session.selection.refs
        return next(iter(refs)) if len(refs) == 1 else None

    def refresh(self) -> None:
        """Say everything about the selection again."""
        ref = self.ref
        refs = self._desk.session.selection.refs
        workspace = self._desk.session.workspace
        known = ref is not None and workspace.document.get("layer", ref.layer) is not None
        if ref is not None and known:
            self.title.setText(describe(workspace, ref))
            self.subtitle.setText(subtitle(self._desk, ref))
        else:
            self.title.setText(selection_summary(self._desk) if refs else tr("Nothing selected"))
            self.subtitle.setText("" if refs else tr("Click a building, pipe or sensor to see what is known about it."))
            if not refs and self._desk.layer is not None:
                self.title.setText(self._desk.layer.name)
                self.subtitle.setText(tr(str(self._desk.layer.kind)))
        self.subtitle.setVisible(bool(self.subtitle.text()))
        self._show_parts(refs)
        self._show_card(None if refs else self._desk.layer)
        is_point = ref is not None and isinstance(workspace.data(ref.layer), PointCloud)
        self.stage.show_refs(frozenset() if is_point else refs)
        self._show_now(ref if known else None)
        self._show_history(ref if known else None)
        self._show_attributes()
        self.filter.setVisible(known and self.attributes.isVisibleTo(self))

    def retranslate(self) -> None:
        """Say everything in the current language and theme."""
        self.heading.setText(tr("Inspector").upper())
        self.history_heading.setText(tr("History").upper())
        self.notes_heading.setText(tr("Notes").upper())
        self.attributes_heading.setText(tr("Attributes").upper())
        self.filter.setPlaceholderText(tr("Filter attributes"))
        self.stage.retranslate()
        self.refresh()

    def _show_card(self, layer: Layer | None) -> None:
        """Show what is known about the chosen layer as a dataset, while no asset is selected."""
        facts: list[Fact] = []
        if layer is not None:
            from cimdesk.ui.card_facts import card_facts

            facts = [Fact(label, value, token) for label, value, token in card_facts(self._desk.session.workspace, layer)]
        self.card_heading.setText(tr("Card").upper())
        self.card_heading.setVisible(bool(facts))
        self.card.show_facts(facts)

    def _show_parts(self, refs: frozenset[AssetRef]) -> None:
        """List the layers of a mixed selection, each as a link that keeps only its assets."""
        workspace = self._desk.session.workspace
        counts = Counter(ref.layer for ref in refs)
        known = [layer for layer in workspace.layers() if layer.id in counts]
        accent = current_theme().tokens["accent"]
        lines = [
            f"<a href='{_escape(layer.id)}' style='color:{accent}'>{_escape(layer.name)}</a>&nbsp; {counts[layer.id]:,}"
            for layer in known
        ]
        self.parts.setText("<br>".join(lines))
        self.parts.setToolTip(tr("Click a layer to keep only its assets selected."))
        self.parts.setVisible(len(known) > 1)

    def _keep_layer(self, layer_id: str) -> None:
        self._desk.select([ref for ref in sorted(self._desk.session.selection.refs) if ref.layer == layer_id])

    def _show_now(self, ref: AssetRef | None) -> None:
        facts = facts_now(self._desk, ref) if ref is not None else []
        session = self._desk.session
        if not facts and ref is None and self.place is not None:
            facts = [Fact(label, value) for label, value in facts_at(session.workspace, *self.place, session.clock.time)]
        elif ref is not None and self.place is not None and active_flood(session.workspace) is not None:
            told = facts_at(session.workspace, *self.place, session.clock.time)
            facts += [Fact(label, value) for label, value in told if label not in {fact.label for fact in facts}]
        time = self._desk.session.clock.time
        first, last = self._desk.session.clock.range
        self.now_heading.setText(f"{tr('Now').upper()}  ·  {format_time(time)}" if last > first else tr("Now").upper())
        self.now_heading.setVisible(bool(facts))
        self.now.show_facts(facts)

    def _show_history(self, ref: AssetRef | None) -> None:
        theme = current_theme()
        dim = theme.tokens["dim"]
        events = self._desk.session.workspace.stages.history(ref) if ref is not None else ()
        lines = []
        for before, event in zip((None, *events), events, strict=False):
            former = f"{tr(STAGE_PALETTE[before.stage][0])} → " if before is not None else ""
            words = f"<b>{format_time(event.date)[:10]}</b>&nbsp; {former}{tr(STAGE_PALETTE[event.stage][0])}"
            why = " · ".join(_escape(part) for part in (event.who, event.why) if part)
            lines.append(words + (f"<br><span style='color:{dim}'>{why}</span>" if why else ""))
        self.history_heading.setVisible(bool(lines))
        self.history.setVisible(bool(lines))
        self.history.setText("<br>".join(reversed(lines)))
        written = notes.notes(self._desk.session, ref) if ref is not None else []
        texts = []
        for _, record in written:
            words = _escape(str(record["text"]))
            closed = f"✓ <s>{words}</s>" if record.get("status") == notes.CLOSED else words
            texts.append(f"{closed}<br><span style='color:{dim}'>{_escape(str(record.get('who', '')))}</span>")
        self.notes_heading.setVisible(bool(texts))
        self.notes.setVisible(bool(texts))
        self.notes.setText("<br>".join(texts))

    def _show_attributes(self) -> None:
        ref = self.ref
        rows = attributes_of(self._desk, ref) if ref is not None else []
        needle = self.filter.text().casefold()
        shown = [fact for fact in rows if needle in fact.label.casefold() or needle in fact.value.casefold()]
        self.attributes_heading.setVisible(bool(rows))
        self.filter.setVisible(bool(rows))
        self.attributes.show_facts(shown[:MOST_ATTRIBUTES])

    def _soon(self, _value: object) -> None:
        if not self._later.isActive():
            self._later.start()


class FactList(QWidget):
    """Labels and values in two columns; labels are made once and reused."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(1, 3)
        self._rows: list[tuple[QLabel, QLabel]] = []

    def show_facts(self, facts: list[Fact]) -> None:
        """Show these lines."""
        theme = current_theme()
        while len(self._rows) < len(facts):
            label, value = QLabel(), QLabel()
            label.setObjectName("dim")
            for widget in (label, value):
                widget.setWordWrap(True)
                widget.setMinimumWidth(1)
                widget.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            row = len(self._rows)
            self._grid.addWidget(label, row, 0)
            self._grid.addWidget(value, row, 1)
            self._rows.append((label, value))
        for k, (label, value) in enumerate(self._rows):
            shown = k < len(facts)
            label.setVisible(shown)
            value.setVisible(shown)
            if shown:
                fact = facts[k]
                label.setText(_breakable(fact.label))
                value.setText(_breakable(fact.value))
                color = theme.tokens[fact.token or "text"]
                value.setStyleSheet(f"color: {color};" + ("font-weight: 600;" if fact.token else ""))
        self.setVisible(bool(facts))


class StageRow(QWidget):
    """The stage as a chip, and the link that changes it."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._label = QLabel()
        self._label.setObjectName("dim")
        self.chip = QLabel()
        self.change = QPushButton()
        self.change.setObjectName("link")
        self.change.setCursor(Qt.CursorShape.PointingHandCursor)
        self.change.clicked.connect(self._on_change)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 6, 0, 2)
        layout.setHorizontalSpacing(10)
        layout.setVerticalSpacing(3)
        layout.addWidget(self._label, 0, 0)
        layout.addWidget(self.chip, 0, 1)
        layout.addWidget(self.change, 1, 1)
        layout.setColumnStretch(2, 1)

    def show_refs(self, refs: frozenset[AssetRef]) -> None:
        """Show the stage of these assets; "mixed" when they differ."""
        self.setVisible(bool(refs))
        if not refs:
            return
        session = self._desk.session
        sample = sorted(refs)[:2000]
        stages = {session.workspace.stages.stage_at(ref, session.clock.time or math.inf) for ref in sample}
        stage = next(iter(stages)) if len(stages) == 1 else None
        text, color = STAGE_PALETTE[stage] if stage is not None else (tr("mixed"), "#9aa4af")
        theme = current_theme()
        tint = QColor(color)
        mixed = _mix(tint, theme.color("panel"), 0.24 if not theme.is_dark else 0.34)
        ink = theme.tokens["text"]
        self.chip.setText(tr(text))
        self.chip.setStyleSheet(
            f"background: {mixed.name()}; color: {ink}; border-left: 5px solid {color};"
            " border-radius: 6px; padding: 2px 9px; font-weight: 600;"
        )

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self._label.setText(tr("Stage"))
        self.change.setText(tr("change") + "  M")

    def _on_change(self) -> None:
        self._desk.trigger("stage.mark")


def subtitle(desk: Desk, ref: AssetRef) -> str:
    """Return the class, layer and CIM level of an asset in one line."""
    workspace = desk.session.workspace
    layer = workspace.layer(ref.layer)
    table = workspace.features(ref.layer)
    parts = [layer.name]
    if table is not None and ref.feature in table:
        row = table.row_of(ref.feature)
        for name in ("type", "class", "function", "use"):
            if name in table.columns and (value := table.columns[name][row]) is not None and str(value) not in parts:
                parts.append(str(value))
    data = workspace.data(ref.layer)
    if isinstance(data, UtilityNetwork) and ref.feature in data.links:
        diameter = float(data.diameters[data.links.row_of(ref.feature)])
        if np.isfinite(diameter) and diameter > 0:
            parts.append(f"DN {diameter * 1000:.0f}")
    if level := card_of(workspace, layer).level:
        parts.append(f"CIM{level}")
    return "  ·  ".join(parts[:4])


def facts_now(desk: Desk, ref: AssetRef) -> list[Fact]:
    """Return what holds at the clock: the reading and status of a sensor, water at the asset."""
    session = desk.session
    data = session.workspace.data(ref.layer)
    facts: list[Fact] = []
    if isinstance(data, Sensors) and ref.feature in data.features:
        row = data.features.row_of(ref.feature)
        status = Status(int(data.status_at(session.clock.time)[row]))
        token = {Status.NORMAL: "normal", Status.ATTENTION: "attention", Status.WARNING: "warning", Status.ALARM: "alarm"}.get(
            status, "stale"
        )
        facts.append(Fact(tr("Status"), tr(STATUS_PALETTE[status][0]), token))
        facts.append(Fact(tr("Reading"), value_text(session.workspace, ref, session.clock.time).split("·")[0].strip()))
        seen, _ = data.observations.latest(session.clock.time)
        if np.isfinite(seen[row]):
            facts.append(Fact(tr("Last heard"), format_time(float(seen[row]))))
    facts += _water_facts(desk, ref)
    facts += _drain_facts(desk, ref)
    return facts


def _drain_facts(desk: Desk, ref: AssetRef) -> list[Fact]:
    """Return what the drains of the flood did at a node: water in it, above the ground, and what comes out or goes in."""
    found = active_flood(desk.session.workspace)
    data = desk.session.workspace.data(ref.layer)
    if (
        found is None
        or found[1].drainage is None
        or not isinstance(data, UtilityNetwork)
        or not ref.feature.startswith(NODE_PREFIX)
    ):
        return []
    result, drains = found[1], found[1].drainage
    node = ref.feature.removeprefix(NODE_PREFIX)
    state = drains.state_of(node, desk.session.clock.time - result.start_time)
    if state is None:
        return []
    facts = [Fact(tr("Water in the node"), depth_text(state.depth))]
    if state.surcharge > 0.005:
        facts.append(Fact(tr("Surcharge"), tr("{depth} above the ground").format(depth=depth_text(state.surcharge)), "alarm"))
    flow = format_quantity(abs(state.exchange), "m³/s")
    if state.exchange < -SPILLS:
        facts.append(Fact(tr("Spills now"), flow, "alarm"))
    elif state.exchange > SPILLS:
        facts.append(Fact(tr("Takes in now"), flow))
    column = int(np.flatnonzero(drains.ids == node)[0])
    spilled = np.maximum(-drains.exchange[1:, column].astype(np.float64), 0.0) @ np.diff(drains.times)
    if spilled > 1.0:
        facts.append(Fact(tr("Spilled in all"), format_quantity(float(spilled), "m³"), "warning"))
    return facts


def _water_facts(desk: Desk, ref: AssetRef) -> list[Fact]:
    workspace = desk.session.workspace
    found = active_flood(workspace)
    table = workspace.features(ref.layer)
    if found is None or table is None or ref.feature not in table or isinstance(workspace.data(ref.layer), TiledCity):
        return []
    result = found[1]
    row = table.row_of(ref.feature)
    now = float(feature_depths(workspace, ref.layer, desk.session.clock.time)[row])
    series = _depth_series(desk, ref, row)
    if series is None:
        return []
    most = float(np.nanmax(series)) if np.isfinite(series).any() else 0.0
    begin, end = result.start_time + float(result.times[0]), result.start_time + float(result.times[-1])
    above = isinstance(workspace.data(ref.layer), UtilityNetwork)
    facts = []
    if begin <= desk.session.clock.time <= end:
        label = tr("Water above now") if above else tr("Water now")
        facts.append(Fact(label, depth_text(now), "attention" if now > 0.03 else ""))
    else:
        run = tr("simulated {begin} – {end}").format(begin=format_time(begin), end=format_time(end)[11:])
        facts.append(Fact(tr("Water now"), run))
    label = tr("Deepest above") if above else tr("Deepest")
    facts.append(Fact(label, depth_text(most), "alarm" if most > 0.4 else "warning" if most > 0.15 else ""))
    wet = np.flatnonzero(series > 0.05)
    if len(wet):
        facts.append(Fact(tr("Water arrives"), format_time(result.start_time + float(result.times[wet[0]]))))
    return facts


def depth_text(metres: float) -> str:
    """Return a depth to the centimetre; a flood model knows no more."""
    return f"{metres:,.2f} m" if math.isfinite(metres) else "–"


def _depth_series(desk: Desk, ref: AssetRef, row: int) -> np.ndarray | None:
    """Return the depth at one asset in every frame; kept while the same asset and flood are shown."""
    found = active_flood(desk.session.workspace)
    if found is None:
        return None
    result = found[1]
    known = _SERIES.get("last")
    if known is not None and known[0] == (ref, id(result)):
        return known[1]
    depths = [float(feature_depths(desk.session.workspace, ref.layer, result.start_time + float(t))[row]) for t in result.times]
    series = np.array(depths)
    _SERIES["last"] = ((ref, id(result)), series)
    return series


_SERIES: dict[str, tuple[tuple[AssetRef, int], np.ndarray]] = {}


def attributes_of(desk: Desk, ref: AssetRef) -> list[Fact]:
    """Return every attribute of an asset that has a value, and where it comes from."""
    workspace = desk.session.workspace
    if workspace.document.get("layer", ref.layer) is None:
        return []
    data = workspace.data(ref.layer)
    table, feature = workspace.features(ref.layer), ref.feature
    if isinstance(data, PointCloud):
        return point_facts(data, feature, workspace.layer(ref.layer).source)
    if isinstance(data, UtilityNetwork) and feature.startswith("node:"):
        table, feature = data.nodes, feature.removeprefix("node:")
    if table is None or feature not in table:
        return []
    row = table.row_of(feature)
    shown = [show_attribute(name, values[row], data) for name, values in table.columns.items()]
    facts = [Fact(name, text) for name, text in shown if text not in ("–", "")]
    if isinstance(data, TiledCity):
        said = data.tileset.metadata.get("metadata") or {}
        facts += [Fact(f"{tr('Tileset')}: {label}", text) for label, text in (show_attribute(k, v, data) for k, v in said.items())]
    source = workspace.layer(ref.layer).source
    return [*facts, Fact(tr("Source"), source.replace("\\", "/").rsplit("/", 1)[-1])]


def point_facts(cloud: PointCloud, feature: str, source: str) -> list[Fact]:
    """Return everything known about one point of a cloud, and where it comes from."""
    facts = [Fact(name, text) for name, text in point_attributes(cloud.attributes(feature))]
    return [*facts, Fact(tr("Source"), source.replace("\\", "/").rsplit("/", 1)[-1])]


def stage_words(stage: Stage) -> str:
    """Return the name of a stage in the current language."""
    return tr(STAGE_PALETTE[stage][0])


def _mix(first: QColor, second: QColor, share: float) -> QColor:
    return QColor(*(round(a * share + b * (1 - share)) for a, b in zip(first.getRgb()[:3], second.getRgb()[:3], strict=True)))  # type: ignore[index]


def _heading() -> QLabel:
    label = QLabel()
    label.setObjectName("heading")
    label.setContentsMargins(-14, 4, 0, 0)
    label.setMinimumWidth(1)
    return label


def _rich() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _breakable(text: str) -> str:
    """Let long names of attributes break after an underscore or dot."""
    return text.replace("_", "_\u200b").replace(".", ".\u200b") if len(text) > 14 else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
