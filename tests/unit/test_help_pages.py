"""The guide: the same pages in both languages, links that lead somewhere, and only commands and formats that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HELP = Path(__file__).resolve().parents[2] / "resources" / "help"
LANGUAGES = ("en", "zh_CN")
PAGES = sorted(page for language in LANGUAGES for page in (HELP / language).glob("*.md"))


def names(language: str) -> set[str]:
    return {page.stem for page in (HELP / language).glob("*.md")}


def test_both_languages_have_the_same_pages():
    assert names("en") == names("zh_CN")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_a_page_begins_with_its_title_and_its_links_lead_to_pages(page: Path):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    targets = set(re.findall(r"\]\(([\w-]+)\.md\)", text))
    assert targets <= names(page.parent.name) | {"shortcuts"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_page_leads_to_every_other(language: str):
    index = (HELP / language / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+)\.md\)", index)) >= names(language) - {"index"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_the_command_line_names_every_command(language: str):
    from cimdesk.app.cli import _parser

    told = set(re.findall(r"`cimdesk ([a-z]+)", (HELP / language / "commands.md").read_text(encoding="utf-8")))
    assert told == _parser()[1]
