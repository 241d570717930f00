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
_UNKNOWN = 2**62
_ROOM = 256 * 2**20
"""Graphics memory left free for code and drawing [bytes]."""
ARRAYS = {"inertial": 14, "dynamic": 23}
"""Arrays of the run's precision that an engine has on the device."""
NOTES_BYTES, HYDROLOGY_BYTES = 28, 20
"""What times of arrival and the like, and rain fields and soils, need there for each cell."""


class Gpu(NamedTuple):
    """What was found: ``name`` of the graphics processor, or the ``reason`` why there is none to compute on (one is empty).

    ``memory`` is all that it has [bytes].
    """

    name: str
    reason: str
    memory: int = _UNKNOWN


@cache
def find_gpu() -> Gpu:
    """Return the graphics processor to compute on, or why there is none."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        return Gpu("simulator", "")
    driver = _driver()
    if driver is None:
        return Gpu("", NO_DRIVER)
    name, memory = _first_device(driver)
    if not name:
        return Gpu("", NO_DEVICE)
    return Gpu(name, "", memory) if find_spec("numba_cuda") is not None else Gpu("", NO_PACKAGE)


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


def memory_needed(scenario: FloodScenario) -> int:
    """Return the graphics memory that a run of a scenario needs [bytes]."""
    rows, columns = scenario.terrain.shape
    has_hydrology = scenario.soil is not None or scenario.rain_field is not None
    each = ARRAYS[scenario.engine] * (4 if scenario.precision == "float32" else 8)
    each += NOTES_BYTES * scenario.timings + HYDROLOGY_BYTES * has_hydrology
    return (rows + 3) * (columns + 3) * each + _ROOM


def refuse_large(needed: int, free: int) -> None:
    """Refuse a run that needs more graphics memory than there is [bytes].

    Raises
    ------
    ServiceError
    """
    if needed > free:
        raise ServiceError(
            "the flood needs {needed} GB of graphics memory, and {free} GB are free.",
            remedy="Use larger cells, a smaller extent, or compute on the processor.",
            needed=f"{needed / 1e9:.1f}", free=f"{free / 1e9:.1f}",
        )  # fmt: skip


def device_of(scenario: FloodScenario) -> str:
    """Return what a scenario is computed on, ``cpu`` or ``gpu``.

    Raises
    ------
    ServiceError, UsageError
        If a graphics processor is asked for and there is none, or the scenario has what none computes or does not fit into its
        memory.
    """
    return check_device(scenario.device, scenario.subgrid is not None, memory_needed(scenario))


def check_device(device: str, has_subgrid: bool, needed: int = 0) -> str:
    """Return the same for what a scenario will have, and the graphics memory it will need [bytes]."""
    if device == "gpu":
        if has_subgrid:
            raise UsageError(
                "floods on coarse cells that know the ground within them are computed on the processor.",
                remedy='Set device = "cpu", or "auto".',
            )  # fmt: skip
        need_gpu()
        refuse_large(needed, find_gpu().memory)
        return "gpu"
    found = find_gpu()
    return "gpu" if device == "auto" and not has_subgrid and not found.reason and needed <= found.memory else "cpu"


def _driver() -> ctypes.CDLL | None:
    libraries = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
    for library in libraries:
        try:
            return ctypes.CDLL(library)
        except OSError:
            continue
    return None


def _first_device(driver: ctypes.CDLL) -> tuple[str, int]:
    """Return name and memory [bytes] of the first graphics processor of the driver; an empty name if it has none."""
    count, device, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(_NAME_LENGTH)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value < 1:
        return "", 0
    if driver.cuDeviceGet(ctypes.byref(device), 0) or driver.cuDeviceGetName(name, _NAME_LENGTH, device):
        return "", 0
    memory = ctypes.c_size_t()
    is_known = driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device) == 0
    return name.value.decode(errors="replace"), memory.value if is_known else _UNKNOWN
