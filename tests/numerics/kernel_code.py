"""Compiles every kernel for graphics processors, with the arguments that runs give it, where there is a compiler but no device.

A run of each engine and precision goes on a device that is none: its arrays are NumPy's, and what would be launched is compiled
instead. The simulator cannot tell whether the compiler takes a kernel; this does.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from numba import cuda as _cuda
from numba import typeof

from cimdesk.analysis.flood.cuda_devices import NO_PACKAGE

cuda: Any = _cuda


class Code(NamedTuple):
    """A kernel as the compiler made it."""

    kernel: str
    precision: str
    ptx: str


def why_no_compiler() -> str:
    """Return why nothing can be compiled for graphics processors; empty where it can."""
    if find_spec("numba_cuda") is None:
        return NO_PACKAGE
    if not hasattr(cuda, "compile_ptx"):
        return "numba's simulator is chosen"
    from numba.cuda.cudadrv import nvvm

    try:
        nvvm.NVVM()
    except (OSError, RuntimeError, ImportError) as error:
        return f"no libNVVM: {error.__class__.__name__}"
    return ""


class HostArray(np.ndarray):
    """An array that passes for one of a device."""

    def copy_to_host(self, into: np.ndarray | None = None) -> np.ndarray:
        if into is None:
            return np.array(self)
        into[...] = self
        return into

    def copy_to_device(self, values: np.ndarray) -> None:
        self[...] = values


def on_no_device(stack: ExitStack, launch: Any, capability: tuple[int, int]) -> None:
    """Have runs hand their kernels to ``launch(kernel, arguments)``."""
    from numba.cuda import dispatcher

    from cimdesk.analysis.flood import cuda_run, cuda_water

    def each(self: Any, kernel: Any, *arguments: Any) -> None:
        launch(kernel, (np.ascontiguousarray(self._tiles.active), *arguments))

    replaced = [
        (cuda, "to_device", lambda values: np.array(values).view(HostArray)),
        (cuda, "device_array", lambda shape, dtype: np.zeros(shape, dtype).view(HostArray)),
        (cuda, "current_context", lambda: SimpleNamespace(get_memory_info=lambda: (2**40, 2**40))),
        (dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=capability)),
        (cuda_water.DeviceWater, "each", each),
        (cuda_water, "_over", lambda kernel, count: lambda *arguments: launch(kernel, arguments)),
        (cuda_run, "need_gpu", lambda: "none"),
    ]
    for owner, name, value in replaced:
        stack.enter_context(mock.patch.object(owner, name, value))


def compiled_kernels(capability: tuple[int, int]) -> list[Code]:
    """Return the code of all kernels for devices of this capability, for both precisions."""
    from cimdesk.analysis.flood.cuda_run import CudaRun
    from cimdesk.base.jobs import CancelToken
    from tests.numerics.simulated import everything

    found: dict[Any, Code] = {}

    def launch(kernel: Any, arguments: tuple[Any, ...]) -> None:
        types = tuple(typeof(np.asarray(value) if isinstance(value, HostArray) else value) for value in arguments)
        if (kernel, types) not in found:
            ptx, _ = cuda.compile_ptx(kernel.py_func, types, cc=capability)
            found[kernel, types] = Code(kernel.py_func.__name__, precision, ptx)

    with ExitStack() as stack:
        on_no_device(stack, launch, capability)
        for engine in ("inertial", "dynamic"):
            for precision in ("float32", "float64"):
                run = CudaRun(everything("horton", precision, engine), 1, CancelToken())
                with run:
                    run.advance(run.scenario.duration)
                    run.frame()
    return list(found.values())
