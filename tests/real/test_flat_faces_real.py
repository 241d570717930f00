"""Real CityGML files written as CityJSON: flat faces with their holes, valid one by one, solids closed, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from cimdesk.base.crs import Crs
from cimdesk.commands.placing import frame_for, place
from cimdesk.formats import registry
from cimdesk.formats.citygml import READER
from cimdesk.formats.cityjson import write_cityjson
from cimdesk.formats.cityjson.face_rings import surfaces_of
from cimdesk.formats.cityjson.merging import flat_faces
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.city import CityModel

pytestmark = pytest.mark.real

METRES_PER_DEGREE = 111_320.0
FLAT = 3e-3
"""Corners lie within a millimetre and a half of a plane, and are rounded to millimetres."""
# Polygons with holes in the file; those of one file stand in another's plane by 35 mm, which is no flat face.
HOLES = {"JeffersonBuilding": 4, "Building_LOD3-EPSG25832": 8, "luse_6668": 17, "urf_6668": 1, "historicalSuccession": 0}
FILES = [
    *HOLES,
    "lod3_building_v2", "delft-citygml2", "zurich-lod2", "52397519_bldg_6697", "lsld_6668", "roads_3way", "lod2_buildings_v3",
]  # fmt: skip


class Written:
    """A file read, written as CityJSON in a system, and what stands there."""

    def __init__(self, source: Path, folder: Path, projected: bool) -> None:
        (read,) = [each for each in READER.read(source, ReadOptions()).sources if isinstance(each.data, CityModel)][:1]
        frame = frame_for(read, source)
        self.crs: Crs | None = frame.crs if projected else read.crs
        self.city = place(read.data, read.crs, frame) if projected else read.data
        self.path = folder / "out.city.json"
        write_cityjson(self.path, self.city, self.crs)
        self.document = json.loads(self.path.read_text())
        transform = self.document["transform"]
        self.steps = np.array(self.document["vertices"], dtype=np.int64)
        self.metres = np.array(transform["scale"])
        if self.crs is not None and self.crs.is_geographic:
            latitude = np.radians(np.median(self.city.bounds[:, 1]))
            self.metres = self.metres * [METRES_PER_DEGREE * np.cos(latitude), METRES_PER_DEGREE, 1.0]
        self.points = self.steps * self.metres
        self.translation = np.array(transform["translate"])

    def geometries(self):
        for name, item in self.document["CityObjects"].items():
            for geometry in item.get("geometry", ()):
                solid = geometry["type"] == "Solid"
                yield name, geometry.get("lod"), solid, geometry["boundaries"][0] if solid else geometry["boundaries"]


def area_of(ring: np.ndarray) -> np.ndarray:
    """Return the vector area of a ring, half as long as Newell's normal."""
    local = ring - ring[0]
    return np.cross(local, np.roll(local, -1, axis=0)).sum(axis=0) / 2


@pytest.fixture(scope="module", params=[(name, projected) for name in FILES for projected in (True, False)], ids=str)
def written(request, real_data, tmp_path_factory):
    name, projected = request.param
    (source,) = [path for path in (real_data / "citygml").rglob("*ml") if name in path.name]
    return name, Written(source, tmp_path_factory.mktemp("flat"), projected)


def test_every_face_is_flat_and_its_rings_are_valid(written):
    _, file = written
    for name, _, _, faces in file.geometries():
        for face in faces:
            rings = [file.points[ring] for ring in face]
            areas = [area_of(ring) for ring in rings]
            if len(face) == 1 and len(face[0]) == 3:
                continue
            corners = np.concatenate(rings)
            _, _, axes = np.linalg.svd(corners - corners.mean(axis=0), full_matrices=False)
            normal = axes[2] * np.sign(axes[2] @ sum(areas))
            assert np.abs((corners - corners.mean(axis=0)) @ normal).max() < FLAT, name
            assert areas[0] @ normal > 0.0
            assert all(area @ normal < 0.0 for area in areas[1:])
            axis = int(np.abs(normal).argmax())
            flat = [np.delete(ring, axis, axis=1) for ring in rings]
            assert shapely.is_valid(shapely.Polygon(flat[0], flat[1:])), name


def test_faces_have_the_area_of_their_triangles(written):
    name, file = written
    scale = file.metres / np.array(file.document["transform"]["scale"])
    for mesh in file.city.meshes.values():
        points, triangles = mesh.vertices.astype(np.float64) * scale, mesh.triangles.astype(np.int64)
        faces = flat_faces(triangles, mesh.feature_index.astype(np.int64) * 256 + mesh.surface, points, 1.5e-3)
        found = surfaces_of(triangles, faces, points, 1e-3)
        corners = points[triangles]
        vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        rings = found.boundaries(0, len(found.first), found.corners)
        covered = np.zeros(len(triangles), dtype=bool)
        for k, (face, first) in enumerate(zip(rings, found.first.tolist(), strict=True)):
            mine = faces == faces[first]
            if len(face) == 1 and len(face[0]) == 3 and sum(faces[found.first] == faces[first]) > 1:
                mine = np.arange(len(triangles)) == first
            covered |= mine
            area = sum(area_of(points[ring]) for ring in face)
            # Where corners of some triangles lie on the sides of others, to the millimetre, the face goes through them.
            rounded = 1e-3 * float(np.ptp(points[face[0]], axis=0).max()) if name == "lod3_building_v2" else 0.0
            allowed = 1e-6 * max(1e-3, float(np.linalg.norm(area))) + rounded
            assert np.linalg.norm(area - vectors[mine].sum(axis=0)) <= allowed, k
        assert covered.all()


def test_solids_are_closed(written):
    _, file = written
    for name, _, solid, faces in file.geometries():
        edges = [edge for face in faces for ring in face for edge in zip(ring, ring[1:] + ring[:1], strict=True)]
        if solid:
            assert len(set(edges)) == len(edges), name
            assert {edge[::-1] for edge in edges} == set(edges), name


def test_holes_are_rings_of_their_faces(written):
    name, file = written
    rings = sum(len(face) - 1 for _, _, _, faces in file.geometries() for face in faces)
    assert rings >= HOLES.get(name, 0)


def test_the_file_reads_back_as_the_same_city(written):
    _, file = written
    result = registry.read(file.path)
    (back,) = result.sources
    assert back.crs is None if file.crs is None else back.crs.code.split("+")[0] == file.crs.code.split("+")[0]
    assert back.data.features.ids.tolist() == file.city.features.ids.tolist()
    assert np.allclose(
        (back.data.bounds - file.city.bounds) / np.array(file.document["transform"]["scale"]) * file.metres, 0, atol=2e-3
    )
    for lod, mesh in file.city.meshes.items():
        other = back.data.meshes[lod]
        kinds = [np.bincount(each.surface, minlength=6) > 0 for each in (mesh, other)]
        assert (kinds[0] == kinds[1]).all()
