"""Pages of the style panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from cimdesk.base.i18n import tr
from cimdesk.base.units import format_number
from cimdesk.model.appearance import color_table, has_own_colors
from cimdesk.model.classes import Method
from cimdesk.model.coloring import (
    NO_DATA_LABEL,
    OTHER_LABEL,
    class_breaks,
    classify,
    palette_of_classes,
    ramp_codes,
    ramp_ends,
)
from cimdesk.model.columns import is_number
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.ramps import RAMPS, ramp_levels
from cimdesk.model.style import MOST_CLASSES, NEUTRAL, Style, StyleMode
from cimdesk.ui.column_box import ColumnBox, column_titles
from cimdesk.ui.desk import Desk
from cimdesk.ui.expression_edit import ExpressionEdit
from cimdesk.ui.rules_edit import RulesEdit
from cimdesk.ui.style_choices import NUMERIC_MODES, category_swatches, class_swatches, fresh, likely, of_points
from cimdesk.ui.style_dialog import METHOD_NAMES, MODE_NAMES, PLAIN, RAMP_NAMES, SOURCE, SOURCE_NAME, modes_for
from cimdesk.ui.style_parts import HistogramView, Swatch, SwatchList, ramp_icon
from cimdesk.ui.style_points import PointChoices
from cimdesk.ui.theme import current_theme


class StyleHost(Protocol):
    """The panel that the pages are in."""

    layer: Layer
    style_: Style
    filter_: str
    points: PointChoices

    def table(self) -> FeatureTable | None: ...
    def choose(self, **fields: object) -> None: ...
    def choose_filter(self, expression: str) -> None: ...
    def refresh(self) -> None: ...


class Page(QWidget):
    """Labelled rows over a free part."""

    def __init__(self, panel: StyleHost) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.panel = panel
        self._busy = False
        self.rows = QFormLayout()
        self.rows.setHorizontalSpacing(14)
        self.rows.setVerticalSpacing(8)
        self.rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(16, 10, 16, 10)
        self.column.setSpacing(10)
        self.column.addLayout(self.rows)

    def row(self, label: str, field: QWidget) -> None:
        """Add a labelled field."""
        name = QLabel(label)
        name.setObjectName("dim")
        name.setBuddy(field)
        field.setAccessibleName(label)
        self.rows.addRow(name, field)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Set fields without taking that for a choice."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def choose(self, **fields: Any) -> None:
        """Change the style, unless the page is only being filled."""
        if not self._busy:
            self.panel.choose(**fields)

    def show_style(self, style: Style) -> None:
        """Show a style in the fields."""


class ColorsPage(Page):
    """What decides the colours, and which they are."""

    def __init__(self, desk: Desk, panel: StyleHost) -> None:
        super().__init__(panel)
        self._desk = desk
        self._shown_of: tuple[str, bool, int] | None = None
        self.mode = QComboBox()
        if has_own_colors(desk.session.workspace.data(panel.layer.id)):
            self.mode.addItem(tr(SOURCE_NAME), SOURCE)
        for mode in modes_for(panel.layer):
            self.mode.addItem(tr(MODE_NAMES[mode]), str(mode))
        self.attribute = QComboBox()
        # Long titles of columns do not make the panel wider than it is.
        self.attribute.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.attribute.setMinimumContentsLength(12)
        self.method = QComboBox()
        for method in Method:
            self.method.addItem(tr(METHOD_NAMES[method]), str(method))
        self.classes = QSpinBox()
        self.classes.setRange(2, MOST_CLASSES)
        self.classes.lineEdit().setTextMargins(6, 0, 0, 0)
        self.ramp = QComboBox()
        self.reverse = QCheckBox(tr("Reversed"))
        self.log = QCheckBox(tr("Logarithmic"))
        self.clip = QComboBox()
        for low, high in ((0.0, 100.0), (1.0, 99.0), (2.0, 98.0), (5.0, 95.0)):
            every = low == 0.0
            text = tr("all values") if every else tr("{low} to {high} % of the values").format(low=f"{low:g}", high=f"{high:g}")
            self.clip.addItem(text, (low, high))
        self.limits = QLineEdit()
        self.symbol_size = QDoubleSpinBox()
        self.symbol_size.setRange(1.0, 60.0)
        self.symbol_size.setSuffix(" px")
        for label, field in (
            (tr("Colours"), self.mode), (tr("Attribute"), self.attribute), (tr("Ramp"), self.ramp), ("", self.reverse),
            (tr("Classes"), self.method), (tr("Count"), self.classes), (tr("Limits"), self.limits), (tr("Range"), self.clip),
            ("", self.log), (tr("Size"), self.symbol_size),
        ):  # fmt: skip
            self.row(label, field)
        self.histogram = HistogramView()
        self.rules = RulesEdit(desk, panel.table)
        self.swatches = SwatchList()
        for part in (self.histogram, self.rules, self.swatches):
            self.column.addWidget(part)
        self.column.addStretch(1)
        self._fill_ramps(False)
        self._connect()

    def _connect(self) -> None:
        self.mode.currentIndexChanged.connect(self._on_mode)
        self.attribute.currentIndexChanged.connect(self._on_attribute)
        self.method.currentIndexChanged.connect(self._on_classes)
        self.classes.valueChanged.connect(self._on_classes)
        self.ramp.currentIndexChanged.connect(self._on_ramp)
        self.reverse.toggled.connect(self._on_ramp)
        self.log.toggled.connect(self._on_range)
        self.clip.currentIndexChanged.connect(self._on_range)
        self.limits.editingFinished.connect(self._on_limits)
        self.symbol_size.valueChanged.connect(self._on_size)
        self.histogram.limits_changed.connect(self._on_dragged)
        self.swatches.recolored.connect(self._on_recolored)
        self.rules.changed.connect(self._on_rules)

    # --- showing ---------------------------------------------------------------------------------------------------------

    def _table(self) -> FeatureTable | None:
        return self.panel.points.beside(self.panel.table())

    def show_style(self, style: Style) -> None:
        table = self._table()
        with self.showing():
            self._fill_attributes(style, table)
            self.mode.setCurrentIndex(max(0, self.mode.findData(SOURCE if self._is_source(style) else str(style.mode))))
            self.attribute.setCurrentIndex(self.attribute.findData(style.attribute))
            self._fill_ramps(style.reverse)
            self.ramp.setCurrentIndex(max(0, self.ramp.findData(style.ramp)))
            self.reverse.setChecked(style.reverse)
            self.log.setChecked(style.log)
            self.clip.setCurrentIndex(self.clip.findData(style.clip) if self.clip.findData(style.clip) >= 0 else 2)
            self.method.setCurrentIndex(max(0, self.method.findData(str(style.method))))
            self.classes.setValue(len(style.breaks) + 1 if style.method is Method.MANUAL else style.classes)
            self.symbol_size.setValue(style.size)
            self.rules.show_rules(style.rules)
        values = table.columns.get(style.attribute) if table is not None else None
        self._show_rows(style)
        self._show_histogram(style, values)
        self._show_swatches(style, table)

    def _is_source(self, style: Style) -> bool:
        return style.shows_source and self.mode.findData(SOURCE) >= 0

    def _fill_attributes(self, style: Style, table: FeatureTable | None) -> None:
        names = self._names(style, table)
        if [self.attribute.itemData(k) for k in range(self.attribute.count())] != names:
            data = self._desk.session.workspace.data(self.panel.layer.id)
            self.attribute.clear()
            points = self.panel.points
            for name, title in zip(names, column_titles(names, data), strict=True):
                self.attribute.addItem(points.title(name, title), name)

    @staticmethod
    def _names(style: Style, table: FeatureTable | None) -> list[str]:
        columns: Mapping[str, Any] = table.columns if table is not None else {}
        if style.mode in NUMERIC_MODES:
            return [name for name in columns if is_number(columns[name])]
        return list(columns)

    def _fill_ramps(self, reverse: bool) -> None:
        unit = current_theme().px("font_px")
        if self.ramp.count() and self.ramp.property("reversed") == reverse:
            return
        self.ramp.setProperty("reversed", reverse)
        self.ramp.clear()
        self.ramp.setIconSize(QSize(unit * 6, unit))
        for name in RAMPS:
            self.ramp.addItem(ramp_icon(name, reverse, unit * 6, unit), tr(RAMP_NAMES.get(name, name)), name)

    def _show_rows(self, style: Style) -> None:
        mode = style.mode
        classed = mode is StyleMode.GRADUATED
        for field, is_shown in (
            (self.attribute, mode in (StyleMode.CATEGORIES, *NUMERIC_MODES)),
            (self.ramp, mode in NUMERIC_MODES), (self.reverse, mode in NUMERIC_MODES),
            (self.method, classed), (self.classes, classed and style.method is not Method.MANUAL), (self.limits, classed),
            (self.clip, mode is StyleMode.CONTINUOUS), (self.log, mode is StyleMode.CONTINUOUS),
            (self.symbol_size, self.panel.layer.kind in (LayerKind.SENSORS, LayerKind.VECTOR, LayerKind.NETWORK)),
        ):  # fmt: skip
            self.rows.setRowVisible(field, is_shown)
        self.rules.setVisible(mode is StyleMode.RULES)

    def _show_histogram(self, style: Style, values: Any) -> None:
        is_shown = style.mode in NUMERIC_MODES and values is not None and is_number(values)
        self.histogram.setVisible(is_shown)
        if not is_shown:
            return
        log = style.log and style.mode is StyleMode.CONTINUOUS
        shown_of = (style.attribute, log, id(values))
        if shown_of != self._shown_of:
            self._shown_of = shown_of
            self.histogram.show_values(values, log)
        middles = self.histogram.middles()
        if style.mode is StyleMode.GRADUATED:
            breaks = class_breaks(style, values)
            self.histogram.show_colors(palette_of_classes(style, len(breaks) + 1)[classify(middles, breaks)], breaks)
            if not self.limits.hasFocus():
                self.limits.setText(";  ".join(f"{limit:.6g}" for limit in breaks))
        else:
            low, high = ramp_ends(style, values)
            levels = ramp_levels(style.ramp, style.reverse)
            codes = np.minimum(ramp_codes(middles, low, high, log), len(levels) - 1)
            self.histogram.show_colors(levels[codes], (low, high))

    def _show_swatches(self, style: Style, table: FeatureTable | None) -> None:
        points = self.panel.points
        shown = self._swatches_of(points.settled(style), table)
        if points.decide(style):
            shown = of_points(shown, style.attribute)
        if shown != self.swatches.swatches():
            self.swatches.show_swatches(shown)
        self.swatches.setVisible(bool(shown))

    def _swatches_of(self, style: Style, table: FeatureTable | None) -> list[Swatch]:
        if self._is_source(style):
            return []
        if style.mode is StyleMode.SINGLE:
            return [Swatch("color", tr("Colour"), style.color, len(table) if table is not None else -1)]
        if table is None:
            return []
        values = table.columns.get(style.attribute)
        if style.mode is StyleMode.CATEGORIES and values is not None:
            return category_swatches(style, values)
        if style.mode is StyleMode.GRADUATED and values is not None and is_number(values):
            return class_swatches(style, values)
        # Rules are for features alone.
        table = table if style.mode is StyleMode.CONTINUOUS else self.panel.table() or table
        legend = color_table(
            self._desk.session.workspace, self.panel.layer.but(style=style), table, self._desk.session.clock.time
        ).legend
        if style.mode is StyleMode.RULES:
            rest = next((entry.count for entry in legend if entry.label == OTHER_LABEL), 0)
            return [Swatch("color", tr(OTHER_LABEL), style.color, rest)]
        if style.mode is StyleMode.CONTINUOUS:
            lost = next((entry.count for entry in legend if entry.label == NO_DATA_LABEL), 0)
            return [Swatch("missing", tr(NO_DATA_LABEL), style.missing, lost)]
        return [Swatch("", tr(entry.label), entry.color, entry.count, True) for entry in legend]

    # --- choosing --------------------------------------------------------------------------------------------------------

    def _on_mode(self, _row: int) -> None:
        if self._busy:
            return
        if self.mode.currentData() == SOURCE:
            self.choose(mode=StyleMode.SINGLE, color=NEUTRAL)
            return
        mode = StyleMode(str(self.mode.currentData()))
        fields: dict[str, Any] = {"mode": mode}
        if mode is StyleMode.SINGLE and self._is_source(replace(self.panel.style_, mode=mode)):
            fields["color"] = PLAIN
        style, table = self.panel.style_, self._table()
        names = self._names(Style(mode=mode), table)
        if mode in (StyleMode.CATEGORIES, *NUMERIC_MODES) and style.attribute not in names and names:
            fields |= fresh(likely(mode, table, names))
        self.choose(**fields)

    def _on_attribute(self, _row: int) -> None:
        if not self._busy and self.attribute.currentData():
            self.choose(**fresh(str(self.attribute.currentData())))

    def _on_classes(self, _value: int) -> None:
        if self._busy:
            return
        method = Method(str(self.method.currentData()))
        style, table = self.panel.style_, self._table()
        breaks: tuple[float, ...] = ()
        if method is Method.MANUAL and table is not None and style.attribute in table.columns:
            breaks = class_breaks(style, table.columns[style.attribute])
        self.choose(method=method, classes=self.classes.value(), breaks=breaks, class_colors=())

    def _on_ramp(self, _value: object) -> None:
        self.choose(ramp=str(self.ramp.currentData()), reverse=self.reverse.isChecked(), class_colors=())

    def _on_range(self, _value: object) -> None:
        nan = Style().low
        self.choose(log=self.log.isChecked(), clip=tuple(self.clip.currentData() or (2.0, 98.0)), low=nan, high=nan)

    def _on_limits(self) -> None:
        texts = self.limits.text().replace("；", ";").replace("，", ";").split(";")
        try:
            breaks = tuple(sorted({float(text.replace(",", "")) for text in texts if text.strip()}))[: MOST_CLASSES - 1]
        except ValueError:
            self.panel.refresh()
            return
        table, style = self._table(), self.panel.style_
        now = class_breaks(style, table.columns[style.attribute]) if table is not None else ()
        if breaks and [f"{b:.6g}" for b in breaks] != [f"{b:.6g}" for b in now]:
            self.choose(method=Method.MANUAL, breaks=breaks, class_colors=())

    def _on_dragged(self, limits: tuple[float, ...]) -> None:
        if self.panel.style_.mode is StyleMode.CONTINUOUS:
            self.choose(low=limits[0], high=max(limits[1], limits[0] + 1e-12))
        else:
            self.choose(method=Method.MANUAL, breaks=limits)

    def _on_size(self, value: float) -> None:
        self.choose(size=value)

    def _on_rules(self, rules: tuple[Any, ...]) -> None:
        self.choose(rules=rules)

    def _on_recolored(self, key: str, color: str) -> None:
        style = self.panel.points.settled(self.panel.style_)
        if key == "other":
            self.choose(other=color, categories=style.categories)
        elif key in ("color", "missing"):
            self.choose(**{key: color})
        elif key.startswith("class:"):
            shown = [swatch.color for swatch in self.swatches.swatches() if swatch.key.startswith("class:")]
            shown[int(key.removeprefix("class:"))] = color
            self.choose(class_colors=tuple(shown))
        elif key.startswith("category:"):
            self.choose(categories={**(style.categories or {}), key.removeprefix("category:"): color})


class FilterPage(Page):
    """Which features are drawn and listed."""

    def __init__(self, desk: Desk, panel: StyleHost) -> None:
        super().__init__(panel)
        self.edit = ExpressionEdit(desk, panel.table)
        self.edit.set_text(panel.filter_)
        self.edit.changed.connect(panel.choose_filter)
        note = QLabel(
            tr(
                "Features for which the condition does not hold are neither drawn nor listed. Names with spaces stand in double "
                "quotes, texts in single ones: “floor area” > 500 and use like 'off%'."
            )
        )
        note.setObjectName("small")
        note.setWordWrap(True)
        self.column.addWidget(self.edit)
        self.column.addWidget(note)
        self.column.addStretch(1)


class LabelsPage(Page):
    """What is written beside the features."""

    def __init__(self, panel: StyleHost, data: object) -> None:
        super().__init__(panel)
        table = panel.table()
        self.column_ = ColumnBox(["id", *(table.columns if table is not None else ())], data)
        self.priority = QComboBox()
        for text, value in ((tr("first"), 1), (tr("normal"), 0), (tr("last"), -1)):
            self.priority.addItem(text, value)
        self.row(tr("Text"), self.column_)
        self.row(tr("Priority"), self.priority)
        note = QLabel(tr("Labels never cover each other or a pin; where room is short, layers of higher priority win."))
        note.setObjectName("small")
        note.setWordWrap(True)
        self.column.addWidget(note)
        self.column.addStretch(1)
        self.column_.currentTextChanged.connect(self._on_text)
        self.priority.currentIndexChanged.connect(self._on_priority)

    def show_style(self, style: Style) -> None:
        with self.showing():
            if not self.column_.hasFocus():
                self.column_.show_chosen(style.labels)
            self.priority.setCurrentIndex(max(0, self.priority.findData(style.label_priority)))

    def _on_text(self, text: str) -> None:
        self.choose(labels=self.column_.chosen(text))

    def _on_priority(self, _row: int) -> None:
        self.choose(label_priority=int(self.priority.currentData()))


class HeightPage(Page):
    """How high footprints and points stand."""

    def __init__(self, panel: StyleHost, data: object) -> None:
        super().__init__(panel)
        table = panel.table()
        columns = table.columns if table is not None else {}
        self.attribute = ColumnBox([name for name in columns if is_number(columns[name])], data)
        self.factor = QDoubleSpinBox()
        self.factor.setRange(0.001, 10_000.0)
        self.factor.setDecimals(3)
        self.row(tr("Height"), self.attribute)
        self.row(tr("Metres per unit"), self.factor)
        self.note = QLabel()
        self.note.setObjectName("small")
        self.note.setWordWrap(True)
        self.column.addWidget(self.note)
        self.column.addStretch(1)
        self.attribute.currentTextChanged.connect(self._on_text)
        self.factor.valueChanged.connect(self._on_factor)

    def show_style(self, style: Style) -> None:
        with self.showing():
            if not self.attribute.hasFocus():
                self.attribute.show_chosen(style.height)
            self.factor.setValue(style.height_scale)
        self.rows.setRowVisible(self.factor, bool(style.height))
        table = self.panel.table()
        values = table.columns.get(style.height) if table is not None else None
        tallest = float(np.nanmax(values)) * style.height_scale if values is not None and len(values) else 0.0
        text = tr("The highest stands {height} m high.").format(height=format_number(tallest)) if tallest > 0 else ""
        self.note.setText(text or tr("Footprints and points stand up as columns: a number, or an expression such as people / 10."))

    def _on_text(self, text: str) -> None:
        if self._busy:
            return
        name = self.attribute.chosen(text)
        fields: dict[str, Any] = {"height": name}
        table = self.panel.table()
        values = table.columns.get(name) if table is not None else None
        if values is not None and is_number(values) and len(values) and np.isfinite(values.astype(np.float64)).any():
            fields["height_scale"] = _good_factor(float(np.nanmax(values)))
        self.choose(**fields)

    def _on_factor(self, value: float) -> None:
        self.choose(height_scale=value)


def _good_factor(highest: float) -> float:
    """Return metres per unit that make the highest column 100 to 200 m; heights in metres as they are."""
    if not highest > 0 or 3.0 <= highest <= 600.0:
        return 1.0
    return float(10.0 ** np.round(np.log10(150.0 / highest)))
