"""Words can be read on every ground they stand on: the contrast of WCAG 2.2 computed from the colours of the themes."""

from __future__ import annotations

import pytest

from cimdesk.ui.theme import THEMES, Theme, load_theme

GROUNDS = ("panel", "bg", "card", "chip", "hover", "field", "accent_soft")
INKS = ("text", "dim", "accent", "normal", "attention", "warning", "alarm", "stale")
LEAST = {"light": 4.5, "dark": 4.5, "projector": 7.0}
"""Level AA; what a projector throws on a lit wall has to reach level AAA."""


def luminance(color: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(color[k : k + 2], 16) / 255.0 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest) -> Theme:
    return load_theme(request.param)


def test_the_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("ink", INKS)
def test_words_are_readable_on_every_ground(theme: Theme, ink: str, ground: str):
    assert contrast(theme.ink(ink).name(), theme.tokens[ground]) >= LEAST[theme.name]


@pytest.mark.parametrize(("ink", "ground"), [("accent_text", "accent"), ("good_text", "good_soft")])
def test_words_on_coloured_ground_are_readable(theme: Theme, ink: str, ground: str):
    assert contrast(theme.tokens[ink], theme.tokens[ground]) >= LEAST[theme.name]


@pytest.mark.parametrize("ground", GROUNDS)
def test_the_frame_of_what_has_the_keyboard_stands_out(theme: Theme, ground: str):
    # Level AA asks for 3:1 of everything that is no text.
    assert contrast(theme.tokens["accent"], theme.tokens[ground]) >= 3.0
