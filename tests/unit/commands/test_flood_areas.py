"""Exposure to a hazard map: buildings by rank of depth."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import UsageError
from cimdesk.commands.flood_areas import as_grid, depth_ranks
from cimdesk.commands.flood_exposure import exposure_of
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from cimdesk.formats.citygml import READER
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.layers import LayerKind

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0"
 xmlns:wtr="http://www.opengis.net/citygml/waterbody/2.0" xmlns:gml="http://www.opengis.net/gml"
 xmlns:uro="https://www.geospatial.jp/iur/uro/2.0">
<gml:boundedBy><gml:Envelope srsName="EPSG:32654" srsDimension="3"/></gml:boundedBy>
"""


def polygons(x: float, size: float, low: float, high: float) -> str:
    """Return the faces of a box, or one square where it has no height."""
    x, y = 500_000.0 + x, 3_900_000.0
    ring = [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]
    faces = [[(a, b, low) for a, b in ring]]
    if high > low:
        faces = [[(a, b, low) for a, b in ring[::-1]], [(a, b, high) for a, b in ring]]
        faces += [[(*p, low), (*q, low), (*q, high), (*p, high)] for p, q in zip(ring, [*ring[1:], ring[0]], strict=True)]
    text = ""
    for face in faces:
        numbers = " ".join(f"{a} {b} {c}" for a, b, c in [*face, face[0]])
        text += (
            "<gml:surfaceMember><gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>"
            f"{numbers}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember>"
        )
    return f"<gml:MultiSurface>{text}</gml:MultiSurface>"


def water(key: str, x: float, size: float, rank: int) -> str:
    return (
        f'<core:cityObjectMember><wtr:WaterBody gml:id="{key}"><wtr:lod1MultiSurface>{polygons(x, size, 2.0, 2.0)}'
        f"</wtr:lod1MultiSurface><uro:floodingRiskAttribute><uro:RiverFloodingRiskAttribute><uro:rank>{rank}</uro:rank>"
        "</uro:RiverFloodingRiskAttribute></uro:floodingRiskAttribute></wtr:WaterBody></core:cityObjectMember>"
    )


def house(key: str, x: float) -> str:
    shape = polygons(x, 10.0, 0.0, 8.0)
    return (
        f'<core:cityObjectMember><bldg:Building gml:id="{key}"><bldg:usage>home</bldg:usage><bldg:lod2MultiSurface>{shape}'
        "</bldg:lod2MultiSurface></bldg:Building></core:cityObjectMember>"
    )


@pytest.fixture
def city(tmp_path):
    """Water of rank 1 over the first 40 m, of rank 3 over the next 40; houses in each, one on the seam and one far away."""
    areas = tmp_path / "fld.gml"
    areas.write_text(HEAD + water("a", 0.0, 40.0, 1) + water("b", 40.0, 40.0, 3) + "</core:CityModel>", encoding="utf-8")
    houses = tmp_path / "bldg.gml"
    places = {"shallow": 12.0, "deep": 55.0, "seam": 35.0, "far": 300.0}
    houses.write_text(HEAD + "".join(house(k, x) for k, x in places.items()) + "</core:CityModel>", encoding="utf-8")
    session = Session()
    import_files(session, [areas, houses])
    yield session, areas
    session.close()


def test_buildings_are_counted_by_rank(city):
    session, _ = city
    layer = next(layer for layer in session.workspace.layers() if layer.kind is LayerKind.FLOOD)
    found = exposure_of(session, session.workspace.data(layer.id))
    assert found["classes"][:4] == ["No water", "< 0.5 m", "0.5 – 3 m", "3 – 5 m"]
    # The house on the seam counts with the deeper water; the one off the map does not count.
    assert found["buildings_by_depth"] == {"home": [0, 1, 0, 2, 0, 0, 0]}
    assert found["buildings"] == {"home": 3}


def test_the_file_of_a_map_counts_like_its_layer(city):
    session, areas = city
    layer = next(layer for layer in session.workspace.layers() if layer.kind is LayerKind.FLOOD)
    assert exposure_of(session, areas) == exposure_of(session, session.workspace.data(layer.id))


def test_the_grid_holds_the_area_of_the_map(city):
    _, areas = city
    data = READER.read(areas, ReadOptions()).sources[0].data
    grid = as_grid(data)
    assert grid.wet_area[0] == pytest.approx(40.0 * 40.0 * 2, rel=0.02)
    assert np.unique(grid.max_depth) == pytest.approx([0.0, 0.001, 3.0])
    assert depth_ranks(data).limits == (0.001, 0.5, 3.0, 5.0, 10.0, 20.0)


def test_other_models_are_refused(city):
    session, _ = city
    houses = next(layer for layer in session.workspace.layers() if layer.kind is LayerKind.BUILDINGS)
    with pytest.raises(UsageError):
        as_grid(session.workspace.data(houses.id))
