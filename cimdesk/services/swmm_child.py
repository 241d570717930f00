"""The other end of `swmm.SewerProcess`: runs in the child, answers one question after another until the line is closed."""

from __future__ import annotations

import os
import shutil
import signal
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import Float, Float32


def serve(line: Connection) -> None:
    """Answer questions until the parent closes the line or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    simulation = _Simulation()
    while True:
        try:
            what, content = line.recv()
        except (EOFError, OSError):
            break
        try:
            answer = ("done", getattr(simulation, what)(content))
        except Exception as error:  # noqa: BLE001 - the toolkit raises bare Exception; the parent makes it one message
            answer = ("refused", (str(error), simulation.report()))
        try:
            line.send(answer)
        except OSError:
            break
    simulation.end()


class _Simulation:
    """One SWMM simulation, in SI units outside."""

    def __init__(self) -> None:
        self._swmm: Any = import_module("swmm.toolkit.solver")
        self._codes: Any = import_module("swmm.toolkit.shared_enum")
        self._report = Path()
        self._is_open = False
        self._elapsed = 0.0

    def open(self, setup: dict[str, Any]) -> Float:
        """Read the network, prepare the nodes that meet the surface, start; return the heads at the inlets."""
        swmm, codes = self._swmm, self._codes
        self._report = Path(setup["file"]).with_suffix(".rpt")
        os.chdir(self._report.parent)  # whatever SWMM writes by a relative name goes with the folder
        self._flow, self._length, self._step = setup["flow"], setup["length"], setup["step"]
        self._is_open = True
        swmm.swmm_open(setup["file"], str(self._report), str(Path(setup["file"]).with_suffix(".out")))
        index = {name: swmm.project_get_index(codes.ObjectType.NODE, name) for name in setup["ids"]}
        self._nodes = [index[name] for name in setup["ids"]]
        self._inlets = [self._nodes[row] for row in setup["inlets"]]
        self._outfalls = [self._nodes[row] for row in setup["outfalls"]]
        kinds = {node: swmm.node_get_type(node) for node in self._nodes}
        ends = {node for node, kind in kinds.items() if kind == codes.NodeType.OUTFALL}
        self._ends_elsewhere = sorted(ends - set(self._outfalls))
        self._sealed = sorted(set(kinds) - ends - set(self._inlets))
        pond = setup["area"] / self._length**2
        for node in self._inlets:
            swmm.node_set_parameter(node, codes.NodeProperty.POND_AREA, pond)
        if not setup["ponding"]:
            for node in self._sealed:
                swmm.node_set_parameter(node, codes.NodeProperty.POND_AREA, 0.0)
        self._flows = np.zeros(len(self._inlets))
        self._links = range(swmm.project_get_count(codes.ObjectType.LINK))
        swmm.swmm_start(0)
        self._initial = self._stored()
        return self._heads()

    def advance(self, content: tuple[int, Float, Float]) -> tuple[Float, Float, float, Float]:
        """Take steps with volumes [m3] at the inlets and levels [m] outside the outfalls."""
        steps, volumes, levels = content
        swmm, results = self._swmm, self._codes.NodeResult
        span = steps * self._step
        flows = volumes / (span * self._flow)
        for k in np.flatnonzero((flows != 0.0) | (self._flows != 0.0)).tolist():
            swmm.node_set_total_inflow(self._inlets[k], float(flows[k]))
        self._flows = flows
        for node, level in zip(self._outfalls, (levels / self._length).tolist(), strict=True):
            swmm.outfall_set_stage(node, level)
        left, lost = np.zeros(len(self._outfalls)), 0.0
        taken = 0.0
        for _ in range(steps):
            dt = self._advance_once()
            taken += dt
            left += [self._leaving(node) * dt for node in self._outfalls]
            lost += dt * sum(self._leaving(node) for node in self._ends_elsewhere)
            lost += dt * sum(swmm.node_get_result(node, results.FLOOD) for node in self._sealed)
        return self._heads(), left * self._flow, lost * self._flow, flows * (taken * self._flow)

    def depths(self, _: None) -> Float32:
        """Return the depth at every node [m]."""
        get, depth = self._swmm.node_get_result, self._codes.NodeResult.DEPTH
        return np.array([get(node, depth) for node in self._nodes], dtype=np.float32) * np.float32(self._length)

    def totals(self, _: None) -> tuple[float, ...]:
        """Return initial and present storage, and SWMM's sums of flows [m3]."""
        sums = self._swmm.system_get_routing_totals()
        volume = self._length**3
        flows = (sums.exInflow, sums.dwInflow, sums.outflow, sums.flooding)
        return (self._initial, self._stored(), *(float(value) * volume for value in flows))

    def report(self) -> str:
        """Return SWMM's report so far, for its messages; closes the simulation to have it written out."""
        self.close()
        try:
            return self._report.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def end(self) -> None:
        """Close, and take the files away: a parent that was killed cannot."""
        self.close()
        if self._report.name:
            os.chdir(self._report.parent.parent)
            shutil.rmtree(self._report.parent, ignore_errors=True)

    def close(self) -> None:
        """End the simulation; its files may then be taken away."""
        if self._is_open:
            self._is_open = False
            self._swmm.swmm_close()

    def _advance_once(self) -> float:
        before = self._elapsed
        self._elapsed = round(self._swmm.swmm_step() * 86400.0, 3)
        return self._elapsed - before

    def _leaving(self, outfall: int) -> float:
        """Return the flow out of an outfall; where water comes in, SWMM tells it as outflow of the node, and as inflow too."""
        get, results = self._swmm.node_get_result, self._codes.NodeResult
        back = float(get(outfall, results.TOTAL_OUTFLOW))
        return -back if back > 0.0 else float(get(outfall, results.TOTAL_INFLOW))

    def _heads(self) -> Float:
        get, head = self._swmm.node_get_result, self._codes.NodeResult.HEAD
        heads: Float = np.array([get(node, head) for node in self._inlets], dtype=np.float64)
        return np.asarray(heads * self._length)

    def _stored(self) -> float:
        nodes = sum(self._swmm.node_get_result(node, self._codes.NodeResult.VOLUME) for node in self._nodes)
        links = sum(self._swmm.link_get_result(link, self._codes.LinkResult.VOLUME) for link in self._links)
        return float((nodes + links) * self._length**3)
