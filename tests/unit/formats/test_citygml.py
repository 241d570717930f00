"""CityGML documents written by hand, and what the reader makes of them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import Cancelled, DataError, Severity
from cimdesk.base.jobs import CancelToken
from cimdesk.formats.citygml import READER
from cimdesk.formats.registry import HEAD_BYTES, ReadOptions, ReadResult
from cimdesk.model.city import CityModel
from cimdesk.model.mesh import Surface, TriangleMesh

URN = "urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::5783"
NAMES = {
    "core": "", "bldg": "building/", "gen": "generics/", "app": "appearance/", "veg": "vegetation/", "dem": "relief/",
    "grp": "cityobjectgroup/", "tran": "transportation/", "con": "construction/", "wtr": "waterbody/",
}  # fmt: skip
SQUARE = "0 0 0 10 0 0 10 10 0 0 10 0 0 0 0"


def document(members: str, version: str = "2.0", system: str | None = URN, without: str = "", after: str = "") -> str:
    spaces = {prefix: f"http://www.opengis.net/citygml/{module}{version}" for prefix, module in NAMES.items()}
    spaces |= {"gml": "http://www.opengis.net/gml" + ("/3.2" if version == "3.0" else ""), "xlink": "http://www.w3.org/1999/xlink"}
    spaces |= {"xAL": "urn:oasis:names:tc:ciq:xsdschema:xAL:2.0", "uro": "https://www.geospatial.jp/iur/uro/2.0"}
    declared = "\n".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items() if prefix not in without.split())
    envelope = f'<gml:boundedBy><gml:Envelope srsName="{system}"/></gml:boundedBy>' if system else ""
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<core:CityModel {declared}>{envelope}\n{members}{after}\n</core:CityModel>\n"


def nest(names: str, content: str) -> str:
    """Return ``content`` inside elements, outermost first."""
    for name in reversed(names.split()):
        content = f"<{name}>{content}</{name}>"
    return content


def link(key: str) -> str:
    return f'<gml:surfaceMember xlink:href="#{key}"/>'


def member(content: str) -> str:
    return f"<core:cityObjectMember>{content}</core:cityObjectMember>\n"


def polygon(positions: str = SQUARE, key: str = "", holes: tuple[str, ...] = ()) -> str:
    name = f' gml:id="{key}"' if key else ""
    ring = "gml:LinearRing gml:posList"
    inner = "".join(nest(f"gml:interior {ring}", hole) for hole in holes)
    return f"<gml:Polygon{name}>{nest(f'gml:exterior {ring}', positions)}{inner}</gml:Polygon>"


def surfaces(*polygons: str) -> str:
    return "<gml:MultiSurface>" + "".join(f"<gml:surfaceMember>{p}</gml:surfaceMember>" for p in polygons) + "</gml:MultiSurface>"


def building(content: str, key: str = "b1") -> str:
    return member(f'<bldg:Building gml:id="{key}">{content}</bldg:Building>')


def shape(*polygons: str, lod: int = 1) -> str:
    return f"<bldg:lod{lod}MultiSurface>{surfaces(*polygons)}</bldg:lod{lod}MultiSurface>"


def wall(kind: str, content: str) -> str:
    return f"<bldg:boundedBy><bldg:{kind}>{content}</bldg:{kind}></bldg:boundedBy>"


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(text: str | bytes, name: str = "city.gml") -> ReadResult:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return READER.read(path, ReadOptions())

    return write_and_read


def city(result: ReadResult) -> CityModel:
    return result.sources[0].data


def areas(mesh: TriangleMesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2.0


def codes(result: ReadResult) -> set[str]:
    return {problem.code for problem in result.problems}


def test_polygon_with_a_hole_has_the_area_of_what_is_left(read):
    hole = "2 2 0 2 4 0 4 4 0 4 2 0 2 2 0"
    result = read(document(building(shape(polygon(holes=(hole,))))))
    assert areas(city(result).meshes["1"]).sum() == pytest.approx(96.0)
    assert result.version == "2.0"
    assert result.crs == "EPSG:25832+5783"
    assert result.objects == {"Building": 1}


@pytest.mark.parametrize(
    "geometry",
    [
        surfaces(polygon()),
        nest("gml:Solid gml:exterior gml:CompositeSurface gml:surfaceMember", polygon()),
        nest("gml:MultiSolid gml:solidMember gml:Solid gml:exterior gml:Shell gml:surfaceMember", polygon()),
        polygon("0 0 10 0 10 10 0 10 0 0").replace("<gml:posList>", '<gml:posList srsDimension="2">'),
        polygon("\n 0 0 0\t10 0 0  10 10 0\n0 10 0 0 0 0 \n"),
        polygon("+0 0. 0 10 0 0 1e1 10 0 0 10 0 0 0 0"),
        "<gml:Surface><gml:patches><gml:PolygonPatch><gml:exterior><gml:LinearRing>"
        f"<gml:posList>{SQUARE}</gml:posList></gml:LinearRing></gml:exterior></gml:PolygonPatch></gml:patches></gml:Surface>",
        "<gml:Polygon><gml:exterior><gml:LinearRing>"
        + "".join(f"<gml:pos>{p}</gml:pos>" for p in ("0 0 0", "10 0 0", "10 10 0", "0 10 0", "0 0 0"))
        + "</gml:LinearRing></gml:exterior></gml:Polygon>",
        "<gml:Polygon><gml:outerBoundaryIs/><gml:exterior><gml:LinearRing><gml:coordinates>0,0,0 10,0,0 10,10,0 0,10,0 0,0,0"
        "</gml:coordinates></gml:LinearRing></gml:exterior></gml:Polygon>",
        "<gml:TriangulatedSurface><gml:trianglePatches>"
        + "".join(
            f"<gml:Triangle><gml:exterior><gml:LinearRing><gml:posList>{t}</gml:posList></gml:LinearRing></gml:exterior></gml:Triangle>"
            for t in ("0 0 0 10 0 0 10 10 0 0 0 0", "0 0 0 10 10 0 0 10 0 0 0 0")
        )
        + "</gml:trianglePatches></gml:TriangulatedSurface>",
        "<gml:Polygon><gml:exterior><gml:Ring>"
        "<gml:curveMember><gml:LineString><gml:posList>0 0 0 10 0 0 10 10 0</gml:posList></gml:LineString></gml:curveMember>"
        "<gml:curveMember><gml:LineString><gml:posList>10 10 0 0 10 0 0 0 0</gml:posList></gml:LineString></gml:curveMember>"
        "</gml:Ring></gml:exterior></gml:Polygon>",
    ],
)
def test_every_way_to_write_a_square_gives_the_same_square(read, geometry):
    result = read(document(building(f"<bldg:lod2Geometry>{geometry}</bldg:lod2Geometry>")))
    mesh = city(result).meshes["2"]
    assert areas(mesh).sum() == pytest.approx(100.0)
    assert mesh.bounds.tolist() == [[0, 0, 0], [10, 10, 0]]
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_reversed_orientable_surface_faces_the_other_way(read):
    turned = f'<gml:OrientableSurface orientation="-"><gml:baseSurface>{polygon()}</gml:baseSurface></gml:OrientableSurface>'
    mesh = city(read(document(building(shape(turned))))).meshes["1"]
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(float) for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] < 0).all()


def test_solid_of_links_draws_each_wall_once_with_its_kind(read):
    solid = nest("bldg:lod2Solid gml:Solid gml:exterior gml:CompositeSurface", link("g") + link("r"))
    ground = wall("GroundSurface", shape(polygon(key="g"), lod=2))
    roof = wall("RoofSurface", shape(polygon("0 0 5 10 0 5 10 10 5 0 10 5 0 0 5", "r"), lod=2))
    result = read(document(building(solid + ground + roof)))
    mesh = city(result).meshes["2"]
    assert len(mesh.triangles) == 4
    assert sorted(set(mesh.surface.tolist())) == [Surface.GROUND, Surface.ROOF]
    assert result.objects == {"Building": 1, "GroundSurface": 1, "RoofSurface": 1}
    assert not result.problems


def test_openings_are_openings_and_parts_know_their_building(read):
    window = nest("bldg:opening bldg:Window bldg:lod3MultiSurface", surfaces(polygon()))
    part = nest("bldg:consistsOfBuildingPart bldg:BuildingPart", wall("WallSurface", window))
    result = read(document(building(part)))
    assert city(result).parents.tolist() == [-1, 0]
    assert set(city(result).meshes["3"].surface.tolist()) == {Surface.OPENING}
    assert set(city(result).meshes["3"].feature_index.tolist()) == {1}


@pytest.mark.parametrize("order", [1, -1])
def test_links_to_other_members_are_followed_both_ways(read, order):
    first = building(shape(polygon(key="shared")), "a")
    second = building(nest("bldg:lod1MultiSurface gml:MultiSurface", link("shared")), "b")
    result = read(document("".join((first, second)[::order])))
    assert sorted(city(result).meshes["1"].feature_index.tolist()) == [0, 0, 1, 1]
    assert not result.problems


def test_missing_and_circular_links_are_problems_not_endless(read):
    missing = building('<bldg:lod1MultiSurface xlink:href="#nowhere"/>' + shape(polygon(), lod=2))
    result = read(document(missing))
    assert codes(result) == {"missing-link"}
    circle = "".join(
        f'<bldg:lod{lod}MultiSurface><gml:MultiSurface gml:id="{key}">{link(other)}</gml:MultiSurface></bldg:lod{lod}MultiSurface>'
        for lod, key, other in ((1, "m", "n"), (2, "n", "m"))
    )
    assert city(read(document(building(circle)))).meshes == {}


def test_shared_shape_is_placed_with_matrix_and_reference_point(read):
    def tree(key: str, x: int, inner: str) -> str:
        return member(
            f'<veg:SolitaryVegetationObject gml:id="{key}"><veg:lod1ImplicitRepresentation><core:ImplicitGeometry>'
            "<core:transformationMatrix>2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1</core:transformationMatrix>"
            f"{inner}<core:referencePoint><gml:Point><gml:pos>{500000 + x} 5400000 100</gml:pos></gml:Point></core:referencePoint>"
            "</core:ImplicitGeometry></veg:lod1ImplicitRepresentation></veg:SolitaryVegetationObject>"
        )

    named = surfaces(polygon()).replace("MultiSurface>", 'MultiSurface gml:id="shape">', 1)
    own = nest("core:relativeGMLGeometry", named)
    linked = '<core:relativeGMLGeometry xlink:href="#shape"/>'
    for members in (tree("t1", 0, own) + tree("t2", 50, linked), tree("t2", 50, linked) + tree("t1", 0, own)):
        result = read(document(members))
        mesh = city(result).meshes["1"]
        assert areas(mesh).sum() == pytest.approx(800.0)
        assert mesh.bounds.tolist() == [[500000, 5400000, 100], [500070, 5400020, 100]]
        assert result.extent.tolist() == mesh.bounds.tolist()
        assert not result.problems


def test_latitude_first_becomes_longitude_first(read):
    positions = "35.1 138.8 1 35.1 138.9 1 35.2 138.9 1 35.1 138.8 1"
    for name in ("http://www.opengis.net/def/crs/EPSG/0/6697", "urn:ogc:def:crs:EPSG::6697", "EPSG:6697"):
        result = read(document(building(shape(polygon(positions))), system=name))
        assert result.crs == "EPSG:6697"
        assert result.extent.ravel() == pytest.approx([138.8, 35.1, 1, 138.9, 35.2, 1])
        assert city(result).bounds.ravel() == pytest.approx([138.8, 35.1, 1, 138.9, 35.2, 1], abs=1e-7)


def test_northing_first_is_noticed_by_the_place(read):
    result = read(document(building(shape(polygon("5400000 500000 1 5400000 500010 1 5400010 500010 1 5400000 500000 1")))))
    assert result.extent.tolist() == [[500000, 5400000, 1], [500010, 5400010, 1]]


def test_second_reference_system_is_brought_into_the_first(read):
    far = surfaces(polygon("9.0 48.75 0 9.0001 48.75 0 9.0001 48.7501 0 9.0 48.75 0"))
    far = far.replace("MultiSurface>", 'MultiSurface srsName="EPSG:4326">', 1)
    near = shape(polygon("500000 5400000 0 500010 5400000 0 500010 5400010 0 500000 5400000 0"))
    result = read(document(building(near) + building(f"<bldg:lod1MultiSurface>{far}</bldg:lod1MultiSurface>", "b2")))
    assert result.crs == "EPSG:25832+5783"
    assert np.ptp(result.extent[:, :2], axis=0).max() < 1000
    assert "several-crs" in codes(result)


def test_attributes_of_every_kind_keep_type_and_unit(read, tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "usage.xml").write_text(
        '<gml:Dictionary xmlns:gml="http://www.opengis.net/gml"><gml:dictionaryEntry><gml:Definition>'
        "<gml:description>住宅</gml:description><gml:name>411</gml:name></gml:Definition></gml:dictionaryEntry></gml:Dictionary>",
        encoding="utf-8",
    )
    content = """
        <gml:name>House</gml:name>
        <gen:intAttribute name="floors"><gen:value>3</gen:value></gen:intAttribute>
        <gen:stringAttribute name="code"><gen:value>007</gen:value></gen:stringAttribute>
        <gen:genericAttributeSet name="set"><gen:measureAttribute name="width"><gen:value uom="ft">10</gen:value>
        </gen:measureAttribute></gen:genericAttributeSet>
        <bldg:function>1000</bldg:function><bldg:function>2000</bldg:function>
        <bldg:usage codeSpace="lists/usage.xml">411</bldg:usage>
        <bldg:yearOfConstruction>1985</bldg:yearOfConstruction>
        <bldg:measuredHeight uom="urn:adv:uom:ft">100</bldg:measuredHeight>
        <bldg:storeysAboveGround>4</bldg:storeysAboveGround>
        <bldg:address><core:Address><core:xalAddress><xAL:AddressDetails><xAL:Country><xAL:CountryName>Testland</xAL:CountryName>
        <xAL:Locality><xAL:LocalityName>Town</xAL:LocalityName><xAL:Thoroughfare><xAL:ThoroughfareNumber>3</xAL:ThoroughfareNumber>
        <xAL:ThoroughfareName>Street</xAL:ThoroughfareName></xAL:Thoroughfare></xAL:Locality></xAL:Country></xAL:AddressDetails>
        </core:xalAddress></core:Address></bldg:address>
        <uro:floodingRiskAttribute><uro:Risk><uro:rank codeSpace="../../x.xml">2</uro:rank><uro:depth uom="m">0.62</uro:depth>
        <uro:surveyYear>2016</uro:surveyYear></uro:Risk></uro:floodingRiskAttribute>
    """
    row = city(read(document(building(content)))).features.row(0)
    assert row == {
        "type": "Building",
        "name": "House",
        "floors": 3,
        "code": "007",
        "set.width": pytest.approx(3.048),
        "function": "1000; 2000",
        "usage": "411",
        "usage.text": "住宅",
        "yearOfConstruction": 1985,
        "measuredHeight": pytest.approx(30.48),
        "storeysAboveGround": 4,
        "address": "Street 3, Town, Testland",
        "floodingRiskAttribute.rank": "2",
        "floodingRiskAttribute.depth": pytest.approx(0.62),
        "floodingRiskAttribute.surveyYear": 2016,
    }


def test_citygml_3_status_height_and_generic_attributes(read):
    content = """
        <core:genericAttribute><gen:DoubleAttribute><gen:name>area</gen:name><gen:value>12.5</gen:value></gen:DoubleAttribute></core:genericAttribute>
        <con:conditionOfConstruction>underConstruction</con:conditionOfConstruction>
        <con:height><con:Height><con:status>measured</con:status><con:value uom="m">9.5</con:value></con:Height></con:height>
    """
    result = read(document(building(content), version="3.0"))
    row = city(result).features.row(0)
    assert result.version == "3.0"
    assert row["condition_of_construction"] == "underConstruction"
    assert row["measuredHeight"] == 9.5
    assert row["area"] == 12.5


def test_unknown_numbers_of_plateau_are_missing_not_minus_9999_metres(read):
    content = '<bldg:measuredHeight uom="m">-9999</bldg:measuredHeight><bldg:storeysAboveGround>9999</bldg:storeysAboveGround>'
    features = city(read(document(building(content)))).features
    assert features.row(0)["measuredHeight"] is None
    assert features.row(0)["storeysAboveGround"] is None


def test_materials_colour_their_surfaces_wherever_they_are_written(read):
    material = (
        "<app:Appearance><app:surfaceDataMember><app:X3DMaterial><app:diffuseColor>1 0 0</app:diffuseColor>"
        "<app:target>#p</app:target></app:X3DMaterial></app:surfaceDataMember></app:Appearance>"
    )
    shapes = shape(polygon(key="p"), polygon("0 0 1 1 0 1 1 1 1 0 0 1"))
    inside = document(building(f"<app:appearance>{material}</app:appearance>{shapes}"))
    outside = document(building(shapes), after=f"<app:appearanceMember>{material}</app:appearanceMember>")
    for text in (inside, outside):
        assert city(read(text)).meshes["1"].colors.tolist() == [[255, 0, 0, 255]] * 2 + [[255, 255, 255, 255]]


def test_material_under_a_texture_is_not_seen(read):
    content = (
        "<app:appearance><app:Appearance><app:surfaceDataMember><app:X3DMaterial><app:diffuseColor>0.2 0.2 0.2</app:diffuseColor>"
        "<app:target>#p</app:target></app:X3DMaterial></app:surfaceDataMember><app:surfaceDataMember><app:ParameterizedTexture>"
        '<app:target uri="#p"/></app:ParameterizedTexture></app:surfaceDataMember></app:Appearance></app:appearance>'
    )
    model = city(read(document(building(content + shape(polygon(key="p"))))))
    assert model.meshes["1"].colors is None
    assert model.metadata["textures"] == 1


def test_groups_name_their_members(read):
    group = member('<grp:CityObjectGroup gml:id="g"><grp:groupMember xlink:href="#b1"/></grp:CityObjectGroup>')
    features = city(read(document(group + building(shape(polygon()))))).features
    assert features.row(features.row_of("b1"))["group"] == "g"


def test_undeclared_prefixes_are_read_and_reported(read):
    text = document(
        building('<gen:stringAttribute name="a"><gen:value>x</gen:value></gen:stringAttribute>' + shape(polygon())),
        without="gen bldg gml",
    )
    result = read(text)
    assert codes(result) == {"undeclared-prefix"}
    assert city(result).features.row(0)["a"] == "x"
    assert len(city(result).meshes["1"].triangles) == 2


def test_same_id_twice_gives_two_features(read):
    result = read(document(building(shape(polygon())) + building(shape(polygon()))))
    assert city(result).features.ids.tolist() == ["b1", "b1~2"]
    assert codes(result) == {"duplicate-id"}


def test_damage_keeps_what_came_before_and_names_the_line(read):
    text = document("".join(building(shape(polygon()), f"b{k}") for k in range(5)))
    result = read(text[: text.index('gml:id="b3"') + 60])
    assert city(result).features.ids.tolist() == ["b0", "b1", "b2"]
    problem = result.problems[-1]
    assert problem.code == "damaged"
    assert problem.severity == Severity.ERROR
    assert problem.where.startswith("line ")


def test_damaged_gzip_keeps_what_came_before(read):
    text = document(
        "".join(building(shape(polygon(f"{k} 0 0 {k + 1} 0 0 {k} {k * 7 % 13} 3 {k} 0 0")), f"b{k}") for k in range(3000))
    )
    packed = gzip.compress(text.encode())
    assert len(city(read(packed, "c.gml.gz")).features) == 3000
    result = read(packed[: len(packed) // 2], "d.gml.gz")
    assert 0 < len(city(result).features) < 3000
    assert "damaged" in codes(result)


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE CityModel>",
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
        "<!--" + "x" * 80_000 + "--><!DOCTYPE CityModel>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_type_declarations_are_refused(read, prolog, encoding):
    text = document(building("<gml:name>x</gml:name>")).replace("UTF-8", encoding).replace("?>", "?>" + prolog, 1)
    with pytest.raises(DataError, match="DOCTYPE"):
        read(text.encode(encoding))


def test_other_encodings_are_read(read):
    text = document(building("<gml:name>水</gml:name>" + shape(polygon()))).replace("UTF-8", "UTF-16")
    result = read(text.encode("utf-16"))
    assert city(result).features.row(0)["name"] == "水"
    assert result.crs == "EPSG:25832+5783"


@pytest.mark.parametrize(
    "text", ["<html><body/></html>", "<a", "<gpx/>", '<x xmlns="http://www.opengis.net/gml"><cityObjectMember/></x>']
)
def test_other_xml_is_neither_claimed_nor_read(read, tmp_path, text):
    assert READER.claim(tmp_path / "x.gml", text.encode()) == 0.0
    with pytest.raises(DataError):
        read(text)


def test_claim_knows_a_city_model_by_its_root(tmp_path):
    text = document(building("")).encode()
    assert READER.claim(tmp_path / "x.xml", text[:HEAD_BYTES]) > 0.9
    late = tmp_path / "late.gml"
    late.write_bytes(b"<!--" + b"x" * 10_000 + b"-->" + text.split(b"\n", 1)[1])
    assert READER.claim(late, late.read_bytes()[:HEAD_BYTES]) > 0.8


def test_code_lists_outside_or_of_other_kinds_are_not_opened(read, tmp_path):
    (tmp_path / "x.xml").write_text("<html/>")
    for space in ("http://example.com/x.xml", "/etc/hosts", "file:///etc/hosts", "x.xml", "missing.xml", "../" * 9 + "x.xml"):
        row = city(read(document(building(f'<bldg:usage codeSpace="{space}">1</bldg:usage>')))).features.row(0)
        assert row == {"type": "Building", "usage": "1"}


def test_impossible_coordinates_cost_their_surface_only(read):
    result = read(
        document(
            building(shape(polygon("0 0 0 1 NaN 0 1 1 0 0 0 0"), polygon("0 0 0 1 zwei 0 1 1 0"), polygon("0 0 0 1"), polygon()))
        )
    )
    assert areas(city(result).meshes["1"]).sum() == pytest.approx(100.0)
    assert "bad-coordinate" in codes(result)
    assert "bad-coordinates" in codes(result)


def test_cancel_stops_the_reading(tmp_path):
    path = tmp_path / "c.gml"
    path.write_text(document("".join(building("", f"b{k}") for k in range(200))))
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        READER.read(path, ReadOptions(cancel=token))


SAMPLE = document(
    "".join(building(wall("RoofSurface", shape(polygon(key=f"p{k}"), lod=2)) + shape(polygon()), f"b{k}") for k in range(3))
).encode()
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.integers(0, len(SAMPLE)))
def test_every_truncation_is_read_in_part_or_refused(tmp_path, cut):
    path = tmp_path / "cut.gml"
    path.write_bytes(SAMPLE[:cut])
    try:
        result = READER.read(path, ReadOptions())
    except DataError:
        return
    assert sum(result.objects.get(name, 0) for name in ("Building",)) <= 3
    assert cut >= len(SAMPLE) - 1 or "damaged" in codes(result)


@quick
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_every_mutation_is_read_in_part_or_refused(tmp_path, changes):
    data = bytearray(SAMPLE)
    for position, value in changes:
        data[position] = value
    path = tmp_path / "changed.gml"
    path.write_bytes(bytes(data))
    try:
        result = READER.read(path, ReadOptions())
    except DataError:
        return
    for source in result.sources:
        for mesh in source.data.meshes.values():
            assert np.isfinite(mesh.vertices).all()
            assert math.isfinite(float(areas(mesh).sum()))
