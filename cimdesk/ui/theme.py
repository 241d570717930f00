"""Themes: tokens of colour and size, and the palette, style sheet and icons made from them. The only place with colours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Any

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPainter, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from cimdesk.base.i18n import current_language
from cimdesk.base.paths import cache_dir, resource_dir

THEMES = ("light", "dark", "projector")
FONT_FAMILIES = [
    "Noto Sans",
    "Source Sans 3",
    "Segoe UI",
    "SF Pro Text",
    "Noto Sans CJK SC",
    "Microsoft YaHei UI",
    "PingFang SC",
    "DejaVu Sans",
]
SMALLEST_SCALED_PX = 17
"""Text of a theme made for a higher screen is at least this large [px]."""


@dataclass(frozen=True)
class Theme:
    """One theme.

    Attributes
    ----------
    name : str
        ``light``, ``dark`` or ``projector``.
    tokens : mapping
        Colours as ``#rrggbb`` and sizes in logical pixels, by name.
    """

    name: str
    tokens: dict[str, Any]

    def color(self, token: str, alpha: int = 255) -> QColor:
        """Return the colour of a token."""
        color = QColor(self.tokens[token])
        color.setAlpha(alpha)
        return color

    def ink(self, token: str) -> QColor:
        """Return the colour of a token for words and small marks: the same hue, dark or light enough to be read."""
        return QColor(self.tokens.get(f"{token}_ink", self.tokens[token]))

    def px(self, token: str) -> int:
        """Return a size in logical pixels."""
        return int(self.tokens[token])

    def font(self, weight: QFont.Weight = QFont.Weight.Normal, scale: float = 1.0) -> QFont:
        """Return the text font at ``scale`` times the normal size."""
        font = QFont()
        font.setFamilies(FONT_FAMILIES)
        font.setPixelSize(round(self.px("font_px") * scale))
        font.setWeight(weight)
        # A new font begins as the application's, which may be of another language.
        font.clearFeatures()
        if current_language() == "en":
            # Fonts made for Chinese have quotation marks as wide as a character.
            font.setFeature(QFont.Tag("pwid"), 1)
        return font

    @property
    def is_dark(self) -> bool:
        """Whether text is light on dark."""
        return bool(self.tokens["dark"])


def load_theme(name: str, height: int = 0) -> Theme:
    """Return a theme by name.

    Parameters
    ----------
    name : str
    height : int
        Of the window [px]. A theme made for a screen of a certain height is smaller in proportion on a lower one: what a projector
        throws on the wall is then as large. 0 for its full size.

    Raises
    ------
    ValueError
        When there is none of that name.
    """
    if name not in THEMES:
        raise ValueError(f"no theme {name!r}; there are {', '.join(THEMES)}")
    return _scaled_theme(name, _font_px(name, height))


def _font_px(name: str, height: int) -> int:
    tokens = _tokens(name)
    size, made_for = int(tokens["font_px"]), int(tokens.get("made_for_px", 0))
    return max(round(size * min(height / made_for, 1.0)), SMALLEST_SCALED_PX) if height and made_for else size


@cache
def _tokens(name: str) -> dict[str, Any]:
    return dict(json.loads((resource_dir() / "themes" / f"{name}.json").read_text(encoding="utf-8")))


@cache
def _scaled_theme(name: str, size: int) -> Theme:
    tokens = dict(_tokens(name))
    share = size / tokens["font_px"]
    tokens.update(font_px=size, row_px=round(tokens["row_px"] * share), icon_px=round(tokens["icon_px"] * share))
    tokens.update(
        small_px=round(size * 0.86),
        status_px=round(size * 0.92),
        title_px=round(size * 1.2),
        big_px=round(size * 1.9),
        box_px=round(size * 1.1),
        chevron_px=round(size * 0.92),
        menu_pad=min(round(size * 0.62), 9),
        menu_px=min(size, 20),
    )
    return Theme(name, tokens)


_current: list[Theme] = []


def current_theme() -> Theme:
    """Return the theme in use."""
    if not _current:
        _current.append(load_theme("light"))
    return _current[0]


def apply_theme(application: QApplication, name: str, height: int = 0) -> Theme:
    """Give the whole application another theme, sized for a window of a height [px] (see `load_theme`), and return it."""
    theme = load_theme(name, height)
    _current[:] = [theme]
    application.setFont(theme.font())
    application.setPalette(_palette(theme))
    application.setStyleSheet(style_sheet(theme))
    return theme


def style_sheet(theme: Theme) -> str:
    """Return the style sheet with the theme's tokens filled in."""
    template = Template((resource_dir() / "themes" / "app.qss").read_text(encoding="utf-8"))
    chevron, check = _tinted_file("ui.chevron", theme.tokens["dim"]), _tinted_file("ui.check", theme.tokens["accent_text"])
    return template.substitute(theme.tokens, chevron=chevron, check=check)


def _tinted_file(name: str, color: str) -> str:
    """Return the path of an icon written in one colour, for style sheets, which cannot recolour."""
    target = cache_dir() / f"{name}-{color[1:]}.svg"
    if not target.is_file():
        target.write_text(_svg(name, color), encoding="utf-8")
    return target.as_posix()


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for where, token in (
        (role.Window, "panel"), (role.WindowText, "text"), (role.Base, "panel"), (role.AlternateBase, "bg"), (role.Text, "text"),
        (role.Button, "chip"), (role.ButtonText, "text"), (role.ToolTipBase, "card"), (role.ToolTipText, "text"),
        (role.Highlight, "accent"), (role.HighlightedText, "accent_text"), (role.PlaceholderText, "dim"), (role.Link, "accent_ink"),
        (role.Mid, "line"), (role.Dark, "line"), (role.Light, "panel"), (role.Midlight, "chip"),
        (role.Shadow, "line"), (role.Accent, "accent"),
    ):  # fmt: skip
        palette.setColor(where, theme.color(token))
    for where in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, where, theme.color("disabled"))
    return palette


def icon(name: str, theme: Theme | None = None) -> QIcon:
    """Return the line icon of an action or panel part, in the theme's colours (normal, disabled, checked)."""
    theme = theme or current_theme()
    return _icon(name, theme.name)


@cache
def _icon(name: str, theme_name: str) -> QIcon:
    theme = load_theme(theme_name)
    made = QIcon()
    size = theme.px("icon_px")
    ratios = {1.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}
    for ratio in sorted(ratios):
        for mode, state, token in (
            (QIcon.Mode.Normal, QIcon.State.Off, "text"),
            (QIcon.Mode.Disabled, QIcon.State.Off, "disabled"),
            (QIcon.Mode.Normal, QIcon.State.On, "accent"),
            (QIcon.Mode.Disabled, QIcon.State.On, "disabled"),
        ):
            made.addPixmap(icon_pixmap(name, theme.tokens[token], size, ratio), mode, state)
    return made


def paint_card(painter: QPainter, widget: QWidget, theme: Theme, radius: float) -> None:
    """Paint a widget's ground as a card over the scene: rounded, with a fine line, the scene showing through a little."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.color("line"), 1.0))
    painter.setBrush(theme.color("card", theme.px("card_alpha")))
    painter.drawRoundedRect(QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def icon_pixmap(name: str, color: str, size: int, ratio: float = 1.0) -> QPixmap:
    """Return an icon drawn in one colour, ``size`` logical pixels square."""
    from PySide6.QtSvg import QSvgRenderer

    # Read before the painter begins: Qt does not survive an error with a painter at work.
    drawing = QSvgRenderer(QByteArray(_svg(name, color).encode()))
    pixmap = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    drawing.render(painter)
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


@cache
def _svg_source(name: str) -> str:
    return (resource_dir() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


def _svg(name: str, color: str) -> str:
    return _svg_source(name).replace("#000", color)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1..21 (WCAG 2.2, relative luminance)."""
    brighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    linear = [
        (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (int(color[k : k + 2], 16) / 255 for k in (1, 3, 5))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
