"""Review topics are counted; what is no BCF is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.bcf import READER
from cimdesk.formats.registry import ReadOptions, read_head

VERSION = '<Version VersionId="3.0"/>'
MARKUP = (
    '<Markup><Topic Guid="a"><Title>Door too low</Title></Topic><Comment Guid="c"><Comment>See plan</Comment></Comment></Markup>'
)


def pack(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def test_topics_comments_and_viewpoints_are_counted(tmp_path):
    path = pack(tmp_path / "a.bcf", {"bcf.version": VERSION, "a/markup.bcf": MARKUP, "a/v.bcfv": "<VisualizationInfo/>"})
    assert READER.claim(path, read_head(path)) > 0.8
    result = READER.read(path, ReadOptions())
    assert result.version == "3.0"
    assert result.objects == {"topics": 1, "comments": 1, "viewpoints": 1}
    assert "Door too low" in result.problems[0].message
    assert result.sources == ()


def test_a_broken_topic_does_not_hide_the_others(tmp_path):
    path = pack(tmp_path / "a.bcf", {"bcf.version": VERSION, "a/markup.bcf": "<Markup>", "b/markup.bcf": MARKUP})
    result = READER.read(path, ReadOptions())
    assert result.objects["topics"] == 1
    assert {problem.code for problem in result.problems} == {"damaged", "topics"}


@pytest.mark.parametrize("parts", [{"readme.txt": "hello"}, {"bcf.version": "no xml"}])
def test_other_packed_files_are_refused(tmp_path, parts):
    with pytest.raises(DataError, match="no BCF"):
        READER.read(pack(tmp_path / "a.bcf", parts), ReadOptions())
