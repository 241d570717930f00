"""The scenario of a result, kept beside it, so that it can be run again with something changed."""

from __future__ import annotations

from pathlib import Path

from cimdesk.base.errors import DataError
from cimdesk.formats.flood_records import read_records, write_records
from cimdesk.model.flood import FloodScenario

SUFFIX = ".scenario"


def keep_scenario(result_file: Path, scenario: FloodScenario) -> Path:
    """Write the scenario of a result beside it, to the last bit; return the file.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    return write_records(result_file.with_suffix(SUFFIX), scenario)


def kept_scenario(result_file: Path, mapped: bool = False) -> FloodScenario:
    """Return the scenario that a result was made from; ``mapped`` leaves its grids in the file until they are looked at.

    Raises
    ------
    DataError
        If it is not there, or is none.
    """
    file = result_file.with_suffix(SUFFIX)
    if not file.exists():
        raise DataError(
            result_file, "this flood does not say how it was made, so it cannot be run again with measures.",
            remedy="Run the scenario again; results made here keep it beside them.",
        )  # fmt: skip
    scenario = read_records(file, mapped)
    if not isinstance(scenario, FloodScenario):
        raise DataError(file, "this file holds no scenario.", remedy="Run the scenario again.")
    return scenario
