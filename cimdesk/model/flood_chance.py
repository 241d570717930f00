"""Classes of the annual chance of flooding: where each begins, its colour and its label."""

from __future__ import annotations

CHANCE = "annual_chance"
"""Column of the outlines of a probability map."""
CHANCES: tuple[tuple[float, str, str], ...] = (
    (0.01, "#deebf7", "1 – 2 %"),
    (0.02, "#b3d1ec", "2 – 5 %"),
    (0.05, "#7fb2dc", "5 – 10 %"),
    (0.10, "#4a8fc7", "10 – 20 %"),
    (0.20, "#1f66a8", "20 – 50 %"),
    (0.50, "#0b3a70", "50 – 100 %"),
)
"""What is rarer than the first is in no class."""
