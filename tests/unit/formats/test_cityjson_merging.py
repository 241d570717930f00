from __future__ import annotations

import json

import numpy as np
import pytest

from cimdesk.formats import registry
from cimdesk.formats.cityjson import write_cityjson
from cimdesk.formats.cityjson.face_rings import surfaces_of
from cimdesk.formats.cityjson.merging import flat_faces

GML = """<core:CityModel xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0"
 xmlns:gml="http://www.opengis.net/gml"><gml:boundedBy><gml:Envelope srsName="EPSG:25832" srsDimension="3"/></gml:boundedBy>
<core:cityObjectMember><bldg:Building gml:id="b">{surfaces}</bldg:Building></core:cityObjectMember></core:CityModel>"""
SURFACE = """<bldg:boundedBy><bldg:{kind}><bldg:lod2MultiSurface><gml:MultiSurface><gml:surfaceMember><gml:Polygon><gml:exterior>
<gml:LinearRing><gml:posList>{places}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember>
</gml:MultiSurface></bldg:lod2MultiSurface></bldg:{kind}></bldg:boundedBy>"""
BOX = np.array([[i, j, k] for k in (0, 1) for j in (0, 1) for i in (0, 1)], dtype=float) * 1000
SIDES = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6)]
TRIANGLES = np.array([t for a, b, c, d in SIDES for t in ((a, b, c), (a, c, d))])


def test_a_box_of_triangles_has_six_faces_with_the_rings_it_was_cut_from():
    faces = flat_faces(TRIANGLES, np.zeros(12, dtype=np.int64), BOX, 1.5)
    found = surfaces_of(TRIANGLES, faces, BOX)
    rings = [ring for (ring,) in found.boundaries(0, len(found.first), found.corners)]
    turned = {tuple(ring[(k + ring.index(min(ring))) % 4] for k in range(4)) for ring in rings}
    assert turned == {tuple(side[(k + side.index(min(side))) % 4] for k in range(4)) for side in SIDES}


def test_triangles_of_two_groups_or_two_planes_stay_apart():
    groups = np.arange(12)
    assert len(np.unique(flat_faces(TRIANGLES, groups, BOX, 1.5))) == 12
    lifted = BOX.copy()
    lifted[7, 2] += 5.0
    assert len(np.unique(flat_faces(TRIANGLES, np.zeros(12, dtype=np.int64), lifted, 1.5))) >= 7


def test_a_curved_surface_is_not_taken_for_a_flat_one():
    x = np.arange(0, 2000, 10.0)
    points = np.array([[a, y, a * a / 4e5] for a in x for y in (0.0, 100.0)])
    strip = np.array([t for k in range(0, 2 * len(x) - 2, 2) for t in ((k, k + 2, k + 3), (k, k + 3, k + 1))])
    faces = flat_faces(strip, np.zeros(len(strip), dtype=np.int64), points, 0.5)
    assert len(np.unique(faces)) >= 3
    for face in np.unique(faces):
        corners = points[np.unique(strip[faces == face])]
        _, _, axes = np.linalg.svd(corners - corners.mean(axis=0))
        assert np.abs((corners - corners.mean(axis=0)) @ axes[2]).max() <= 0.5


def test_a_cylinder_keeps_its_facets_and_its_lids():
    angles = np.arange(24) * np.pi / 12
    points = np.array([[300 * np.cos(a), 300 * np.sin(a), z] for z in (0.0, 1000.0) for a in angles])
    sides = [t for k in range(24) for t in ((k, (k + 1) % 24, k + 24), ((k + 1) % 24, (k + 1) % 24 + 24, k + 24))]
    lids = [t for k in range(1, 23) for t in ((0, k + 1, k), (24, k + 24, k + 25))]
    faces = flat_faces(np.array(sides + lids), np.zeros(92, dtype=np.int64), points, 1.5)
    assert sorted(np.unique(faces, return_counts=True)[1].tolist()) == [2] * 24 + [22] * 2


def test_a_sliver_goes_with_the_face_it_is_a_part_of():
    # The fan of a ring with a corner amid a straight side begins with a triangle without area.
    points = np.array([[0, 0, 0], [500, 0, 0], [1000, 0, 0], [1000, 800, 0], [0, 800, 0], [0, 0, 700], [1000, 0, 700]], dtype=float)
    floor, wall = [(0, 1, 2), (0, 2, 3), (0, 3, 4)], [(1, 0, 5), (1, 5, 6), (1, 6, 2)]
    faces = flat_faces(np.array(floor + wall), np.zeros(6, dtype=np.int64), points, 1.5)
    assert (faces[:3] == faces[0]).all()
    assert (faces[3:] == faces[3]).all()
    assert faces[0] != faces[3]


def test_a_house_of_citygml_goes_out_as_a_solid_of_its_walls_and_roof(tmp_path):
    kinds = ["GroundSurface", "RoofSurface", *["WallSurface"] * 4]
    shown = [" ".join(f"{v:.3f}" for k in (*side, side[0]) for v in BOX[k] / 100 + [500_000, 5_400_000, 30]) for side in SIDES]
    surfaces = "".join(SURFACE.format(kind=kind, places=places) for kind, places in zip(kinds, shown, strict=True))
    (tmp_path / "house.gml").write_text(GML.format(surfaces=surfaces))
    (source,) = registry.read(tmp_path / "house.gml").sources
    write_cityjson(tmp_path / "house.city.json", source.data, source.crs)
    (geometry,) = json.loads((tmp_path / "house.city.json").read_text())["CityObjects"]["b"]["geometry"]
    (shell,) = geometry["boundaries"]
    assert geometry["type"] == "Solid"
    assert [len(ring) for (ring,) in shell] == [4] * 6
    named = [geometry["semantics"]["surfaces"][k]["type"] for k in geometry["semantics"]["values"][0]]
    assert sorted(named) == sorted(kinds)
    (back,) = registry.read(tmp_path / "house.city.json").sources
    assert len(back.data.meshes["2"].triangles) == 12
    assert back.data.bounds == pytest.approx(source.data.bounds)
