"""CityGML files cut into small documents give what a stream of them gives, whatever is in the way of cutting."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimdesk.base.errors import DataError
from cimdesk.formats.citygml import READER, batches, stream
from cimdesk.formats.citygml.stream import Document, UndeclaredError
from cimdesk.formats.findings import Findings
from cimdesk.formats.registry import ReadOptions

SPACES = (
    'xmlns="http://www.opengis.net/citygml/2.0" xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:bldg="http://www.opengis.net/citygml/building/2.0"'
)
NAMED = "<gml:name>A city</gml:name>\n"
END = "</CityModel>"
MEMBER = """<cityObjectMember>
  <bldg:Building gml:id="b{k}"><gml:description>no {k}</gml:description>
    <bldg:lod1MultiSurface><gml:MultiSurface><gml:surfaceMember>
      <gml:Polygon><gml:exterior><gml:LinearRing>
        <gml:posList>{k} 0 0 {k} 9 0 {k} 9 9 {k} 0 0</gml:posList>
      </gml:LinearRing></gml:exterior></gml:Polygon>
    </gml:surfaceMember></gml:MultiSurface></bldg:lod1MultiSurface>
  </bldg:Building>
</cityObjectMember>
"""


def model(members: int, root: str = f"<CityModel {SPACES}>", declared: str = "<?xml version='1.0' encoding='UTF-8'?>\n") -> str:
    return declared + root + NAMED + "".join(MEMBER.format(k=k) for k in range(members)) + END


PLAIN = model(6)
COMMENTED = PLAIN.replace("</gml:description>", "</gml:description><!-- </cityObjectMember>\n<x> -->")
ODD = {
    "plain": PLAIN,
    "comments with ends of members": COMMENTED,
    "a comment before the root": PLAIN.replace("<CityModel", "<!-- <CityModel a='> -->\n<CityModel"),
    "text of markup": PLAIN.replace("no 3<", "<![CDATA[a</cityObjectMember>]]><"),
    "instructions": PLAIN.replace("</gml:description>", "</gml:description><?x </cityObjectMember> ?>"),
    "members in members": PLAIN.replace(
        "<gml:description>", "<gml:x><cityObjectMember/><member>1</member></gml:x><gml:description>"
    ),
    "spaces in end tags": PLAIN.replace("</cityObjectMember>", "</cityObjectMember \n>"),
    "several kinds of members": PLAIN.replace("cityObjectMember", "gml:featureMember", 4),
    "one member of all": model(0).replace(END, "<gml:featureMembers><a/><b/></gml:featureMembers>" + END),
    "a prefix of its own": PLAIN.replace("cityObjectMember", "c:cityObjectMember").replace(
        "<c:cityObj", '<c:cityObj xmlns:c="u:c"'
    ),
    "quotes in the root": model(6, root=f"<CityModel {SPACES} gml:id='a\">b'\n>"),
    "an empty model": model(0),
    "an empty root": f"<CityModel {SPACES}/>",
    "more after the members": PLAIN.replace(END, "<gml:description>late</gml:description>" + END + "<!-- bye -->\n"),
    "garbage at the end": PLAIN + "x",
    "two models": PLAIN + PLAIN,
    "a document type": PLAIN.replace("<CityModel", "<!DOCTYPE CityModel><CityModel"),
    "a prefix nobody declared": PLAIN.replace("no 4<", "<x:y/><"),
    "a name that ends wrongly": PLAIN.replace("</gml:description>", "</gml:name>", 5).replace(
        "</gml:name>", "</gml:description>", 4
    ),
    "no declaration": model(6, declared=""),
    "other line ends": PLAIN.replace("\n", "\r\n"),
    "not even XML": "city",
}
ENCODED = {name: text.encode() for name, text in ODD.items()} | {
    "a mark of UTF-8": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": model(6, declared="<?xml version='1.0' encoding='UTF-16'?>").encode("utf-16"),
    "Latin letters": PLAIN.replace("UTF-8", "ISO-8859-1").replace("no 2", "n\u00f6 2").encode("latin-1"),
    "Japanese of its own": PLAIN.replace("UTF-8", "Shift_JIS").replace("no 2", "\u8868 2").encode("shift-jis"),
    "a packed file": gzip.compress(PLAIN.encode()),
}


def cut_at(patch: pytest.MonkeyPatch, size: int) -> None:
    """Make documents of so many bytes; the start tag of the root has to be among the first 400."""
    patch.setattr(batches, "HEAD_BYTES", max(400, size))
    patch.setattr(batches, "BATCH_BYTES", size)


def content(element) -> tuple:
    return element.tag, dict(element.attrib), (element.text or "").strip(), [content(child) for child in element]


def told(path: Path, options: ReadOptions | None = None) -> tuple:
    """Return everything that a file says."""
    document = Document(path, options or ReadOptions(), Findings())
    members, end = [], ""
    try:
        members.extend(content(member) for member in document.members())
    except (DataError, UndeclaredError) as error:
        end = f"{type(error).__name__}: {error}"
    rest = [] if document.root is None else [(part.tag, part.text) for part in document.root if part.tag.endswith(("name", "tion"))]
    return members, end, rest, document.version, document.findings.problems()


def streamed(monkeypatch: pytest.MonkeyPatch, path: Path) -> tuple:
    def refuse(file, parser):
        raise batches.UncutError

    with monkeypatch.context() as patch:
        patch.setattr(stream, "documents", refuse)
        return told(path)


@pytest.mark.parametrize("size", [1, 100, 700, 65_536])
@pytest.mark.parametrize("name", ENCODED)
def test_a_file_cut_says_what_a_stream_says(tmp_path, monkeypatch, name, size):
    path = tmp_path / "city.gml"
    path.write_bytes(ENCODED[name])
    cut_at(monkeypatch, size)
    assert told(path) == streamed(monkeypatch, path)


def test_a_packed_file_cut_off_keeps_what_comes_before(tmp_path, monkeypatch):
    path = tmp_path / "city.gml.gz"
    path.write_bytes(gzip.compress(model(3000).encode())[:-9000])
    members, end, _, _, problems = told(path)
    assert 1000 < len(members) < 3000
    assert [problem.code for problem in problems] == ["damaged"]
    assert (members, end) == streamed(monkeypatch, path)[:2]


quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(
    st.lists(st.tuples(st.integers(0, len(COMMENTED) - 1), st.sampled_from(list(b"<>/\"'&! -]x\x00\xff"))), max_size=4),
    st.integers(0, len(COMMENTED)),
    st.sampled_from([50, 900]),
)
def test_a_damaged_file_cut_says_what_a_stream_says(tmp_path, monkeypatch, changes, length, size):
    data = bytearray(COMMENTED.encode())
    for position, value in changes:
        data[position] = value
    path = tmp_path / "city.gml"
    path.write_bytes(data if length % 3 else data[:length])
    with monkeypatch.context() as patch:
        cut_at(patch, size)
        assert told(path) == streamed(monkeypatch, path)


def test_a_file_without_an_end_of_members_is_left_to_the_stream(tmp_path, monkeypatch):
    path = tmp_path / "city.gml"
    path.write_text(ODD["one member of all"])
    monkeypatch.setattr(batches, "LARGEST", 40)
    members, _, _, _, problems = told(path)
    assert len(members) == 1
    assert not problems


def test_a_bad_ring_is_told_with_the_object_it_belongs_to(tmp_path, monkeypatch):
    cut_at(monkeypatch, 300)
    path = tmp_path / "city.gml"
    path.write_text(PLAIN.replace("4 0 0 4 9 0", "4 0 0 4 9 0 1"))
    where = [problem.where for problem in READER.read(path, ReadOptions()).problems if problem.code == "bad-coordinates"]
    assert where == ["b4"]


def test_a_file_is_cut_and_its_progress_told(tmp_path, monkeypatch):
    cut_at(monkeypatch, 300)
    path = tmp_path / "city.gml"
    path.write_text(PLAIN)
    heard: list[float] = []
    monkeypatch.setattr(Document, "_streamed", lambda *_: pytest.fail("The file is read as a stream."))
    told(path, ReadOptions(progress=heard.append))
    assert len(heard) > 5
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(0.9)


def test_what_a_model_says_of_itself_before_its_members_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "city.gml"
    path.write_text(PLAIN)
    assert READER.read(path, ReadOptions()).sources[0].data.metadata["name"] == "A city"
    assert streamed(monkeypatch, path)[2][0][1] == "A city"
