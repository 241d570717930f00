"""Every real file and folder, checked and imported: read, or refused in one message; never a hang or a full memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cimdesk.base.errors import CimdeskError
from cimdesk.commands.checking import check
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files

pytestmark = pytest.mark.real

CHUNKS = 24
SECONDS = 5.0
MEGABYTES = 400
"""That one file may take at its peak: twice what the largest of them needs."""
HEAVY = ("3dtiles/pg2b3dm", "vector/osm")
"""Folders whose files take a second or more; they have tests of their own kind."""
JARGON = ("Traceback", "NoneType", "object has no attribute", "Errno", "numpy", "sqlite3_", "Error:", "Error(", "0x7f")


@pytest.fixture(scope="module")
def paths(real_data: Path) -> list[Path]:
    found = sorted(real_data.rglob("*"))
    assert sum(path.is_file() for path in found) > 800
    return found


def megabytes(field: str) -> float:
    """Return a field of the process status: `VmRSS` is the memory it holds now, `VmHWM` the most it has held."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":")]
    return int(line.split()[1]) / 1024


@contextmanager
def little_memory(path: Path) -> Iterator[None]:
    """Fail where the peak lies too far above the start; the tests that ran before do not count."""
    Path("/proc/self/clear_refs").write_text("5")
    before = megabytes("VmRSS")
    yield
    assert megabytes("VmHWM") - before < MEGABYTES, path


def checked(path: Path) -> dict:
    """Return the report of a file and try to import it; assert what must be true of every one."""
    with little_memory(path):
        return checked_and_imported(path)


def checked_and_imported(path: Path) -> dict:
    started = time.process_time()
    report = check(path)
    text = json.dumps(report, ensure_ascii=False, allow_nan=False)
    assert not [word for word in JARGON if word in text], text[:2000]
    assert report["readable"] or len(report["problems"]) == 1, text[:2000]
    if report["readable"]:
        assert report["format"], path
    for problem in report["problems"]:
        assert problem["message"].strip(), problem
        assert problem["code"], problem
    refusal = refused(path)
    assert refusal is not None or report["readable"], path
    if refusal is not None:
        assert str(path) in str(refusal)
        assert refusal.message.strip()
        assert refusal.remedy.strip(), str(refusal)
        assert not [word for word in JARGON if word in str(refusal)], str(refusal)
    assert time.process_time() - started < 2 * SECONDS, path
    return report


def refused(path: Path) -> CimdeskError | None:
    try:
        layers = import_files(Session(), [path])
    except CimdeskError as error:
        return error
    assert layers, path
    return None


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_file_and_folder_is_read_or_refused_in_one_message(chunk: int, paths: list[Path], real_data: Path) -> None:
    for path in paths[chunk::CHUNKS]:
        if not path.relative_to(real_data).as_posix().startswith(HEAVY):
            checked(path)


@pytest.mark.slow
@pytest.mark.parametrize("folder", HEAVY)
def test_large_files_are_read_or_refused_in_one_message(folder: str, real_data: Path) -> None:
    for path in [real_data / folder, *sorted((real_data / folder).rglob("*"))]:
        checked(path)


def test_what_others_found_damaged_is_told(real_data: Path, facts: dict) -> None:
    silent = []
    for name, fact in facts.items():
        if "expect" in fact:
            report = check(real_data / name)
            if report["readable"] and not any(problem["severity"] != "info" for problem in report["problems"]):
                silent.append(f"{name}: {fact['expect']}")
    assert not silent, "\n".join(silent)
