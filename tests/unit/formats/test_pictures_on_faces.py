"""Pictures on surfaces: each corner of each triangle where its file has it, in CityJSON and in CityGML of every version."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from PIL import Image

from cimdesk.formats.citygml import READER as CITYGML
from cimdesk.formats.citygml import meshes as citygml_meshes
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.pictured import FacePictures, PictureFile
from tests.unit.formats.cityjson_cities import FACES, building, city, codes, lines, read, solid

SQUARE = "0 0 0 10 0 0 10 10 0 0 10 0 0 0 0"
PLACES = "0 0 1 0 1 1 0 1 0 0"


@pytest.fixture
def wall(tmp_path):
    """A picture beside the file."""
    (tmp_path / "looks").mkdir()
    Image.new("RGB", (8, 4), (200, 30, 30)).save(tmp_path / "looks" / "wall.png")
    return "looks/wall.png"


def places_at(mesh) -> np.ndarray:
    """Return (K, 3, 2) places and the (K, 3, 3) corners they are for."""
    laid = mesh.pictures
    return laid.places, mesh.vertices[mesh.triangles[laid.triangles]] + mesh.origin


# --- CityJSON -------------------------------------------------------------------------------------------------------------


def textured(places, values, image="looks/wall.png", **more) -> dict:
    """Return a city of one cube with textures."""
    appearance = {"textures": [{"type": "PNG", "image": image, **more}], "vertices-texture": places}
    return city({"a": building(solid(texture={"": {"values": values}}))}, appearance=appearance)


CORNERS = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def test_a_roof_has_its_picture_and_walls_without_one_have_none(tmp_path, wall):
    values = [[[[None]], [[0, 0, 1, 2, 3]], *[[[None]]] * 4]]
    mesh = read(tmp_path, textured(CORNERS, values)).sources[0].data.meshes["2"]
    places, corners = places_at(mesh)
    assert len(places) == 2
    assert [each.path.name for each in mesh.pictures.files] == ["wall.png"]
    assert mesh.pictures.files[0].size == (8, 4)
    np.testing.assert_allclose(places, corners[..., :2] - [420_000.0, 2_560_000.0], atol=1e-6)
    assert (corners[..., 2] == 6.0).all()


def test_sequences_have_pictures_of_each_line(tmp_path, wall):
    Image.new("RGB", (2, 2)).save(tmp_path / "looks" / "other.png")
    head = city({}) | {"vertices": []}
    features = []
    for name in ("wall", "other"):
        values = [[[[None]], [[0, 0, 1, 2, 3]], *[[[None]]] * 4]]
        one = textured(CORNERS, values, f"looks/{name}.png")
        features.append({"type": "CityJSONFeature", "id": name, "CityObjects": {name: one["CityObjects"]["a"]},
                         "vertices": one["vertices"], "appearance": one["appearance"]})  # fmt: skip
    mesh = read(tmp_path, lines(head, *features), "a.city.jsonl").sources[0].data.meshes["2"]
    names = [mesh.pictures.files[k].path.stem for k in mesh.pictures.file_of]
    assert names == ["wall", "wall", "other", "other"]
    assert mesh.feature_index[mesh.pictures.triangles].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "ring",
    [[0, 0, 1, 2], [0, 0, 1, 2, 9], [7, 0, 1, 2, 3], [0, 0, 1, 2, "3"]],
    ids=["too-few", "no-such-place", "no-such-texture", "text"],
)
def test_places_that_do_not_fit_cost_the_picture_only(tmp_path, wall, ring):
    result = read(tmp_path, textured(CORNERS, [[[[None]], [ring], *[[[None]]] * 4]]))
    mesh = result.sources[0].data.meshes["2"]
    assert mesh.pictures is None
    assert len(mesh.triangles) == 12
    assert codes(result) == {"bad-picture-places"}


def test_a_missing_and_a_damaged_picture_are_told_once(tmp_path, wall):
    (tmp_path / "looks" / "bad.png").write_bytes(b"no picture at all")
    for name, code in (("looks/gone.png", "missing-picture"), ("looks/bad.png", "bad-picture")):
        result = read(tmp_path, textured(CORNERS, [[[[0, 0, 1, 2, 3]]] * 6], name))
        assert result.sources[0].data.meshes["2"].pictures is None
        assert [problem.code for problem in result.problems] == [code]
        assert name in str(result.problems[0])


@pytest.mark.parametrize("name", ["../wall.png", "/etc/hostname", "https://example.org/a.png", "file:///etc/hostname", "\x00"])
def test_pictures_outside_the_folder_are_not_opened(tmp_path, wall, name):
    Image.new("RGB", (2, 2)).save(tmp_path / "wall.png")
    inner = tmp_path / "inner"
    inner.mkdir()
    result = read(inner, textured(CORNERS, [[[[0, 0, 1, 2, 3]]] * 6], name))
    assert result.sources[0].data.meshes["2"].pictures is None
    assert codes(result) <= {"picture-outside", "missing-picture"}
    assert codes(result)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, wall):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "wall.png").symlink_to(tmp_path / "looks" / "wall.png")
    assert codes(read(inner, textured(CORNERS, [[[[0, 0, 1, 2, 3]]] * 6], "wall.png"))) == {"picture-outside"}


def test_a_huge_picture_is_refused_by_its_head(tmp_path, wall):
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (30_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    (tmp_path / "looks" / "wall.png").write_bytes(head + zlib.crc32(head[12:]).to_bytes(4, "big") + b"\x00\x00\x00\x00IDAT")
    result = read(tmp_path, textured(CORNERS, [[[[0, 0, 1, 2, 3]]] * 6]))
    assert codes(result) == {"bad-picture"}
    assert "64 million" in result.problems[0].message


def test_a_face_that_crosses_itself_has_its_picture_where_it_crosses(tmp_path, wall):
    bow = [[[4, 6, 5, 7]]]
    shape = {"type": "MultiSurface", "lod": "2", "boundaries": bow, "texture": {"": {"values": [[[0, 0, 2, 1, 3]]]}}}
    appearance = {"textures": [{"type": "PNG", "image": "looks/wall.png"}], "vertices-texture": CORNERS}
    result = read(tmp_path, city({"a": building(shape)}, appearance=appearance))
    mesh = result.sources[0].data.meshes["2"]
    places, corners = places_at(mesh)
    assert "self-intersection" in codes(result)
    assert len(places) >= 2
    np.testing.assert_allclose(places, corners[..., :2] - [420_000.0, 2_560_000.0], atol=1e-6)


def test_instances_of_a_template_have_its_picture(tmp_path, wall):
    appearance = {"textures": [{"type": "PNG", "image": "looks/wall.png"}], "vertices-texture": CORNERS}
    shape = {"type": "MultiSurface", "lod": "2", "boundaries": [FACES[1]], "texture": {"": {"values": [[[0, 0, 1, 2, 3]]]}}}
    corners = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]
    moved = [1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0]
    instance = {"type": "GeometryInstance", "template": 0, "boundaries": [0], "transformationMatrix": moved}
    whole = city(
        {"a": building(instance), "b": building(instance)},
        appearance=appearance,
        **{"geometry-templates": {"templates": [shape], "vertices-templates": corners}},
    )
    mesh = read(tmp_path, whole).sources[0].data.meshes["2"]
    assert mesh.feature_index[mesh.pictures.triangles].tolist() == [0, 0, 1, 1]
    places, at = places_at(mesh)
    np.testing.assert_allclose(places, at[..., :2] - [420_000.0, 2_560_000.0], atol=1e-6)


# --- CityGML --------------------------------------------------------------------------------------------------------------


def gml(tmp_path, surfaces: str, textures: str, version: str = "2.0", at_end: bool = True):
    """Read a building of these surfaces with these parts of an appearance, inside the building or at the end of the file."""
    spaces = {
        p: f"http://www.opengis.net/citygml/{m}{version}" for p, m in (("core", ""), ("bldg", "building/"), ("app", "appearance/"))
    }
    spaces["gml"] = "http://www.opengis.net/gml" + ("/3.2" if version == "3.0" else "")
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    look = f"<app:Appearance>{textures}</app:Appearance>"
    inside, after = (
        ("", f"<app:appearanceMember>{look}</app:appearanceMember>") if at_end else (f"<app:appearance>{look}</app:appearance>", "")
    )
    shape = f"<bldg:lod2MultiSurface><gml:MultiSurface>{surfaces}</gml:MultiSurface></bldg:lod2MultiSurface>"
    path = tmp_path / "a.gml"
    member = f'<core:cityObjectMember><bldg:Building gml:id="b">{inside}{shape}</bldg:Building></core:cityObjectMember>'
    path.write_text(f"<core:CityModel {declared}>{member}{after}</core:CityModel>")
    return CITYGML.read(path, ReadOptions())


def face(key: str, *rings: str, orientation: str = "+") -> str:
    names = ["exterior", *["interior"] * (len(rings) - 1)]
    inner = "".join(
        f'<gml:{name}><gml:LinearRing gml:id="{key}r{k}"><gml:posList>{ring}</gml:posList></gml:LinearRing></gml:{name}>'
        for k, (name, ring) in enumerate(zip(names, rings, strict=True))
    )
    polygon = f'<gml:Polygon gml:id="{key}">{inner}</gml:Polygon>'
    if orientation == "-":
        polygon = f'<gml:OrientableSurface orientation="-"><gml:baseSurface>{polygon}</gml:baseSurface></gml:OrientableSurface>'
    return f"<gml:surfaceMember>{polygon}</gml:surfaceMember>"


def laid_on(targets: dict[str, tuple[str, ...]], image: str = "looks/wall.png", more: str = "") -> str:
    parts = ""
    for key, texts in targets.items():
        rings = "".join(
            f'<app:textureCoordinates ring="#{key}r{k}">{text}</app:textureCoordinates>' for k, text in enumerate(texts)
        )
        parts += f'<app:target uri="#{key}"><app:TexCoordList>{rings}</app:TexCoordList></app:target>'
    texture = f"<app:ParameterizedTexture><app:imageURI>{image}</app:imageURI>{more}{parts}</app:ParameterizedTexture>"
    return f"<app:surfaceDataMember>{texture}</app:surfaceDataMember>"


@pytest.mark.parametrize("at_end", [True, False], ids=["at-the-end", "in-the-building"])
def test_citygml_faces_have_their_pictures(tmp_path, wall, at_end):
    faces = face("p", SQUARE) + face("q", re.sub(r"(\d+ \d+) 0", r"\1 3", SQUARE))
    mesh = gml(tmp_path, faces, laid_on({"q": (PLACES,)}), at_end=at_end).sources[0].data.meshes["2"]
    places, corners = places_at(mesh)
    assert len(places) == 2
    assert (corners[..., 2] == 3.0).all()
    np.testing.assert_allclose(places, corners[..., :2] / 10.0, atol=1e-6)


def test_citygml_3_names_the_face_inside_an_association(tmp_path, wall):
    laid = f"<app:textureCoordinates>{PLACES}</app:textureCoordinates><app:ring>#pr0</app:ring>"
    for name in ("app:TexCoordList", "app:textureParameterization"):
        laid = f"<{name}>{laid}</{name}>"
    laid = f"<app:target>#p</app:target>{laid}"
    for name in ("app:TextureAssociation", "app:textureParameterization"):
        laid = f"<{name}>{laid}</{name}>"
    texture = f"<app:ParameterizedTexture><app:imageURI>looks/wall.png</app:imageURI>{laid}</app:ParameterizedTexture>"
    look = f"<app:surfaceData>{texture}</app:surfaceData>"
    mesh = gml(tmp_path, face("p", SQUARE), look, "3.0").sources[0].data.meshes["2"]
    places, corners = places_at(mesh)
    np.testing.assert_allclose(places, corners[..., :2] / 10.0, atol=1e-6)


def test_a_hole_and_a_turned_face_keep_their_places(tmp_path, wall):
    hole, inside = "2 2 0 2 4 0 4 4 0 4 2 0 2 2 0", "0.2 0.2 0.2 0.4 0.4 0.4 0.4 0.2 0.2 0.2"
    for orientation in "+-":
        mesh = (
            gml(tmp_path, face("p", SQUARE, hole, orientation=orientation), laid_on({"p": (PLACES, inside)}))
            .sources[0]
            .data.meshes["2"]
        )
        places, corners = places_at(mesh)
        assert len(places) == len(mesh.triangles)
        np.testing.assert_allclose(places, corners[..., :2] / 10.0, atol=1e-6)


def test_rings_in_another_order_are_told_apart_by_their_corners(tmp_path, wall):
    triangle, inside = "2 2 0 2 4 0 4 4 0 2 2 0", "0.2 0.2 0.2 0.4 0.4 0.4 0.2 0.2"
    mesh = gml(tmp_path, face("p", SQUARE, triangle), laid_on({"p": (inside, PLACES)})).sources[0].data.meshes["2"]
    places, corners = places_at(mesh)
    np.testing.assert_allclose(places, corners[..., :2] / 10.0, atol=1e-6)


def test_pictures_are_the_same_however_few_rings_wait(tmp_path, wall, monkeypatch):
    faces = "".join(face(f"p{k}", SQUARE.replace("10", str(10 + k))) for k in range(12))
    look = laid_on({f"p{k}": (PLACES,) for k in range(0, 12, 2)}) + laid_on(
        {"p3": (PLACES,)}, more="<app:wrapMode>wrap</app:wrapMode>"
    )
    whole = gml(tmp_path, faces, look).sources[0].data.meshes["2"]
    monkeypatch.setattr(citygml_meshes, "BATCH_RINGS", 2)
    parts = gml(tmp_path, faces, look).sources[0].data.meshes["2"]
    np.testing.assert_allclose(places_at(parts)[0], places_at(whole)[0])
    repeated = [parts.pictures.files[k].is_repeated for k in parts.pictures.file_of]
    assert repeated == [whole.pictures.files[k].is_repeated for k in whole.pictures.file_of]
    assert sum(repeated) == 2


def test_a_texture_of_the_back_is_not_laid_on_the_front(tmp_path, wall):
    mesh = (
        gml(tmp_path, face("p", SQUARE), laid_on({"p": (PLACES,)}, more="<app:isFront>false</app:isFront>"))
        .sources[0]
        .data.meshes["2"]
    )
    assert mesh.pictures is None


# --- FacePictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def laid(tmp_path) -> FacePictures:
    files = tuple(PictureFile(tmp_path / f"{k}.png", (4, 4)) for k in range(3))
    places = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    return FacePictures(files, np.array([0, 2, 5, 6]), np.array([0, 2, 1, 0], dtype=np.int32), places)


def test_pictures_follow_the_triangles_that_are_kept(laid):
    kept = laid.kept(np.array([False, True, True, True, False, True, False, True]))
    assert kept.triangles.tolist() == [1, 3]
    assert kept.file_of.tolist() == [2, 1]
    np.testing.assert_array_equal(kept.places, laid.places[1:3])
    assert laid.kept(np.zeros(8, dtype=bool)) is None


def test_merged_and_repeated_pictures_keep_their_files(laid):
    merged = FacePictures.merged([(None, 4), (laid, 8), (laid, 8)])
    assert merged.triangles.tolist() == [4, 6, 9, 10, 12, 14, 17, 18]
    assert merged.files == laid.files
    twice = laid.repeated(2, 8)
    np.testing.assert_array_equal(twice.triangles + 4, merged.triangles)
    np.testing.assert_array_equal(twice.file_of, merged.file_of)
    assert FacePictures.merged([(None, 3)]) is None


def test_rows_of_each_picture_are_found_at_once(laid):
    assert [rows.tolist() for rows in laid.rows_by_file()] == [[0, 3], [2], [1]]
