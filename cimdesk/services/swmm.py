"""SWMM in a process of its own: one simulation per process, stepped from here, gone when this process is gone.

The surface model owns the rain. The copy of the network that SWMM gets therefore ignores rainfall, snow melt, groundwater and
RDII, so that no drop is counted twice; dry-weather flow and inflows of the file stay. Steps are fixed, because only then do
SWMM's own books agree with flow times time, and full pipes use the Preissmann slot, because the older method makes water when
the inflow of full pipes varies. Line numbers of the file are kept for messages.
"""

from __future__ import annotations

import multiprocessing
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Float32, Strings
from cimdesk.base.errors import DataError, ServiceError, UsageError
from cimdesk.base.units import DEFAULT_ZONE
from cimdesk.model.drainage import SewerState, SewerTotals

ANSWER_SECONDS = 120.0
"""Longer than SWMM ever takes over a few steps."""
MOST_TRIALS = 8
_FLOW = {"CFS": 0.028316846592, "GPM": 6.30901964e-5, "MGD": 0.0438126364, "CMS": 1.0, "LPS": 1e-3, "MLD": 1e3 / 86400}
_US = frozenset({"CFS", "GPM", "MGD"})
_REPLACED = frozenset({
    "FLOW_ROUTING", "IGNORE_RAINFALL", "IGNORE_RDII", "IGNORE_SNOWMELT", "IGNORE_GROUNDWATER", "IGNORE_QUALITY", "IGNORE_ROUTING",
    "ALLOW_PONDING", "SURCHARGE_METHOD", "VARIABLE_STEP", "ROUTING_STEP", "THREADS", "SKIP_STEADY_STATE", "START_DATE",
    "START_TIME", "REPORT_START_DATE", "REPORT_START_TIME", "END_DATE", "END_TIME", "MIN_SURFAREA", "MAX_TRIALS",
})  # fmt: skip
_OPENS_FILES = frozenset({"TIMESERIES", "TEMPERATURE", "RAINGAGES"})


@dataclass(frozen=True)
class SewerPlan:
    """What of a network takes part.

    Attributes
    ----------
    source : Path
        SWMM input file.
    ids : (N,) str
        All nodes, as the file writes them.
    inlets : (K,) int, outfalls : (M,) int
        Rows of ``ids`` that meet the surface: inlets, and outfalls on the grid.
    manhole_area : float
        [m2]
    step : float
        [s]
    start : float or None
        [POSIX s]; None takes the file's own start.
    duration : float
        [s]
    encoding : str
        Of the file.
    """

    source: Path
    ids: Strings
    inlets: AnyArray
    outfalls: AnyArray
    manhole_area: float
    step: float
    start: float | None
    duration: float
    encoding: str = "utf-8"


def has_swmm() -> bool:
    """Return whether SWMM is installed."""
    try:
        return find_spec("swmm.toolkit") is not None
    except ModuleNotFoundError:
        return False


def require_swmm() -> None:
    """Raise UsageError, naming its package, when SWMM is not installed."""
    if not has_swmm():
        raise UsageError("drains need SWMM, which is not installed.", remedy="Install it: pip install swmm-toolkit")


class SewerProcess:
    """A running SWMM simulation in a child process; a context manager.

    Raises
    ------
    UsageError
        If SWMM is not installed.
    DataError
        If SWMM refuses the network: its first message, with the line of the file.
    ServiceError
        If the process stops answering.
    """

    def __init__(self, plan: SewerPlan) -> None:
        require_swmm()
        self.plan = plan
        self._folder = tempfile.TemporaryDirectory(prefix="cimdesk-swmm-", ignore_cleanup_errors=True)
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        from cimdesk.services.swmm_child import serve

        self._process = context.Process(target=serve, args=(theirs,), daemon=True, name="cimdesk-swmm")
        try:
            self._process.start()
            theirs.close()
            self.heads: Float = self._ask("open", self._setup())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> SewerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def advance(self, steps: int, volumes: Float, levels: Float) -> SewerState:
        """Take some steps; see `cimdesk.analysis.flood.drainage.Sewers`."""
        state = SewerState(*self._ask("advance", (steps, volumes, levels)))
        if not (np.isfinite(state.heads).all() and np.isfinite(state.outfall_volumes).all() and np.isfinite(state.lost)):
            raise ServiceError(
                "the flow in the drains has become unstable.", path=self.plan.source, remedy="Take a smaller step for the drains."
            )
        self.heads = state.heads
        return state

    def depths(self) -> Float32:
        """Return (N,) float32 water above the invert at every node now [m]."""
        depths: Float32 = self._ask("depths", None)
        return depths

    def totals(self) -> SewerTotals:
        """Return SWMM's own account so far."""
        return SewerTotals(*self._ask("totals", None))

    def close(self) -> None:
        """End the process; harmless when it has ended."""
        self._line.close()
        if self._process.pid is not None:
            self._process.join(2.0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._folder.cleanup()

    def _setup(self) -> dict[str, Any]:
        plan = self.plan
        try:
            text = plan.source.read_bytes().decode(plan.encoding)
        except OSError as error:
            raise DataError(plan.source, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
        except UnicodeDecodeError:
            text = plan.source.read_bytes().decode("latin-1")
        options = _options(text)
        units = options.get("FLOW_UNITS", "CFS").upper()
        length = 0.3048 if units in _US else 1.0
        file = Path(self._folder.name) / "network.inp"
        file.write_text(prepared(text, plan, length), encoding="utf-8", newline="\n")
        return {
            "file": str(file), "ids": list(plan.ids), "inlets": plan.inlets.tolist(), "outfalls": plan.outfalls.tolist(),
            "flow": _FLOW.get(units, 1.0), "length": length, "step": plan.step, "area": plan.manhole_area,
            "ponding": options.get("ALLOW_PONDING", "NO").upper() == "YES",
        }  # fmt: skip

    def _ask(self, what: str, content: Any) -> Any:
        try:
            self._line.send((what, content))
            if not self._line.poll(ANSWER_SECONDS):
                raise ServiceError("SWMM has stopped answering.", path=self.plan.source)
            kind, answer = self._line.recv()
        except (EOFError, ConnectionError) as error:
            raise ServiceError("SWMM ended unexpectedly.", path=self.plan.source, remedy="Check the network with SWMM.") from error
        if kind == "refused":
            reason, line = swmm_message(*answer)
            raise DataError(self.plan.source, "SWMM refuses the network: {reason}", where=line, reason=reason)
        return answer


def prepared(text: str, plan: SewerPlan, length: float) -> str:
    """Return the input file as SWMM gets it: same lines, with what the coupling decides at the end.

    Parameters
    ----------
    text : str
    plan : SewerPlan
    length : float
        Metres in the file's unit of length.
    """
    options = _options(text)
    start = _start(options, plan.start)
    end = start + timedelta(seconds=plan.duration + 86400.0)
    settings = {
        "FLOW_ROUTING": "DYNWAVE", "IGNORE_RAINFALL": "YES", "IGNORE_RDII": "YES", "IGNORE_SNOWMELT": "YES",
        "IGNORE_GROUNDWATER": "YES", "IGNORE_QUALITY": "YES", "ALLOW_PONDING": "YES", "SURCHARGE_METHOD": "SLOT",
        "VARIABLE_STEP": "0", "ROUTING_STEP": f"{plan.step:g}", "SKIP_STEADY_STATE": "NO", "THREADS": "1",
        "MIN_SURFAREA": f"{plan.manhole_area / length**2:.6g}", "MAX_TRIALS": str(MOST_TRIALS),
        "START_DATE": f"{start:%m/%d/%Y}", "START_TIME": f"{start:%H:%M:%S}", "REPORT_START_DATE": f"{start:%m/%d/%Y}",
        "REPORT_START_TIME": f"{start:%H:%M:%S}", "END_DATE": f"{end:%m/%d/%Y}", "END_TIME": f"{end:%H:%M:%S}",
    }  # fmt: skip
    lines = []
    section = ""
    for line in text.splitlines():
        words = line.split(";")[0].split()
        if words and words[0].startswith("["):
            section = words[0].strip("[]").upper()
        elif words and (_is_left_out(section, words)):
            line = ";;" + line
        elif section in _OPENS_FILES or section == "FILES":
            line = _absolute(line, plan.source.absolute().parent)
        lines.append(line)
    added = ["[OPTIONS]", *(f"{key} {value}" for key, value in settings.items())]
    return "\n".join([*lines, *added, ""])


def _is_left_out(section: str, words: Sequence[str]) -> bool:
    if section == "FILES":
        return words[0].upper() != "USE" or len(words) < 3 or words[1].upper() not in ("HOTSTART", "INFLOWS")
    # LIDs take part in runoff only, which is off; their rows would have SWMM write reports beside the network.
    return section in ("REPORT", "LID_USAGE") or (section == "OPTIONS" and words[0].upper() in _REPLACED)


def _absolute(line: str, folder: Path) -> str:
    """Return a line with the file it names made absolute."""
    found = re.search(r'(?i)(\bFILE\s+|\b(?:HOTSTART|INFLOWS)\s+)("([^"]+)"|\S+)', line)
    if not found:
        return line
    name = found[3] or found[2]
    file = Path(name.replace("\\", "/"))
    return line if file.is_absolute() else f'{line[: found.start(2)]}"{folder / file}"{line[found.end(2) :]}'


def _options(text: str) -> dict[str, str]:
    options = {}
    section = ""
    for line in text.splitlines():
        words = line.split(";")[0].split()
        if words and words[0].startswith("["):
            section = words[0].strip("[]").upper()
        elif section == "OPTIONS" and len(words) > 1:
            options[words[0].upper()] = words[1]
    return options


def _start(options: dict[str, str], start: float | None) -> datetime:
    """Return the local moment the pipes start at: the scenario's, else the file's own."""
    if start is not None:
        return datetime.fromtimestamp(round(start), ZoneInfo(DEFAULT_ZONE)).replace(tzinfo=None)
    day, clock = options.get("START_DATE", "01/01/2004"), options.get("START_TIME", "00:00:00")
    for form in ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M"):
        try:
            return datetime.strptime(f"{day} {clock}", form)
        except ValueError:
            continue
    return datetime(2004, 1, 1)


def swmm_message(error: str, report: str) -> tuple[str, str]:
    """Return what SWMM said in one line, and where: its report names the first fault better than its error does.

    Parameters
    ----------
    error : str
        Of the call that failed.
    report : str
        SWMM's report file so far.
    """
    found = re.search(r"ERROR\s+(\d+):\s*(.+?)\s*(?:\n\s*(.*?)\s*)?(?:\n|$)", report)
    if not found:
        return " ".join(error.split()) or "?", ""
    number, reason, line = found[1], found[2].rstrip(" .:"), found[3] or ""
    at = re.search(r"\s+at line (\d+) of (.+?)(?: section)?$", reason)
    if not at:
        return f"{reason} [{number}].", ""
    return f"{reason[: at.start()]} [{number}]: {line}", f"line {at[1]}"
