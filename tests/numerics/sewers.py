"""Small drainage networks as SWMM files, and drains that are not SWMM."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from cimdesk.formats.scenario_inputs import DrainageInput
from cimdesk.model.drainage import Drainage, SewerState

HAS_SWMM = find_spec("swmm") is not None
needs_swmm = pytest.mark.skipif(not HAS_SWMM, reason="SWMM is not installed: drains are NOT tested")

Node = tuple[str, float, float, float, float]
"""Name, x, y, invert, depth."""
Pipe = tuple[str, str, str, float, float]
"""Name, from, to, length, diameter."""


def swmm_text(nodes: Sequence[Node], outfalls: Sequence[Node], pipes: Sequence[Pipe], more: str = "", options: str = "") -> str:
    """Return a SWMM file in m3/s."""
    points = [f"{name} {x} {y}" for name, x, y, _, _ in (*nodes, *outfalls)]
    return "\n".join([
        "[TITLE]", "small", "[OPTIONS]", "FLOW_UNITS CMS", "FLOW_ROUTING KINWAVE", "START_DATE 06/07/2026", "START_TIME 11:00:00",
        "END_DATE 06/07/2026", "END_TIME 12:00:00", "ROUTING_STEP 10", options,
        "[JUNCTIONS]", *(f"{name} {invert} {depth} 0 0 0" for name, _, _, invert, depth in nodes),
        "[OUTFALLS]", *(f"{name} {invert} FREE NO" for name, _, _, invert, _ in outfalls),
        "[CONDUITS]", *(f"{name} {a} {b} {length} 0.013 0 0 0 0" for name, a, b, length, _ in pipes),
        "[XSECTIONS]", *(f"{name} CIRCULAR {diameter} 0 0 0 1" for name, _, _, _, diameter in pipes),
        more, "[COORDINATES]", *points, "",
    ])  # fmt: skip


def drains(folder: Path, text: str, **fields: object) -> Drainage:
    """Return the drains of a SWMM file written into a folder."""
    from cimdesk.commands.flood_drainage import read_drainage

    file = folder / "drains.inp"
    file.write_text(text, encoding="utf-8")
    return read_drainage(DrainageInput(folder / "scenario.toml", file, **fields), None)


class Tank:
    """A drain without pipes: shafts of a given area, and outfalls that let out what is put in by ``leak`` [m3/s]."""

    def __init__(self, heads: Sequence[float], area: float, outfalls: int = 0, leak: float = 0.0, step: float = 1.0) -> None:
        self.heads = np.array(heads, dtype=np.float64)
        self.volume = 0.0
        self._area, self._leak, self._step, self._outfalls = area, leak, step, outfalls

    def advance(self, steps: int, volumes: np.ndarray, levels: np.ndarray) -> SewerState:
        left = np.full(self._outfalls, self._leak * steps * self._step)
        self.heads = self.heads + volumes / self._area
        self.volume += float(volumes.sum()) - float(left.sum())
        return SewerState(self.heads.copy(), left, 0.0, volumes.copy())
