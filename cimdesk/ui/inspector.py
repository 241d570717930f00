"""Inspector: what is known about the selection - name, class, source, stage, readings, water, history, notes, attributes."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_time
from cimdesk.commands import notes
from cimdesk.model.appearance import active_flood, describe
from cimdesk.model.layers import Layer
from cimdesk.model.lifecycle import STAGE_PALETTE
from cimdesk.model.points import PointCloud
from cimdesk.model.selection import AssetRef
from cimdesk.ui.asset_facts import Fact, attributes_of, facts_now, subtitle
from cimdesk.ui.charts import SeriesChart
from cimdesk.ui.desk import Desk, Links
from cimdesk.ui.fact_list import FactList, StageRow
from cimdesk.ui.hydrograph_chart import HydrographChart
from cimdesk.ui.status_bar import selection_summary
from cimdesk.ui.theme import current_theme
from cimdesk.ui.water_facts import facts_at

MOST_ATTRIBUTES = 60


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
        accent = current_theme().ink("accent").name()
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


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
