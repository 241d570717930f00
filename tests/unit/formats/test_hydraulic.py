"""EPANET and SWMM files: units, kinds, encodings, damage."""

from __future__ import annotations

import codecs
import gzip

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.findings import PER_CODE
from cimdesk.formats.hydraulic import EPANET_READER, SWMM_READER
from cimdesk.formats.inp_sections import decode, full_name, parse_hours, split_words
from cimdesk.formats.registry import HEAD_BYTES, ReadOptions, read_head
from cimdesk.model.layers import LayerKind
from cimdesk.model.network import LinkKind, NodeKind, Utility

EPANET = """[TITLE]
Two tanks ; not a comment in titles
[JUNCTIONS]
;ID Elev Demand Pattern
 J1  100  10  P1 ;
 J2  50   0
[RESERVOIRS]
 R1  200
[TANKS]
 T1  120 10 0 20 50 0
[PIPES]
 P1  R1 J1 1000 12 100 0 Open
 P2  J1 J2 500  8  100 0 CV
 P3  J2 T1 10   6  100 Closed
[PUMPS]
 PU  R1 J2 HEAD C1 SPEED 1.2
[VALVES]
 V1  J1 J2 12 PRV 10 0
 V2  J1 J2 12 FCV 100 0
 V3  J1 J2 12 GPV CURVE 0
[DEMANDS]
 J1 4
 J1 6
[STATUS]
 V1 Closed
 PU 0
[TAGS]
 NODE J1 zone-a
[OPTIONS]
 Units GPM
[TIMES]
 Duration 24:00
[COORDINATES]
 R1 0 0
 J1 100 0
 J2 200 0
 T1 300 50
[VERTICES]
 P2 150 20
 P2 160 20
[END]
 this is never read
"""

SWMM = """[OPTIONS]
FLOW_UNITS LPS
LINK_OFFSETS DEPTH
[RAINGAGES]
G1 INTENSITY 0:05 1.0 TIMESERIES TS
[SUBCATCHMENTS]
S1 G1 M1 0.5 40 100 2 0
[JUNCTIONS]
M1 10 3 0 0 0
M2 9.5 0
[OUTFALLS]
OUT 8 FREE NO
[STORAGE]
ST 7 4 0 FUNCTIONAL 100 0 0
[DIVIDERS]
DV 6 C2 CUTOFF 1.0 2.5 0
[CONDUITS]
C1 M1 M2 50 0.013 0.1 0.2 0 0
C2 M2 OUT 100 0.013 0 0 0 0
[PUMPS]
PU ST M1 PC OFF
[ORIFICES]
OR ST OUT SIDE 0.5 0.65
[WEIRS]
WE DV OUT TRANSVERSE 1 3.3
[OUTLETS]
OL DV ST 0.25 TABULAR/DEPTH OC
[XSECTIONS]
C1 CIRCULAR 0.6 0 0 0 1
C2 RECT_CLOSED 1.2 2.0 0 0 2
OR CIRCULAR 0.3 0 0 0
WE RECT_OPEN 0.4 1 0 0
[COORDINATES]
M1 0 0
M2 50 0
OUT 150 0
ST 0 50
DV 0 90
[VERTICES]
C2 100 10
[Polygons]
S1 0 0
S1 10 0
S1 10 10
[TIMESERIES]
TS 0:00 1
TS 0:05 2
"""


def read(tmp_path, text, reader=EPANET_READER, name="net.inp", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return reader.read(path, ReadOptions())


def network_of(result):
    (source,) = result.sources
    assert source.kind is LayerKind.NETWORK
    return source.data


def test_epanet_counts_kinds_and_utility(tmp_path):
    result = read(tmp_path, EPANET)
    assert dict(result.objects) == {"junctions": 2, "reservoirs": 1, "tanks": 1, "pipes": 3, "pumps": 1, "valves": 3}
    network = network_of(result)
    assert network.utility is Utility.WATER
    assert network.node_kind.tolist() == [NodeKind.JUNCTION] * 2 + [NodeKind.RESERVOIR, NodeKind.TANK]
    assert network.link_kind.tolist() == [LinkKind.PIPE] * 3 + [LinkKind.PUMP] + [LinkKind.VALVE] * 3
    assert not result.problems
    assert result.crs is None


def test_epanet_us_units_become_si(tmp_path):
    network = network_of(read(tmp_path, EPANET))
    pipe = network.links.row_of("P1")
    assert network.lengths[pipe] == pytest.approx(304.8)
    assert network.diameters[pipe] == pytest.approx(0.3048)
    assert network.positions[0] == pytest.approx([100.0, 0.0, 30.48])
    # Ten gallons a minute.
    assert network.nodes.columns["demand"][0] == pytest.approx(10 * 3.785411784e-3 / 60)
    assert network.links.columns["setting"][network.links.row_of("V1")] == pytest.approx(7.03, abs=0.01)
    assert network.links.columns["setting"][network.links.row_of("V2")] == pytest.approx(6.309e-3, rel=1e-4)
    assert network.links.columns["curve"][network.links.row_of("V3")] == "CURVE"


@pytest.mark.parametrize("units", ["LPS", "LPM", "MLD", "CMH", "CMD", "CMS", "lps"])
def test_epanet_metric_units_are_metres_and_millimetres(tmp_path, units):
    network = network_of(read(tmp_path, EPANET.replace("GPM", units)))
    assert network.lengths[0] == 1000.0
    assert network.diameters[0] == pytest.approx(0.012)


def test_epanet_status_closes_pipes_valves_and_pumps(tmp_path):
    network = network_of(read(tmp_path, EPANET))
    closed = {str(network.links.ids[k]) for k in np.flatnonzero(~network.is_open)}
    assert closed == {"P3", "V1", "PU"}
    assert network.links.columns["status"][network.links.row_of("P2")] == "cv"


def test_bends_run_from_start_to_end_with_heights_between(tmp_path):
    network = network_of(read(tmp_path, EPANET))
    points = network.link_points(network.links.row_of("P2"))
    assert points[:, :2].tolist() == [[100, 0], [150, 20], [160, 20], [200, 0]]
    assert np.all(np.diff(points[:, 2]) < 0)


def test_metadata_keeps_options_duration_and_counts(tmp_path):
    network = network_of(read(tmp_path, EPANET))
    assert network.metadata["duration"] == 86400.0
    assert network.metadata["title"].startswith("Two tanks")
    assert network.metadata["sections"]["VERTICES"] == 2
    assert network.nodes.columns["tag"].tolist() == ["zone-a", None, None, None]


def test_swmm_counts_kinds_and_sections(tmp_path):
    result = read(tmp_path, SWMM, SWMM_READER)
    assert dict(result.objects) == {
        "subcatchments": 1, "raingages": 1, "junctions": 2, "outfalls": 1, "dividers": 1, "storage": 1, "conduits": 2, "pumps": 1,
        "orifices": 1, "weirs": 1, "outlets": 1,
    }  # fmt: skip
    network = network_of(result)
    assert network.utility is Utility.DRAINAGE
    assert not result.problems
    assert network.metadata["timeseries"] == 1


def test_swmm_pipes_know_size_inverts_and_slope(tmp_path):
    network = network_of(read(tmp_path, SWMM, SWMM_READER))
    columns = network.links.columns
    c1, c2 = network.links.row_of("C1"), network.links.row_of("C2")
    assert network.diameters[[c1, c2]].tolist() == [0.6, 1.2]
    assert columns["width"][[c1, c2]].tolist() == [0.6, 2.0]
    assert columns["shape"][c2] == "rect_closed"
    assert columns["barrels"][c2] == 2
    assert columns["start_invert"][c1] == pytest.approx(10.1)
    assert columns["end_invert"][c1] == pytest.approx(9.7)
    assert columns["slope"][c1] == pytest.approx(0.4 / 50)
    assert network.diameters[network.links.row_of("OR")] == pytest.approx(0.3)
    assert columns["start_offset"][network.links.row_of("OL")] == pytest.approx(0.25)
    assert not network.is_open[network.links.row_of("PU")]


def test_swmm_offsets_may_be_elevations(tmp_path):
    text = SWMM.replace("OFFSETS DEPTH", "OFFSETS ELEVATION").replace("0.013 0.1 0.2", "0.013 10.1 *")
    network = network_of(read(tmp_path, text, SWMM_READER))
    row = network.links.row_of("C1")
    assert network.links.columns["start_invert"][row] == pytest.approx(10.1)
    assert network.links.columns["start_offset"][row] == pytest.approx(0.1)
    assert network.links.columns["end_invert"][row] == pytest.approx(9.5)


def test_swmm_rims_stand_on_inverts_and_zero_depth_is_unknown(tmp_path):
    nodes = network_of(read(tmp_path, SWMM, SWMM_READER)).nodes
    rims = dict(zip(nodes.ids, nodes.columns["rim_elevation"], strict=True))
    assert rims["M1"] == 13.0
    assert rims["ST"] == 11.0
    assert rims["DV"] == 8.5
    assert np.isnan(rims["M2"])
    assert np.isnan(rims["OUT"])


def test_swmm_us_units_become_si(tmp_path):
    network = network_of(read(tmp_path, SWMM.replace("LPS", "CFS"), SWMM_READER))
    assert network.lengths[0] == pytest.approx(15.24)
    assert network.diameters[0] == pytest.approx(0.18288)
    assert network.areas.features.columns["area"][0] == pytest.approx(0.5 * 4046.8564224)


def test_subcatchments_are_closed_polygons_that_drain_to_nodes(tmp_path):
    network = network_of(read(tmp_path, SWMM, SWMM_READER))
    ring = network.areas.shapes.ring(0)
    assert len(ring) == 4
    assert ring[0, :2].tolist() == ring[-1, :2].tolist()
    assert network.areas.features.columns["area"][0] == 5000.0
    assert network.nodes.columns["drained_area"][network.nodes.row_of("M1")] == 5000.0


def test_swmm_names_ignore_case_and_epanet_names_do_not(tmp_path):
    assert not read(tmp_path, SWMM.replace("C1 M1 M2", "C1 m1 M2"), SWMM_READER).problems
    codes = [problem.code for problem in read(tmp_path, EPANET.replace("P1  R1 J1", "P1  r1 J1")).problems]
    assert codes == ["unknown-node"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_tabs_and_short_section_names_do_not_matter(tmp_path, newline):
    text = EPANET.replace("[JUNCTIONS]", "[junc]").replace("[COORDINATES]", "[Coor]").replace("  ", "\t").replace("\n", newline)
    result = read(tmp_path, text)
    assert result.objects["junctions"] == 2
    assert not result.problems


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_chinese_names_survive_every_encoding(tmp_path, encoding):
    network = network_of(read(tmp_path, EPANET.replace("J1", "荔湾泵站出口"), encoding=encoding))
    assert "荔湾泵站出口" in network.nodes


def test_western_names_survive_latin_1(tmp_path):
    network = network_of(read(tmp_path, EPANET.replace("J1", "Zür.é"), encoding="latin-1"))
    assert "Zür.é" in network.nodes


def test_gzipped_networks_open(tmp_path):
    path = tmp_path / "net.inp.gz"
    path.write_bytes(gzip.compress(EPANET.encode()))
    assert EPANET_READER.claim(path, read_head(path)) > 0.9
    assert EPANET_READER.read(path, ReadOptions()).objects["pipes"] == 3


def test_each_program_claims_its_own_and_neither_claims_other_text(tmp_path):
    path = tmp_path / "net.inp"
    assert EPANET_READER.claim(path, EPANET.encode()) > 0.9 > SWMM_READER.claim(path, EPANET.encode())
    assert SWMM_READER.claim(path, SWMM.encode()) > 0.9 > EPANET_READER.claim(path, SWMM.encode())
    for other in (
        b"",
        b"[tool.ruff]\nline-length = 1\n",
        b"*HEADING\n*NODE\n1, 0, 0\n",
        b'{"type": "FeatureCollection"}',
        b"a,b\n1,2\n",
    ):
        assert EPANET_READER.claim(path, other) == SWMM_READER.claim(path, other) == 0.0


def test_a_head_of_junctions_alone_is_told_apart_by_the_rest_of_the_file(tmp_path):
    path = tmp_path / "long.inp"
    path.write_text("[JUNCTIONS]\n" + "J1 0 0\n" * 1000 + "[PIPES]\n[RESERVOIRS]\n")
    head = path.read_bytes()[:HEAD_BYTES]
    assert EPANET_READER.claim(path, head) > 0.9
    assert SWMM_READER.claim(path, head) == 0.0


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (" P1  R1 J1 1000", " P1  R1 J9 1000", "unknown-node"),
        (" P1  R1 J1 1000", " P1  R1 J1 10x0", "bad-number"),
        (" P1  R1 J1 1000", " P1  R1 J1 1e999", "bad-number"),
        (" J2  50   0", " J1  50   0", "duplicate-id"),
        ("[PUMPS]", "[FOO]", "unknown-section"),
        (" Units GPM", " Units FURLONGS", "bad-units"),
        (" Duration 24:00", " Duration soon", "bad-time"),
        (" V1 Closed", " V1 Ajar", "bad-status"),
        (" P3  J2 T1 10   6  100 Closed", " P3  J2", "short-row"),
    ],
)
def test_damage_is_a_problem_with_its_line_and_the_rest_loads(tmp_path, old, new, code):
    line = EPANET[: EPANET.index(old)].count("\n") + 1
    result = read(tmp_path, EPANET.replace(old, new, 1))
    (place,) = (problem.where for problem in result.problems if problem.code == code)
    assert place.split(" [")[0] == f"line {line}"
    assert len(network_of(result).nodes) >= 3


def test_nodes_without_coordinates_have_no_place(tmp_path):
    result = read(tmp_path, EPANET.replace(" T1 300 50\n", ""))
    assert [problem.code for problem in result.problems] == ["no-coordinates"]
    network = network_of(result)
    row = network.nodes.row_of("T1")
    assert np.isnan(network.positions[row, :2]).all()
    assert network.positions[row, 2] == pytest.approx(36.576)
    assert np.isfinite(network.bounds).all()


def test_sizes_that_stand_for_no_resistance_are_kept_but_not_drawn(tmp_path):
    result = read(tmp_path, EPANET.replace("R1 J1 1000 12", "R1 J1 1000 1000"))
    network = network_of(result)
    assert [problem.code for problem in result.problems] == ["wide-links"]
    assert network.links.columns["diameter"][0] == pytest.approx(25.4)
    assert np.isnan(network.diameters[0])


def test_many_problems_of_one_kind_are_counted_not_listed(tmp_path):
    broken = "".join(f" Q{k} J1 NOWHERE 1 1 1\n" for k in range(500))
    problems = read(tmp_path, EPANET.replace("[PUMPS]", broken + "[PUMPS]")).problems
    assert len(problems) == PER_CODE + 1
    assert "450" in problems[-1].message


def test_a_file_without_nodes_is_refused_with_place_and_remedy(tmp_path):
    with pytest.raises(DataError, match=r"net\.inp.*no nodes.*JUNCTIONS"):
        read(tmp_path, "[PIPES]\n[VALVES]\n")


def test_binary_is_refused(tmp_path):
    with pytest.raises(DataError, match="binary"):
        read(tmp_path, b"[JUNCTIONS]\n" + bytes(5000))


def test_a_neighbour_tells_the_reference_system_only_when_it_lies_there(tmp_path):
    beside = tmp_path / "net_areas.geojson"
    crs = '"crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}'
    point = '{"type": "FeatureCollection", ' + crs + ', "features": [{"geometry": {"coordinates": [%s]}}]}'
    beside.write_text(point % "100.0, 5.0")
    result = read(tmp_path, EPANET)
    assert result.crs is None
    assert result.sources[0].crs.definition == "EPSG:4547"
    assert [problem.code for problem in result.problems] == ["crs-beside"]
    beside.write_text(point % "430000.0, 2550000.0")
    assert read(tmp_path, EPANET).sources[0].crs is None


def test_words_quotes_times_and_names():
    assert split_words('1 2 "two words" ; gone') == ["1", "2", "two words"]
    assert split_words('"" x') == ["", "x"]
    assert full_name("SUBCATCHMENT", ("SUBCATCHMENTS",)) == "SUBCATCHMENTS"
    assert full_name("OUT", ("OUTLETS",)) is None
    assert [parse_hours(t) for t in ("24", "1:30", "0:00:30", "90 MIN", "12 am", "1 PM", "2 days")] == [
        86400, 5400, 30, 5400, 0, 46800, 172800,
    ]  # fmt: skip
    assert [parse_hours(t) for t in ("", "x", "1:2:3:4", "13 PM", "nan")] == [None] * 5
    assert decode(codecs.BOM_UTF8 + b"a") == ("a", "utf-8")
