"""Every text that people see has its Chinese: literals of tr(), error and problem templates, palettes and names."""

from __future__ import annotations

import ast
import json
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cimdesk.base.i18n import LANGUAGES, load_catalogue
from cimdesk.model.appearance import TYPE_COLORS, words_of_type
from cimdesk.model.layers import GROUPS, LayerKind
from cimdesk.model.lifecycle import STAGE_PALETTE
from cimdesk.model.sensors import STATUS_PALETTE

CITY_TYPES = (*TYPE_COLORS, "CityObjectGroup")
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE_POSITION = {
    "tr": 0, "CimdeskError": 0, "ServiceError": 0, "ProjectError": 0, "EditError": 0, "UsageError": 0, "DataError": 1, "Problem": 3,
}  # fmt: skip


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in TEMPLATE_POSITION:
                yield name, node


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    for name, call in _calls(ast.parse(file.read_text(encoding="utf-8"))):
        position = TEMPLATE_POSITION[name]
        candidates = [call.args[position]] if len(call.args) > position else []
        candidates += [keyword.value for keyword in call.keywords if keyword.arg in ("remedy", "template")]
        for candidate in candidates:
            parts = [candidate.body, candidate.orelse] if isinstance(candidate, ast.IfExp) else [candidate]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value not in ("", "{text}", "{reason}"):
                    yield call.lineno, part.value


def _all_texts() -> list[tuple[str, str]]:
    found = []
    for file in sorted((ROOT / "cimdesk").rglob("*.py")):
        found += [(f"{file.relative_to(ROOT)}:{line}", text) for line, text in _texts(file)]
    found += [("lifecycle", label) for label, _ in STAGE_PALETTE] + [("sensors", label) for label, _ in STATUS_PALETTE]
    found += [("layers", name) for name, _ in GROUPS] + [("layers", str(kind)) for kind in LayerKind]
    return found


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _literals() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "cimdesk").rglob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        found.update(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def test_every_text_is_translated_to_chinese():
    catalogue = load_catalogue("zh_CN")
    missing = [f"{place}: {text!r}" for place, text in _all_texts() if text not in catalogue]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_translations_keep_the_fields_of_their_template(language: str):
    wrong = [text for text, other in load_catalogue(language).items() if "{" in text and _fields(text) != _fields(other)]
    assert not wrong


def test_no_area_translates_a_text_differently_from_another():
    meanings: dict[str, dict[str, str]] = {}
    for file in sorted((ROOT / "resources" / "i18n" / "zh_CN").glob("*.json")):
        for text, other in json.loads(file.read_text(encoding="utf-8")).items():
            meanings.setdefault(text, {})[file.stem] = other
    clashes = {text: areas for text, areas in meanings.items() if len(set(areas.values())) > 1}
    assert not clashes


def test_no_translation_is_of_a_text_that_is_gone():
    """A text is there when it is a literal of the program, a name in a table of standards, or made of the name of a type."""
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "resources").rglob("*.toml")]
    texts = {*_literals(), *(text for table in tables for text in _strings(table)), *map(words_of_type, CITY_TYPES)}
    unused = [
        f"{file.name}: {text!r}"
        for file in sorted((ROOT / "resources" / "i18n").glob("*/*.json"))
        for text in json.loads(file.read_text(encoding="utf-8"))
        if text not in texts
    ]
    assert not unused, "\n".join(unused)
