"""How fast CityGML becomes triangles, beside VTK's own reader in the same run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.formats.citygml import READER
from cimdesk.formats.registry import ReadOptions

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0"
 xmlns:gen="http://www.opengis.net/citygml/generics/2.0" xmlns:gml="http://www.opengis.net/gml"
 xmlns:xlink="http://www.w3.org/1999/xlink">
<gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::5783" srsDimension="3"/></gml:boundedBy>
"""
CORNERS = 12
"""Of each footprint: blocks of VTK's favourite kind, without themes, links or holes."""


def polygon(points: np.ndarray, key: str) -> str:
    positions = " ".join(f"{value:.3f}" for value in np.vstack([points, points[:1]]).ravel())
    return (
        f'<gml:surfaceMember><gml:Polygon gml:id="{key}"><gml:exterior><gml:LinearRing><gml:posList>{positions}</gml:posList>'
        "</gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember>\n"
    )


def prisms(count: int, seed: int = 5):
    """Yield the faces of round towers on a grid, the ground first, then the roof, then the walls."""
    rng = np.random.default_rng(seed)
    turn = np.arange(CORNERS) * 2.0 * np.pi / CORNERS
    for k in range(count):
        centre = np.array([500_000.0 + k % 300 * 30.0, 5_400_000.0 + k // 300 * 30.0, rng.uniform(0, 5)])
        ring = centre + np.column_stack([10.0 * np.cos(turn), 10.0 * np.sin(turn), np.zeros(CORNERS)])
        top = ring + np.array([0.0, 0.0, rng.uniform(6, 30)])
        around = np.roll(np.arange(CORNERS), -1)
        yield k, [ring[::-1], top, *(np.array([ring[i], ring[j], top[j], top[i]]) for i, j in enumerate(around))]


def attributes(k: int) -> str:
    return (
        f"<gml:name>Tower {k}</gml:name>"
        f'<gen:stringAttribute name="owner"><gen:value>owner {k % 97}</gen:value></gen:stringAttribute>'
        f"<bldg:function>31001_1010</bldg:function><bldg:yearOfConstruction>{1950 + k % 70}</bldg:yearOfConstruction>"
        f'<bldg:measuredHeight uom="urn:adv:uom:m">{6 + k % 24}</bldg:measuredHeight>'
    )


def write_blocks(path: Path, count: int) -> None:
    """Write buildings of plain multi-surfaces."""
    with path.open("w") as file:
        file.write(HEAD)
        for k, faces in prisms(count):
            members = "".join(polygon(face, f"p{k}_{i}") for i, face in enumerate(faces))
            shape = f"<bldg:lod2MultiSurface><gml:MultiSurface>{members}</gml:MultiSurface></bldg:lod2MultiSurface>"
            building = f'<bldg:Building gml:id="b{k}">{attributes(k)}{shape}</bldg:Building>'
            file.write(f"<core:cityObjectMember>{building}</core:cityObjectMember>\n")
        file.write("</core:CityModel>\n")


def write_themed(path: Path, count: int) -> None:
    """Write buildings of walls, roofs and a solid of links to them."""
    with path.open("w") as file:
        file.write(HEAD)
        for k, faces in prisms(count):
            links = "".join(f'<gml:surfaceMember xlink:href="#p{k}_{i}"/>\n' for i in range(len(faces)))
            shell = f"<gml:Solid><gml:exterior><gml:CompositeSurface>{links}</gml:CompositeSurface></gml:exterior></gml:Solid>"
            file.write(
                f'<core:cityObjectMember><bldg:Building gml:id="b{k}">{attributes(k)}<bldg:lod2Solid>{shell}</bldg:lod2Solid>\n'
            )
            for i, face in enumerate(faces):
                kind = ("GroundSurface", "RoofSurface", "WallSurface")[min(i, 2)]
                shape = f"<gml:MultiSurface>{polygon(face, f'p{k}_{i}')}</gml:MultiSurface>"
                surface = f"<bldg:{kind}><bldg:lod2MultiSurface>{shape}</bldg:lod2MultiSurface></bldg:{kind}>"
                file.write(f"<bldg:boundedBy>{surface}</bldg:boundedBy>\n")
            file.write("</bldg:Building></core:cityObjectMember>\n")
        file.write("</core:CityModel>\n")


def seconds(work) -> tuple[float, float]:
    """Return processor time and time by the clock."""
    start, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - start, time.perf_counter() - clock


def read_with_vtk(path: Path) -> None:
    from vtkmodules.vtkIOCityGML import vtkCityGMLReader

    reader = vtkCityGMLReader()
    reader.SetFileName(str(path))
    reader.SetLOD(2)
    reader.Update()
    assert reader.GetOutput().GetNumberOfBlocks() > 0


@pytest.mark.parametrize("write", [write_blocks, write_themed])
def test_citygml_is_read_many_times_faster_than_by_vtk(benchmark, tmp_path, write):
    path = tmp_path / "city.gml"
    count = 3000
    write(path, count)
    READER.read(path, ReadOptions())
    mesh = READER.read(path, ReadOptions()).sources[0].data.meshes["2"]
    assert len(mesh.triangles) == count * (2 * (CORNERS - 2) + 2 * CORNERS)
    ours, theirs = [], []
    for _ in range(3):
        # In turns, for other work on the machine comes and goes.
        ours += [seconds(lambda: READER.read(path, ReadOptions())) for _ in range(5)]
        theirs.append(seconds(lambda: read_with_vtk(path)))
    (our_s, our_clock_s), (vtk_s, vtk_clock_s) = (np.min(times, axis=0).tolist() for times in (ours, theirs))
    megabytes, ratio, clock_ratio = path.stat().st_size / 1e6, vtk_s / our_s, vtk_clock_s / our_clock_s
    benchmark.extra_info.update(megabytes=megabytes, ours_s=our_s, vtk_s=vtk_s, ratio=ratio, clock_ratio=clock_ratio)
    benchmark.pedantic(lambda: READER.read(path, ReadOptions()), rounds=3)
    print(f"\n{write.__name__}: {megabytes:.1f} MB, processor {our_s:.3f} s, VTK {vtk_s:.2f} s, {ratio:.1f} times", end="")
    print(f"; by the clock {our_clock_s:.3f} s, VTK {vtk_clock_s:.2f} s, {clock_ratio:.1f} times")
    assert ratio > 15.0


PEAK = """
import resource, sys
from pathlib import Path
from cimdesk.formats.citygml.stream import Document
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
members = iter(Document(Path(sys.argv[1]), ReadOptions(), Findings()).members())
next(members)
before = peak()
count = 1 + sum(1 for _ in members)
print(count, peak() - before)
"""


def test_memory_of_the_xml_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "long.gml"
    write_blocks(path, 6000)
    found = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True).stdout.split()
    assert int(found[0]) == 6000
    assert float(found[1]) < 20.0
