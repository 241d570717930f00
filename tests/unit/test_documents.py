"""What the documents at the root say is there, is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cimdesk.base.i18n import load_catalogue
from cimdesk.model.lifecycle import STAGE_PALETTE, Stage

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_named_paths_lead_somewhere(name: str):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    named += re.findall(r"`((?:cimdesk|tests|resources|installer)/[\w./-]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_table_of_packages_is_that_of_the_program():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    packages = {folder.name for folder in (ROOT / "cimdesk").iterdir() if (folder / "__init__.py").exists()}
    assert set(table) == packages


def test_modules_that_the_architecture_names_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:model|analysis|services|project|commands|scene|ui)/[\w/]+\.py)`", text)
    assert named
    assert [path for path in named if not (ROOT / "cimdesk" / path).exists()] == []


def test_the_crosswalk_of_stages_has_every_stage_by_its_names():
    table = tomllib.loads((ROOT / "resources" / "standards" / "lifecycle.toml").read_text(encoding="utf-8"))["stage"]
    chinese = load_catalogue("zh_CN")
    known = {stage.code: STAGE_PALETTE[stage][0] for stage in Stage if stage is not Stage.UNKNOWN}
    rows = {row["code"]: row for row in table if row["code"] != "unknown"}
    assert {code: row["en"] for code, row in rows.items()} == known
    assert {code: row["zh_CN"] for code, row in rows.items()} == {code: chinese[name] for code, name in known.items()}
