"""Whether there is a graphics processor that floods can be computed on, and if not, why. Asks the driver; loads no compiler."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

from cimdesk.base.errors import ServiceError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.model.flood import FloodScenario

NO_DRIVER = "there is no NVIDIA driver on this computer."
NO_DEVICE = "the NVIDIA driver finds no graphics processor."
NO_PACKAGE = "the package for graphics processors is not installed."
REMEDIES = {
    NO_DRIVER: "Compute on the processor, or install NVIDIA's driver where there is such a graphics card.",
    NO_DEVICE: "Compute on the processor, or make the graphics card visible to this program.",
    NO_PACKAGE: "Compute on the processor, or install it: pip install cimdesk[gpu]",
}
_NAME_LENGTH = 256


class Gpu(NamedTuple):
    """What was found: ``name`` of the graphics processor, or the ``reason`` why there is none to compute on (one is empty)."""

    name: str
    reason: str


@cache
def find_gpu() -> Gpu:
    """Return the graphics processor to compute on, or why there is none."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        return Gpu("simulator", "")
    driver = _driver()
    if driver is None:
        return Gpu("", NO_DRIVER)
    name = _first_device(driver)
    if not name:
        return Gpu("", NO_DEVICE)
    return Gpu(name, "") if find_spec("numba_cuda") is not None else Gpu("", NO_PACKAGE)


def need_gpu() -> str:
    """Return the name of the graphics processor.

    Raises
    ------
    ServiceError
        Saying why there is none to compute on.
    """
    found = find_gpu()
    if found.reason:
        raise ServiceError(
            "the flood cannot be computed on a graphics processor: {reason}",
            remedy=REMEDIES[found.reason], reason=tr(found.reason),
        )  # fmt: skip
    return found.name


def device_of(scenario: FloodScenario) -> str:
    """Return what a scenario is computed on, ``cpu`` or ``gpu``.

    Raises
    ------
    ServiceError, UsageError
        If a graphics processor is asked for and there is none, or the scenario has what none computes.
    """
    return check_device(scenario.device, scenario.engine, scenario.subgrid is not None)


def check_device(device: str, engine: str, has_subgrid: bool) -> str:
    """Return the same for what a scenario will have."""
    fits = engine == "inertial" and not has_subgrid
    if device == "gpu":
        if not fits:
            raise UsageError(
                "graphics processors compute floods by the inertial engine, without coarse cells.",
                remedy='Set device = "cpu", or "auto".',
            )  # fmt: skip
        need_gpu()
        return "gpu"
    return "gpu" if device == "auto" and fits and not find_gpu().reason else "cpu"


def _driver() -> ctypes.CDLL | None:
    libraries = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
    for library in libraries:
        try:
            return ctypes.CDLL(library)
        except OSError:
            continue
    return None


def _first_device(driver: ctypes.CDLL) -> str:
    """Return the name of the first graphics processor of the driver; empty if it has none."""
    count, device, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(_NAME_LENGTH)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value < 1:
        return ""
    if driver.cuDeviceGet(ctypes.byref(device), 0) or driver.cuDeviceGetName(name, _NAME_LENGTH, device):
        return ""
    return name.value.decode(errors="replace")
