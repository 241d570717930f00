"""Tracing 100,000 links and reading a large .inp, beside the plain way."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
import pytest

from cimdesk.analysis.network.trace import Direction, trace
from cimdesk.formats.hydraulic import EPANET_READER
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.features import FeatureTable, as_strings
from cimdesk.model.network import NodeKind, Utility, UtilityNetwork

pytestmark = pytest.mark.benchmark
SIDE = 224


def grid(side=SIDE):
    """Return a street grid of pipes, about 100,000 links, fed at one corner."""
    number = np.arange(side * side).reshape(side, side)
    start = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()]).astype(np.int32)
    end = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()]).astype(np.int32)
    count, links = side * side, len(start)
    kinds = np.zeros(count, np.uint8)
    kinds[0] = NodeKind.RESERVOIR
    return UtilityNetwork(
        Utility.WATER,
        FeatureTable(as_strings(range(count)), {"demand": np.ones(count)}),
        FeatureTable(as_strings(range(links))),
        kinds,
        np.zeros(links, np.uint8),
        np.column_stack([number.ravel() % side, number.ravel() // side, np.zeros(count)]).astype(float),
        start,
        end,
        np.full(links, 0.2),
        np.full(links, 60.0),
    )


def plain_connected(network, seed):
    """The same answer with dictionaries and a queue."""
    neighbours = {}
    for link, (a, b) in enumerate(zip(network.start.tolist(), network.end.tolist(), strict=True)):
        neighbours.setdefault(a, []).append((b, link))
        neighbours.setdefault(b, []).append((a, link))
    seen, links, queue = {seed}, set(), deque([seed])
    while queue:
        for other, link in neighbours[queue.popleft()]:
            links.add(link)
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return seen, links


def best_of(function, times=3):
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


@pytest.mark.parametrize("direction", list(Direction))
def test_tracing_a_hundred_thousand_links(benchmark, direction):
    network = grid()
    found = benchmark(trace, network, direction, [SIDE * SIDE // 2])
    assert len(found.nodes)


def test_tracing_is_faster_than_the_plain_way():
    network = grid()
    trace(network, Direction.CONNECTED, [0])
    ours, found = best_of(lambda: trace(network, Direction.CONNECTED, [0]))
    plain, (nodes, links) = best_of(lambda: plain_connected(network, 0), 2)
    assert len(found.nodes) == len(nodes)
    assert len(found.links) == len(links)
    assert plain > 5 * ours, f"{plain:.3f} s against {ours:.3f} s"


def test_reading_a_hundred_thousand_pipes(benchmark, tmp_path):
    network = grid()
    lines = ["[OPTIONS]", "Units LPS", "[RESERVOIRS]", "0 100", "[JUNCTIONS]"]
    lines += [f"{k} 12.5 0.4 ;" for k in range(1, len(network.nodes))]
    lines += [
        "[PIPES]",
        *(f"P{k} {a} {b} 60 200 100 0 Open ;" for k, (a, b) in enumerate(zip(network.start, network.end, strict=True))),
    ]
    lines += ["[COORDINATES]", *(f"{k} {x:.2f} {y:.2f}" for k, (x, y, _) in enumerate(network.positions))]
    path = tmp_path / "grid.inp"
    path.write_text("\n".join(lines))
    result = benchmark.pedantic(lambda: EPANET_READER.read(path, ReadOptions()), rounds=2)
    assert result.objects["pipes"] == len(network.links)
    assert not result.problems
