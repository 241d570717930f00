"""Layer panel: the layer tree as people see it - tick, swatch, name, count - with its menu and opacity slider."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QLinearGradient, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSlider,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from cimdesk.base.i18n import tr
from cimdesk.commands import layers
from cimdesk.model.appearance import DEPTH_CLASSES, UTILITY_COLORS
from cimdesk.model.layers import Layer, LayerKind
from cimdesk.model.style import RAMPS, StyleMode
from cimdesk.ui.actions import ActionSet
from cimdesk.ui.desk import Desk
from cimdesk.ui.layer_tree import DETAIL_ROLE, LAYER_ROLE, STATE_ROLE, UTILITY_ROLE, LayerTree
from cimdesk.ui.theme import current_theme, icon_pixmap

Index = QModelIndex | QPersistentModelIndex
MENU = (
    "layer.zoom", "layer.table", "layer.style", "layer.filter", "stage.color", "select.all", "layer.card", "layer.extrude",
    "layer.export", "", "layer.rename", "layer.remove",
)  # fmt: skip


class LayerPanel(QWidget):
    """The tree with its heading."""

    def __init__(self, desk: Desk, actions: ActionSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._desk = desk
        self._actions = actions
        self.model = LayerTree(desk, self)
        self.heading = QLabel()
        self.heading.setObjectName("heading")
        self.tree = LayerView(self.model, self)
        self.tree.customContextMenuRequested.connect(self._show_menu)
        self.tree.selectionModel().currentChanged.connect(self._on_current)
        self.tree.activated.connect(self._on_activated)
        self.model.modelReset.connect(self._on_reset)
        desk.layer_selected.connect(self._on_layer_selected)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.heading)
        layout.addWidget(self.tree, 1)
        self._on_reset()
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the current language."""
        self.heading.setText(tr("Layers").upper())
        self.model.refresh()
        self.tree.setAccessibleName(tr("Layers"))

    def rename_current(self) -> None:
        """Edit the name of the current layer in place."""
        self.tree.edit(self.tree.currentIndex())

    def menu_for(self, layer: Layer) -> QMenu:
        """Return the context menu of a layer."""
        menu = QMenu(self)
        for name in MENU:
            if name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
                menu.addAction(_OpacityAction(self._desk, layer, menu))
                menu.addSeparator()
        return menu

    def _show_menu(self, at: QPoint) -> None:
        layer = self.tree.indexAt(at).data(LAYER_ROLE)
        if layer is not None:
            self._desk.select_layer(layer.id)
            menu = self.menu_for(layer)
            menu.exec(self.tree.viewport().mapToGlobal(at))
            menu.deleteLater()

    def _on_current(self, current: QModelIndex, _former: QModelIndex) -> None:
        layer = current.data(LAYER_ROLE)
        self._desk.select_layer(layer.id if layer is not None else "")

    def _on_layer_selected(self, layer_id: str) -> None:
        index = self.model.index_of(layer_id)
        if index.isValid() and index != self.tree.currentIndex():
            self.tree.setCurrentIndex(index)

    def _on_activated(self, index: QModelIndex) -> None:
        if index.data(LAYER_ROLE) is not None:
            self._desk.trigger("layer.zoom")

    def _on_reset(self) -> None:
        self.tree.expandAll()
        index = self.model.index_of(self._desk.current_layer)
        if index.isValid():
            self.tree.setCurrentIndex(index)


class LayerView(QTreeView):
    """A quiet tree: no branch lines, rows drawn by `LayerDelegate`."""

    def __init__(self, model: LayerTree, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(LayerDelegate(self))
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setExpandsOnDoubleClick(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QTreeView.Shape.NoFrame)


class LayerDelegate(QStyledItemDelegate):
    """Draws one row: the tick or eye, the swatch, the name, the count."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = current_theme()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, theme.color("accent_soft"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(option.rect, theme.color("hover"))
        layer = index.data(LAYER_ROLE)
        check = index.data(Qt.ItemDataRole.CheckStateRole)
        detail = str(index.data(DETAIL_ROLE) or "")
        missing = index.data(STATE_ROLE) == "unavailable"
        small = theme.font(QFont.Weight.Normal if layer else QFont.Weight.DemiBold, 0.88)
        painter.setFont(small)
        width = painter.fontMetrics().horizontalAdvance(detail)
        right = QRect(option.rect.right() - width - 14, option.rect.top(), width, option.rect.height())
        painter.setPen(theme.ink("alarm" if missing else "dim"))
        painter.drawText(right, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, detail)
        text_left = self._paint_mark(painter, option.rect, index, layer, check)
        hidden = check == Qt.CheckState.Unchecked
        painter.setFont(theme.font(QFont.Weight.Normal if layer else QFont.Weight.DemiBold))
        painter.setPen(theme.color("dim" if hidden or missing else "text"))
        space = QRect(text_left, option.rect.top(), right.left() - text_left - 8, option.rect.height())
        name = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideRight, space.width())
        painter.drawText(space, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        painter.restore()

    def _paint_mark(self, painter: QPainter, rect: QRect, index: Index, layer: Layer | None, check: Qt.CheckState) -> int:
        """Draw what stands before the name; return where the name begins."""
        theme = current_theme()
        size = theme.px("icon_px")
        middle = rect.center().y() + 1
        spot = self.mark_rect(rect, layer is not None)
        if layer is None:
            painter.setPen(QPen(theme.color("dim"), 1.6))
            painter.setBrush(theme.color("dim") if check == Qt.CheckState.Checked else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(spot.center()), size * 0.36, size * 0.36)
            if check == Qt.CheckState.PartiallyChecked:
                painter.setBrush(theme.color("dim"))
                painter.drawPie(
                    QRectF(spot.center().x() - size * 0.36, spot.center().y() - size * 0.36, size * 0.72, size * 0.72),
                    90 * 16,
                    180 * 16,
                )
            return spot.right() + 8
        state = "ui.visible" if layer.visible else "ui.hidden"
        if index.data(STATE_ROLE) == "unavailable":
            state = "ui.missing"
        color = theme.ink("alarm" if state == "ui.missing" else "dim").name()
        painter.drawPixmap(spot.left(), middle - size // 2, icon_pixmap(state, color, size, painter.device().devicePixelRatioF()))
        swatch = QRectF(spot.right() + 9, middle - size * 0.36, size * 0.74, size * 0.74)
        paint_swatch(painter, swatch, layer, index)
        return round(swatch.right()) + 9

    @staticmethod
    def mark_rect(rect: QRect, is_layer: bool) -> QRect:
        """Return where a click shows or hides the row."""
        size = current_theme().px("icon_px")
        return QRect(rect.left() + (24 if is_layer else 12), rect.center().y() + 1 - size // 2, size, size)

    def editorEvent(self, event: QEvent, model: object, option: QStyleOptionViewItem, index: Index) -> bool:
        """Show or hide the row: a click on its mark, or the space bar."""
        is_wanted = isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Space
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            mark = self.mark_rect(option.rect, index.data(LAYER_ROLE) is not None)
            is_wanted = mark.adjusted(-4, -4, 4, 4).contains(event.position().toPoint())
        if not is_wanted:
            return False
        checked = index.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
        wanted = Qt.CheckState.Unchecked if checked else Qt.CheckState.Checked
        return bool(index.model().setData(index, wanted, Qt.ItemDataRole.CheckStateRole))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(160, current_theme().px("row_px"))

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        return QLineEdit(parent)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        editor.setGeometry(option.rect.adjusted(24 + current_theme().px("icon_px") * 2, 0, -6, 0))


def paint_swatch(painter: QPainter, rect: QRectF, layer: Layer, index: Index | None = None) -> None:
    """Draw the small colour sample of a layer: a chip, a round for sensors, a ramp for graduated colours and water."""
    theme = current_theme()
    painter.setPen(QPen(theme.color("dim", 110), 1.0))
    colors = swatch_colors(layer, index)
    if len(colors) > 1:
        gradient = QLinearGradient(rect.topLeft(), rect.topRight())
        for k, color in enumerate(colors):
            gradient.setColorAt(k / (len(colors) - 1), QColor(color))
        painter.setBrush(gradient)
    else:
        painter.setBrush(QColor(colors[0]))
    if layer.kind is LayerKind.SENSORS:
        painter.drawEllipse(rect)
    else:
        painter.drawRoundedRect(rect, 3.0, 3.0)


def swatch_colors(layer: Layer, index: Index | None = None) -> tuple[str, ...]:
    """Return the colours that stand for a layer."""
    if layer.kind is LayerKind.FLOOD:
        return tuple((layer.style.categories or {}).values()) or tuple(color for _, _, color in DEPTH_CLASSES)
    if layer.kind is LayerKind.TERRAIN:
        return ("#a9c88a",)
    if layer.kind is LayerKind.IMAGERY:
        return ("#d8e6c8", "#f1f0ec", "#b9d6e8")
    if layer.style.mode in (StyleMode.GRADUATED, StyleMode.CONTINUOUS):
        colors = layer.style.class_colors or RAMPS.get(layer.style.ramp, RAMPS["viridis"])
        return colors[::-1] if layer.style.reverse and not layer.style.class_colors else colors
    if layer.style.mode is StyleMode.RULES and layer.style.rules:
        return tuple(rule.color for rule in layer.style.rules[:4])
    if layer.style.mode is StyleMode.CATEGORIES and layer.style.categories:
        return tuple(list(layer.style.categories.values())[:4])
    if layer.kind is LayerKind.NETWORK and layer.style.mode is StyleMode.SINGLE and index is not None:
        utility = index.data(UTILITY_ROLE)
        if utility is not None:
            return (UTILITY_COLORS[utility],)
    if layer.style.mode is StyleMode.STATUS:
        return ("#1a9850", "#e8870e", "#d73027")
    if layer.style.mode is StyleMode.STAGE:
        return ("#c9b6e4", "#e8870e", "#1a9850")
    return (layer.style.color,)


class _OpacityAction(QWidgetAction):
    """A slider in the layer's menu; a whole drag is one undo step."""

    def __init__(self, desk: Desk, layer: Layer, parent: QMenu) -> None:
        super().__init__(parent)
        self._desk = desk
        self._layer = layer.id
        row = QWidget(parent)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(12, 4, 14, 4)
        self._label = QLabel(tr("Opacity"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 100)
        self.slider.setValue(round(layer.opacity * 100))
        self.slider.setMinimumWidth(120)
        self.slider.valueChanged.connect(self._on_value)
        layout.addWidget(self._label)
        layout.addWidget(self.slider, 1)
        self.setDefaultWidget(row)

    def _on_value(self, value: int) -> None:
        self._desk.attempt(layers.set_opacity, self._desk.session, self._layer, value / 100.0)
