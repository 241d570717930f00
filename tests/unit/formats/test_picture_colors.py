"""Faces with pictures in one colour, as tiles have them: the mean there, few of them, whichever piece of a file they are in."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cimdesk.commands.tiling import tile_files
from cimdesk.formats import registry
from cimdesk.formats.citygml.pieces import read_pieces
from cimdesk.formats.findings import Findings
from cimdesk.formats.glb_write import MOST_COLORS, TileMesh, write_glb
from cimdesk.formats.gltf import read_gltf
from cimdesk.formats.picture_colors import STEP, colored_by_pictures
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER
from cimdesk.model.mesh import TriangleMesh
from cimdesk.model.pictured import FacePictures, PictureFile
from tests.unit.formats.test_pictures_on_faces import PLACES, face, laid_on

RED, GREEN = (216, 24, 24), (24, 168, 24)
SPACES = (
    'xmlns:core="http://www.opengis.net/citygml/2.0" xmlns:bldg="http://www.opengis.net/citygml/building/2.0" '
    'xmlns:app="http://www.opengis.net/citygml/appearance/2.0" xmlns:gml="http://www.opengis.net/gml"'
)


@pytest.fixture
def halves(tmp_path):
    """A picture that is red on the left and green on the right."""
    (tmp_path / "looks").mkdir()
    pixels = np.empty((40, 40, 3), dtype=np.uint8)
    pixels[:, :20], pixels[:, 20:] = RED, GREEN
    Image.fromarray(pixels).save(tmp_path / "looks" / "wall.png")
    return tmp_path / "looks" / "wall.png"


def triangles_on(file, places, colors=None) -> TriangleMesh:
    count = len(places)
    laid = FacePictures((file,), np.arange(1, count + 1), np.zeros(count, dtype=np.int32), np.array(places, dtype=np.float32))
    triangles = np.arange(3 * (count + 1), dtype=np.int32).reshape(-1, 3)
    zeros = np.zeros(count + 1)
    vertices = np.random.default_rng(1).random((3 * (count + 1), 3)).astype(np.float32)
    return TriangleMesh(vertices, triangles, zeros.astype(np.int32), zeros.astype(np.uint8), colors=colors, pictures=laid)


LEFT, RIGHT = [[0, 0], [0.4, 0], [0.2, 1]], [[0.6, 0], [1.0, 0], [0.8, 1]]


def test_each_triangle_has_the_mean_colour_of_its_part_of_the_picture(halves):
    mesh = colored_by_pictures(triangles_on(PictureFile(halves, (40, 40)), [LEFT, RIGHT]))
    assert mesh.pictures is None
    assert mesh.colors[:, 3].tolist() == [255] * 3
    assert (mesh.colors[0, :3] == 255).all()
    for row, color in ((1, RED), (2, GREEN)):
        assert np.abs(mesh.colors[row, :3].astype(int) - color).max() <= STEP / 2


def test_places_beyond_the_rim_go_on_or_stop_there(halves):
    beyond = np.add(LEFT, [1.0, 0.0]).tolist()
    for is_repeated, color in ((True, RED), (False, GREEN)):
        mesh = colored_by_pictures(triangles_on(PictureFile(halves, (40, 40), is_repeated), [beyond]))
        assert np.abs(mesh.colors[1, :3].astype(int) - color).max() <= STEP / 2


def test_a_damaged_picture_leaves_the_colours_that_were_there(halves):
    halves.write_bytes(halves.read_bytes()[:60])
    given = np.full((2, 4), 77, dtype=np.uint8)
    mesh = colored_by_pictures(triangles_on(PictureFile(halves, (40, 40)), [LEFT], given))
    assert mesh.colors.tolist() == given.tolist()


def town(tmp_path, count=9):
    """Write buildings of one square each, the last one with its picture named at the end of the file."""
    members = ""
    for k in range(count):
        east = 500_000 + 30 * k
        square = f"{east} 5000000 0 {east + 10} 5000000 0 {east + 10} 5000010 0 {east} 5000010 0 {east} 5000000 0"
        shape = f"<bldg:lod2MultiSurface><gml:MultiSurface>{face(f'p{k}', square)}</gml:MultiSurface></bldg:lod2MultiSurface>"
        members += f'<core:cityObjectMember><bldg:Building gml:id="b{k}">{shape}</bldg:Building></core:cityObjectMember>'
    textures = laid_on({"p1": (PLACES,), f"p{count - 1}": (PLACES,)})
    look = f"<app:appearanceMember><app:Appearance>{textures}</app:Appearance></app:appearanceMember>"
    envelope = '<gml:boundedBy><gml:Envelope srsName="EPSG:25832" srsDimension="3"/></gml:boundedBy>'
    path = tmp_path / "town.gml"
    path.write_text(f"<core:CityModel {SPACES}>{envelope}{members}{look}</core:CityModel>")
    return path


def test_pieces_of_a_file_have_the_colours_named_at_its_end(tmp_path, halves):
    path = town(tmp_path)
    pieces = [city for city, _ in read_pieces(path, ReadOptions(), Findings(), 4)]
    colors = [city.meshes["2"].colors for city in pieces]
    assert [len(city.features) for city in pieces] == [4, 4, 1]
    assert all(city.meshes["2"].pictures is None for city in pieces)
    assert colors[1] is None
    painted = colors[0][2]
    assert painted[:3].tolist() != [255, 255, 255]
    assert colors[2].tolist() == [painted.tolist()] * 2
    assert (colors[0][:2] == 255).all()
    glances = [city.meshes["2"].colors for city, _ in read_pieces(path, ReadOptions(), Findings(), 4, is_glance=True)]
    assert glances == [None, None, None]


def test_a_tileset_of_a_model_with_pictures_has_their_colours(tmp_path, halves):
    tile_files([town(tmp_path)], tmp_path / "tiles", workers=1)
    city = READER.read(tmp_path / "tiles", ReadOptions(max_error=0.0)).sources[0].data.city
    mesh = city.meshes["tiles"]
    colored = {str(city.features.ids[row]) for row in mesh.feature_index[(mesh.colors[:, :3] != 255).any(axis=1)].tolist()}
    assert colored == {"b1", "b8"}


def test_a_glb_has_its_pictures_and_gives_them_back(tmp_path, halves):
    other = tmp_path / "looks" / "other.webp"
    Image.new("RGB", (12, 6), (10, 20, 200)).save(other, lossless=True)
    gone = PictureFile(tmp_path / "gone.png", (4, 4))
    files = (PictureFile(halves, (40, 40), False, alpha=0.0), PictureFile(other, (12, 6), tint=(0.5, 1.0, 1.0)), gone)
    rng = np.random.default_rng(2)
    points = rng.random((21, 3)).astype(np.float32) * 9
    points[20] = points[19] = points[18]
    places = rng.random((5, 3, 2)).astype(np.float32)
    laid = FacePictures(files, np.array([1, 2, 4, 5, 6]), np.array([0, 1, 0, 2, 0], dtype=np.int32), places)
    mesh = TileMesh(points, np.arange(21).reshape(-1, 3), np.arange(7), None, laid)
    (tmp_path / "out.glb").write_bytes(write_glb(mesh, np.eye(4).ravel().tolist()))
    back = registry.read(tmp_path / "out.glb").sources[0].data.finest
    # The seventh triangle has no area; the sixth has lost its picture and nothing else.
    assert len(back.triangles) == 6
    found = {}
    corners = (back.vertices + back.origin)[back.triangles]
    for row, number, at in zip(back.pictures.triangles, back.pictures.file_of, back.pictures.places, strict=True):
        (which,) = np.flatnonzero(np.abs(points.reshape(-1, 3, 3) - corners[row]).max(axis=(1, 2)) < 1e-3)
        found[int(which)] = (back.pictures.files[number], at)
    assert set(found) == {1, 2, 4}
    for triangle, row in ((1, 0), (2, 1), (4, 2)):
        np.testing.assert_allclose(found[triangle][1], places[row], atol=1e-6)
    assert [found[k][0].size for k in (1, 2, 4)] == [(40, 40), (12, 6), (40, 40)]
    assert [found[k][0].is_repeated for k in (1, 2)] == [False, True]
    assert found[2][0].tint == (0.5, 1.0, 1.0)
    assert found[1][0].alpha == 0.0


def test_a_tile_with_many_colours_has_the_nearest_of_a_few():
    rng = np.random.default_rng(3)
    tints = np.array([[200, 60, 50], [60, 120, 200], [120, 110, 90], [230, 220, 200]])
    family = rng.integers(0, 4, 3000)
    colors = np.full((3000, 4), 255, dtype=np.uint8)
    colors[:, :3] = np.clip(tints[family] + rng.integers(-12, 13, (3000, 3)), 0, 254)
    points = (rng.random((9000, 3)) * 50).astype(np.float32)
    mesh = TileMesh(points, np.arange(9000).reshape(-1, 3), np.arange(3000), colors)
    model = read_gltf(write_glb(mesh, np.eye(4).ravel().tolist()), lambda uri: b"", Findings(), "a.glb")
    assert 4 <= len(model.primitives) <= MOST_COLORS
    assert sum(len(p.triangles) for p in model.primitives) == 3000
    for primitive in model.primitives:
        assert np.abs(tints - primitive.color[:3]).max(axis=1).min() <= 14
