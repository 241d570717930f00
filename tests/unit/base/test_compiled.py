"""Kernels run also where what was compiled cannot be kept, and what was kept is never older than the sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import pytest

from cimdesk.base.compiled import _text_of, njit, source_digest


def test_a_kernel_runs_when_its_code_cannot_be_kept(monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(numba.core.caching.FunctionCache, "save_overload", full)

    @njit(cache=True, nogil=True)
    def twice(x):
        return 2.0 * x

    with caplog.at_level("INFO"):
        assert twice(3.0) == 6.0
    assert "not kept" in caplog.text


def test_options_reach_the_compiler():
    @njit(inline="always", error_model="numpy")
    def over(a, b):
        return a / b

    assert over(1.0, 0.0) == float("inf")


PROGRAM = """
from cimdesk.base.compiled import njit
from cimdesk_under_test.law import LIMIT, law

@njit(cache=True)
def kernel(x):
    return law(x) + LIMIT
"""
LAW = """
from cimdesk.base.compiled import njit
LIMIT = {limit}

@njit(cache=True)
def law(x):
    return {law} * x
"""


def answer(folder: Path, law: int, limit: int) -> list[str]:
    """Return what the kernel gives in a new Python, and whether it came from the cache."""
    package = folder / "cimdesk_under_test"
    package.mkdir(exist_ok=True)
    for name, text in (("__init__", ""), ("kernel", PROGRAM), ("law", LAW.format(law=law, limit=limit))):
        (package / f"{name}.py").write_text(text)
        os.utime(package / f"{name}.py", (1e9, 1e9))
    code = "from cimdesk_under_test.kernel import kernel\nprint(kernel(10.0))\nprint(len(kernel.stats.cache_hits))"
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "kept"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


def test_kept_code_is_used_until_anything_it_is_made_of_changes(tmp_path: Path):
    assert answer(tmp_path, 2, 1) == ["21.0", "0"]
    assert answer(tmp_path, 2, 1) == ["21.0", "1"]
    # Neither the kernel's own file nor any time or size has changed.
    assert answer(tmp_path, 3, 1) == ["31.0", "0"]
    assert answer(tmp_path, 3, 4) == ["34.0", "0"]
    assert answer(tmp_path, 3, 4) == ["34.0", "1"]


def test_a_digest_covers_what_kernels_are_made_of():
    pytest.importorskip("cimdesk.analysis.flood.sweep")
    flood, other = source_digest("cimdesk.analysis.flood.sweep"), source_digest("cimdesk.analysis.flood.kernels")
    assert flood != other
    assert "cimdesk.analysis.flood.kernels" in _text_of("cimdesk.analysis.flood.sweep")[1]
    assert source_digest("no_such_module") != flood
