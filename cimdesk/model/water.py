"""How flood water looks: clean blue, or muddy as floods are. The classes of depth are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OPTION = "water"
CLEAN, MUDDY = "clean", "muddy"
MUDDY_COLORS = ("#e6d8bd", "#c3a77c", "#94744a", "#5c4327")


def is_muddy(options: Mapping[str, Any]) -> bool:
    """Return whether a layer with these options shows muddy water."""
    return options.get(OPTION) == MUDDY


def water_colors(options: Mapping[str, Any], clean: Sequence[str]) -> tuple[str, ...]:
    """Return the colours of the classes of depth, from shallow to deep; ``clean`` are those of clean water."""
    return MUDDY_COLORS if is_muddy(options) else tuple(clean)
