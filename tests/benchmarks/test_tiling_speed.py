"""How fast a CityJSON sequence becomes a tileset, per core, and that memory does not grow with its length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest

from tests.benchmarks.test_cityjson_speed import gabled_buildings

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]
SHORT, LONG = 30_000, 120_000
MEMORY = 600 << 20
AIM = 20_000
"""Buildings a second and core."""


def write_sequence(path: Path, count: int) -> Path:
    """Write gabled LoD2 houses with 14 attributes each, a line per house, about a kilobyte."""
    city = gabled_buildings(count)
    vertices = city.pop("vertices")
    objects = city.pop("CityObjects")
    with path.open("wb") as file:
        file.write(msgspec.json.encode({**city, "CityObjects": {}, "vertices": []}) + b"\n")
        for k, (key, item) in enumerate(objects.items()):
            first = 10 * k
            (geometry,) = item["geometry"]
            geometry["boundaries"] = [
                [[[v - first for v in ring] for ring in face] for face in shell] for shell in geometry["boundaries"]
            ]
            line = {"type": "CityJSONFeature", "id": key, "CityObjects": {key: item}, "vertices": vertices[first : first + 10]}
            file.write(msgspec.json.encode(line) + b"\n")
    return path


def write_object(path: Path, count: int) -> Path:
    """Write the same houses as one CityJSON object."""
    path.write_bytes(msgspec.json.encode(gabled_buildings(count)))
    return path


def write_geojson(path: Path, count: int) -> Path:
    """Write outlines of six corners with five attributes each."""
    with path.open("w") as file:
        file.write('{"type":"FeatureCollection","features":[\n')
        for k in range(count):
            x, y = 113.0 + k % 2000 * 4e-4, 23.0 + k // 2000 * 4e-4
            corners = [(0, 0), (2, 0), (2, 1), (2.5, 1.5), (1, 2), (0, 1.5), (0, 0)]
            ring = [[round(x + a * 1e-4, 7), round(y + b * 1e-4, 7)] for a, b in corners]
            about = {"id": f"b{k}", "height": 3 + k % 80, "use": "home", "name": f"House {k}", "year": 1900 + k % 120}
            feature = {"type": "Feature", "properties": about, "geometry": {"type": "Polygon", "coordinates": [ring]}}
            file.write((",\n" if k else "") + json.dumps(feature))
        file.write("]}")
    return path


def write_osm(path: Path, count: int) -> Path:
    """Write square buildings with three tags each."""
    with path.open("w") as file:
        file.write('<osm version="0.6">\n')
        for k in range(4 * count):
            x, y = 113.0 + k // 4 % 2000 * 4e-4 + (k % 4 in (1, 2)) * 2e-4, 23.0 + k // 8000 * 4e-4 + (k % 4 > 1) * 2e-4
            file.write(f'<node id="{k + 1}" lat="{y:.7f}" lon="{x:.7f}" version="1"/>\n')
        for k in range(count):
            refs = "".join(f'<nd ref="{4 * k + each}"/>' for each in (1, 2, 3, 4, 1))
            tags = f'<tag k="building" v="yes"/><tag k="building:levels" v="{1 + k % 20}"/><tag k="name" v="H{k}"/>'
            file.write(f'<way id="{k + 1}" version="1">{refs}{tags}</way>\n')
        file.write("</osm>")
    return path


def measured(path: Path, out: Path, workers: int) -> tuple[dict, float, int]:
    """Return the answer of the command, its seconds of work on all cores, and the peak memory of all its processes [bytes]."""
    command = [sys.executable, "-m", "cimdesk", "tile", str(path), str(out), "--workers", str(workers), "--json"]
    with tempfile.TemporaryFile() as answer:
        running = subprocess.Popen(command, stdout=answer)
        peak = 0
        while True:
            pid, status, usage = os.wait4(running.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, resident(running.pid))
            time.sleep(0.02)
        running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0
        answer.seek(0)
        return json.loads(answer.read()), usage.ru_utime + usage.ru_stime, peak


def resident(pid: int) -> int:
    """Return the memory of a process and of those it started [bytes]; the peak that the system keeps counts its parent's too."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_buildings_per_second_and_core_and_flat_memory(tmp_path):
    short = write_sequence(tmp_path / "short.city.jsonl", SHORT)
    long = write_sequence(tmp_path / "long.city.jsonl", LONG)
    measured(short, tmp_path / "warm", 1)
    first, seconds, memory = measured(short, tmp_path / "a", 1)
    second, more_seconds, more_memory = measured(long, tmp_path / "b", 1)
    assert (first["features"], second["features"]) == (SHORT, LONG)
    # Beyond the start of the program, which a long input does not notice.
    rate = (LONG - SHORT) / (more_seconds - seconds)
    both, _, both_memory = measured(long, tmp_path / "c", 2)
    print(f"\n{rate:,.0f} buildings/s/core; one process {LONG / second['seconds']:,.0f}/s, two {LONG / both['seconds']:,.0f}/s")
    print(f"all processes of two workers: {both_memory / 2**20:.0f} MB")
    print(f"peak memory {memory / 2**20:.0f} MB for {SHORT:,}, {more_memory / 2**20:.0f} MB for {LONG:,} buildings")
    assert max(more_memory, both_memory) < MEMORY
    assert more_memory < 1.25 * memory
    # Seconds of work, not of waiting; on a busy machine they still stretch, by half and more.
    assert rate > (AIM if os.getloadavg()[0] < 1.5 * len(os.sched_getaffinity(0)) else AIM / 2)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("write", "name", "count"),
    [(write_object, "a.city.json", 70_000), (write_geojson, "a.geojson", 60_000), (write_osm, "a.osm", 40_000)],
)
def test_memory_is_flat_for_files_that_are_no_sequences(tmp_path, write, name, count):
    """A file four times as long takes no more memory; read at once, 100 MB of CityJSON or GeoJSON took 1.5 and 0.9 GB."""
    (tmp_path / "short").mkdir()
    (tmp_path / "long").mkdir()
    first, _, memory = measured(write(tmp_path / "short" / name, count), tmp_path / "a", 1)
    second, seconds, more_memory = measured(write(tmp_path / "long" / name, 4 * count), tmp_path / "b", 1)
    assert (first["features"], second["features"]) == (count, 4 * count)
    print(
        f"\n{name}: {memory / 2**20:.0f} MB for {count:,}, {more_memory / 2**20:.0f} MB for {4 * count:,}; {seconds:.0f} s of work"
    )
    assert more_memory < min(MEMORY, 1.25 * memory)
