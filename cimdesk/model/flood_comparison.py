"""A flood layer drawn against another: what its options say, the classes of the difference, and their legend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float32, UInt8
from cimdesk.base.i18n import tr
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import shown_map
from cimdesk.model.layers import Layer
from cimdesk.model.style import LegendEntry
from cimdesk.model.workspace import Workspace

AGAINST = "against"
"""Option of a flood layer: the layer it is compared with (``layer``), how (``mode``), and where the swipe stands (``at``)."""
MODES = ("difference", "swipe")
LIMITS = (0.01, 0.05, 0.2, 0.5)
"""Sizes of difference at which classes begin [m]; smaller ones are none."""
WETTER = ("#bcd9ee", "#6fa9d8", "#2a6fb5", "#0b3a74")
DRIER = ("#fbdcb0", "#f2ae5c", "#d9741a", "#8f3b06")
SAME = "#b9bfc6"
WET = 0.03


@dataclass(frozen=True)
class Against:
    """How a flood layer (B) is compared.

    Attributes
    ----------
    layer : str
        The layer it is compared with (A).
    mode : str
        One of `MODES`.
    at : float
        Share of the width of the view that shows A, when swiping.
    """

    layer: str
    mode: str
    at: float


def against_of(options: Mapping[str, Any]) -> Against | None:
    """Return what a layer is compared with; None for nothing, or what makes no sense."""
    kept = options.get(AGAINST)
    if not isinstance(kept, Mapping) or kept.get("mode") not in MODES or not kept.get("layer"):
        return None
    at = kept.get("at", 0.5)
    return Against(str(kept["layer"]), str(kept["mode"]), min(max(float(at), 0.0), 1.0) if isinstance(at, int | float) else 0.5)


def comparison_of(workspace: Workspace, layer: Layer) -> tuple[Against, Layer, FloodResult] | None:
    """Return how a layer is compared, with which layer and run; None where it is not, or the other is not there."""
    against = against_of(layer.options)
    if against is None or workspace.document.get("layer", against.layer) is None:
        return None
    other = workspace.data(against.layer)
    return (against, workspace.layer(against.layer), other) if isinstance(other, FloodResult) else None


def flowing(workspace: Workspace, layer: Layer, result: FloodResult) -> tuple[Layer, ...]:
    """Return the layers whose flow arrows and streaks over a flood layer show: it alone, or both sides of a swipe.

    A difference shows the flow of the layer that the other is taken from. Maps of a whole run have the flow of no moment, and
    results without velocities none.
    """
    compared = comparison_of(workspace, layer)
    if compared is None:
        return (layer,) if result.flow is not None and not shown_map(layer, result) else ()
    against, other, theirs = compared
    sides = [(other, theirs), (layer, result)] if against.mode == "swipe" else [(layer, result)]
    return tuple(each for each, run in sides if run.flow is not None)


def difference_classes(difference: Float32, is_wet: Any) -> UInt8:
    """Return the class of each difference: 0 dry in both, 1 the same, then wetter, then drier from small to large.

    Parameters
    ----------
    difference : float32 array
        B minus A [m]; NaN is class 0.
    is_wet : bool array
        Wet in either.
    """
    count = len(LIMITS)
    size = np.searchsorted(LIMITS, np.abs(np.nan_to_num(difference)), side="right")
    signed = np.where(size == 0, 1, np.where(difference > 0, 1 + size, 1 + count + size))
    return np.where(is_wet & np.isfinite(difference), signed, 0).astype(np.uint8)


def class_colors() -> tuple[str, ...]:
    """Return the colour of each class from 1 on."""
    return (SAME, *WETTER, *DRIER)


def comparison_legend(layer: Layer, other: Layer, mode: str, depth: tuple[LegendEntry, ...]) -> tuple[str, tuple[LegendEntry, ...]]:
    """Return title and lines of the legend of a compared layer, in the current language; ``depth`` are those of water."""
    if mode == "swipe":
        # The names hang beside the line.
        return f"{tr('Water depth')} · A | B", depth
    limits = [*LIMITS, None]
    texts = [f"{low:.2f} – {high:.2f} m" if high else tr("over {low} m").format(low=f"{low:.1f}") for low, high in pairwise(limits)]
    wetter = [LegendEntry(tr("wetter {range}").format(range=text), color) for text, color in zip(texts, WETTER, strict=True)]
    drier = [LegendEntry(tr("drier {range}").format(range=text), color) for text, color in zip(texts, DRIER, strict=True)]
    same = LegendEntry(tr("as wet as before"), SAME)
    title = tr("Depth: {b} minus {a}").format(a=other.name, b=layer.name)
    return title, (*reversed(wetter), same, *drier)
