"""What a picture of the city should be: its size, theme, moment, view and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SnapshotRequest:
    """What a picture should be.

    Attributes
    ----------
    width, height : int
        [px], up to 8192.
    theme : str
    time : float or None
        Moment of the clock [POSIX s]; None draws the start of what there is.
    camera : dict or None
        View of a bookmark; None shows everything.
    title, subtitle : str
        An empty title is the project's.
    legend, furniture : bool
        Whether the legend, and all that frames a figure, are drawn.
    transparent : bool
        Leave the sky and the far ground out, as alpha.
    language : str or None
        None keeps the current one.
    layers : tuple of str or None
        Draw only these; None draws what is visible.
    xray : bool
    scenario, command : str
        Named in the captions where given.
    """

    width: int = 1920
    height: int = 1080
    theme: str = "light"
    time: float | None = None
    camera: dict[str, Any] | None = None
    title: str = ""
    subtitle: str = ""
    legend: bool = True
    furniture: bool = True
    transparent: bool = False
    language: str | None = None
    layers: tuple[str, ...] | None = None
    xray: bool = False
    scenario: str = ""
    command: str = ""
