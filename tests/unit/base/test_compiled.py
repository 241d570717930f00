"""Kernels run also where what was compiled cannot be kept."""

from __future__ import annotations

import numba.core.caching

from cimdesk.base.compiled import njit


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
