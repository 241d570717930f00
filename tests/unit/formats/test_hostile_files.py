"""Files made to hurt: every one is read in bounds or refused in one message, by `check` and by import alike."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import set_language
from cimdesk.commands.checking import check
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from tests.samples import city_json, drainage_inp, sensors_csv, terrain_asc
from tests.unit.formats import hostile_containers, hostile_documents  # noqa: F401 - they put their files on the list
from tests.unit.formats.hostile import (
    CASES,
    SECRET,
    gltf,
    made,
    write,
)

SECONDS = 20
MEMORY = 1_200_000_000


@contextmanager
def bounds() -> Iterator[None]:
    """Fail instead of hanging or filling the memory."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"not finished after {SECONDS} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    previous = signal.signal(signal.SIGALRM, expire)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(autouse=True, scope="module")
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the heavy libraries before the memory is bounded."""
    folder = tmp_path_factory.mktemp("warm")
    for path in (city_json(folder / "a.city.json"), drainage_inp(folder / "a.inp"), terrain_asc(folder / "a.asc")):
        import_files(Session(), [path], "EPSG:4547")
    (folder / "a.geojson").write_text('{"type": "Point", "coordinates": [1, 2]}')
    check(folder / "a.geojson")
    import_files(Session(), [sensors_csv(folder / "a.csv")], "EPSG:4547")
    gltf(folder / "a.gltf", {})
    check(folder / "a.gltf")


@pytest.mark.parametrize("name", sorted(CASES))
def test_hostile_file_is_read_in_bounds_or_refused_in_one_message(name: str, tmp_path: Path) -> None:
    path = CASES[name](tmp_path)
    before = everything_in(tmp_path)
    with bounds():
        started = time.process_time()
        report = check(path)
        refusal = imported(path)
        seconds = time.process_time() - started
    assert seconds < SECONDS
    text = json.dumps(report, ensure_ascii=False, allow_nan=False)
    assert SECRET not in text
    assert report["readable"] or len(report["problems"]) == 1
    for problem in report["problems"]:
        assert_reads_well(problem["message"])
    if not report["readable"]:
        assert refusal is not None
    if refusal is not None:
        assert refusal.remedy
        assert_reads_well(refusal.localized())
        assert str(path) in str(refusal)
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("name", ["empty_file", "no_such_file", "pipe_as_city", "zip_bomb", "nested_city", "png_named_json"])
def test_refusal_speaks_chinese_too(name: str, tmp_path: Path) -> None:
    path = CASES[name](tmp_path)
    set_language("zh_CN")
    with bounds():
        report = check(path)
    assert not report["readable"]
    message = report["problems"][0]["message"]
    assert sum("\u4e00" <= letter <= "\u9fff" for letter in message) > 5, message


@pytest.mark.parametrize("write_sample", [city_json, drainage_inp, sensors_csv, terrain_asc])
def test_file_with_spaces_chinese_and_a_long_name_is_read(write_sample: Callable[[Path], Path], tmp_path: Path) -> None:
    suffix = {city_json: ".city.json", drainage_inp: ".inp", sensors_csv: ".csv", terrain_asc: ".asc"}[write_sample]
    folder = made(tmp_path / "规划 数据 #1 %20" / ("长" * 60))
    path = write_sample(folder / ("雨水 管网 (final) é" + "x" * 150 + suffix))
    report = check(path)
    assert report["readable"], report["problems"]
    assert len(import_files(Session(), [path], "EPSG:4547")) == 1


def test_unreadable_project_source_is_told_and_the_rest_opens(tmp_path: Path) -> None:
    good, bad = city_json(tmp_path / "good.city.json"), city_json(tmp_path / "bad.city.json")
    session = Session()
    import_files(session, [good])
    with pytest.raises(CimdeskError):
        import_files(session, [write(bad, bad.read_bytes()[:100])])
    assert [layer.name for layer in session.workspace.layers()] == ["good"]


def test_a_file_that_may_not_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = city_json(tmp_path / "a.city.json")
    if os.geteuid() == 0:  # the superuser may open everything
        real_open = Path.open

        def refuse(self: Path, *arguments: object, **options: object) -> object:
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return real_open(self, *arguments, **options)

        monkeypatch.setattr(Path, "open", refuse)
    else:
        path.chmod(0)
    report = check(path)
    assert not report["readable"]
    assert "access is denied" in report["problems"][0]["message"]


def imported(path: Path) -> CimdeskError | None:
    try:
        import_files(Session(), [path], "")
    except CimdeskError as error:
        return error
    return None


def assert_reads_well(message: str) -> None:
    assert message.strip()
    assert len(message) < 2000, message
    for word in ("Traceback", "Error(", "NoneType", "numpy", "Exception", "object has no attribute", "Errno", "sqlite3_"):
        assert word not in message, message


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
