"""Looks: the colours and lights of the picture for each theme."""

from __future__ import annotations

from dataclasses import dataclass

from cimdesk.model.style import rgba


@dataclass(frozen=True)
class Look:
    """Colours of one theme, ``#rrggbb``, and strengths of its lights.

    Attributes
    ----------
    horizon, sky : str
        Background at the horizon and at the top of the picture.
    wall, roof, edge : str
        Buildings without a colour of their own, and the quiet lines along their edges.
    ground, green, rock : str
        Flat ground, hills and parks, steep or high ground.
    accent, hover : str
        Outline of what is selected, and of what is under the cursor.
    text, halo, panel, dim, line : str
        Labels and furniture.
    key, fill : tuple of (colour, intensity)
        The sun and the sky light.
    edge_width, line_width : float
        Thin lines and highlighted lines [px at 72 dpi].
    text_px : int
        Height of furniture text [px at 72 dpi].
    """

    name: str
    horizon: str
    sky: str
    wall: str = "#f2ede3"
    roof: str = "#fffdf8"
    edge: str = "#c2bcae"
    ground: str = "#cccbc6"
    green: str = "#a9c191"
    rock: str = "#c9bfa8"
    accent: str = "#1f6feb"
    hover: str = "#7db2ff"
    text: str = "#1d2733"
    halo: str = "#ffffff"
    panel: str = "#ffffff"
    dim: str = "#66727f"
    line: str = "#dfe3e8"
    key: tuple[str, float] = ("#fff1dc", 0.92)
    fill: tuple[str, float] = ("#cfe0f2", 0.42)
    shade: float = 1.0
    edge_width: float = 1.0
    line_width: float = 3.0
    text_px: int = 13


LOOKS = {
    "light": Look("light", "#f4f6f8", "#a9c4dd"),
    "dark": Look(
        "dark", "#3a4652", "#161c23",
        wall="#b9b6b0", roof="#d2d0cb", edge="#7f7b73", ground="#5d6166", green="#5f7558", rock="#77705f",
        accent="#5b9dff", hover="#a9ccff", text="#e6ebf0", halo="#15191e", panel="#1d2329", dim="#93a0ad", line="#2e3740",
        key=("#ffeed6", 0.80), fill=("#9fb8d6", 0.40), shade=0.8,
    ),
    "projector": Look(
        "projector", "#ffffff", "#ffffff",
        wall="#efe6d2", roof="#ffffff", edge="#4a463d", ground="#d3d3cf", green="#9cc07a", rock="#c6b78f",
        accent="#0044cc", hover="#3d86ff", text="#000000", halo="#ffffff", panel="#ffffff", dim="#2b2b2b", line="#000000",
        edge_width=1.5, line_width=5.0, text_px=24,
    ),
}  # fmt: skip


def look_of(theme: str) -> Look:
    """Return the look of a theme, ``light``, ``dark`` or ``projector``; raises ValueError for any other."""
    if theme not in LOOKS:
        raise ValueError(f"no theme {theme!r}; there are {', '.join(LOOKS)}")
    return LOOKS[theme]


def unit_rgb(color: str) -> tuple[float, float, float]:
    """Return 0..1 components of ``#rrggbb``; VTK reads integers as something else."""
    red, green, blue, _ = rgba(color)
    return red / 255.0, green / 255.0, blue / 255.0
