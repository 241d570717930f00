"""How long the demo city takes to make: the small one is waited for, the large one is made once."""

from __future__ import annotations

import pytest

from cimdesk.commands.demo import generate

pytestmark = pytest.mark.benchmark


def test_small_demo_city_is_made_in_seconds(benchmark, tmp_path):
    generate(tmp_path)
    summary = benchmark.pedantic(lambda: generate(tmp_path), rounds=3, iterations=1)
    assert summary.buildings > 700
    assert benchmark.stats.stats.min < 5.0


def test_large_demo_city_is_made_within_a_minute(benchmark, tmp_path):
    summary = benchmark.pedantic(lambda: generate(tmp_path, "city"), rounds=1, iterations=1)
    assert summary.buildings > 18_000
    assert benchmark.stats.stats.min < 40.0
