"""Reasons of the system and of parsers, as a person reads them."""

from __future__ import annotations

import json
import tomllib
import urllib.error
from xml.parsers import expat

import pytest

from cimdesk.base import i18n, reasons
from cimdesk.base.errors import DataError
from cimdesk.base.i18n import using_language
from cimdesk.base.reasons import plain_reason


def _failure(read, text):
    try:
        read(text)
    except ValueError as error:
        return error
    except expat.ExpatError as error:
        return error
    raise AssertionError("it was read")


def test_a_code_of_the_system_is_not_told():
    refused = urllib.error.URLError(ConnectionRefusedError(111, "Connection refused"))
    assert plain_reason(refused) == plain_reason(refused.reason) == "the connection is refused"


@pytest.mark.parametrize("text", ["", "<a><b></a>", "<a", "<a/>b", "no", "<a x='1' x='2'/>"])
def test_what_an_xml_parser_says_is_told_in_chinese(text):
    error = _failure(lambda said: expat.ParserCreate().Parse(said, True), text)
    with using_language("zh_CN"):
        assert "line" not in plain_reason(error)
        assert "第 1 行" in plain_reason(error)


@pytest.mark.parametrize("text", ["", '{"a" 1}', '{"a": "b', "{a: 1}", "[1] 2", "[1 2]"])
def test_what_a_json_parser_says_is_told_in_chinese(text):
    with using_language("zh_CN"):
        assert plain_reason(_failure(json.loads, text)).isascii() is False


@pytest.mark.parametrize("text", ["a = ", "a b", "a = [1", "a = 1\na = 2", 'a = "b', "[[]]"])
def test_what_a_toml_parser_says_keeps_its_place(text):
    with using_language("zh_CN"):
        assert "line" not in plain_reason(_failure(tomllib.loads, text))


def test_an_error_tells_the_plain_reason():
    error = DataError("a.csv", "the file cannot be opened ({reason}).", reason=PermissionError(13, "Permission denied"))
    assert error.message == "the file cannot be opened (access is denied)."


def test_words_nobody_knows_are_told_as_they_are():
    assert plain_reason("the pipe froze") == "the pipe froze"


def test_reasons_are_known_once_for_each_language(monkeypatch):
    reasons._known.cache_clear()
    looked_up = []
    monkeypatch.setattr(reasons, "tr", lambda text: looked_up.append(text) or i18n.tr(text))
    for _ in range(3):
        assert plain_reason("Connection refused") == "the connection is refused"
    once = len(looked_up)
    with using_language("zh_CN"):
        assert plain_reason("Connection refused") == "连接被拒绝"
    assert plain_reason("timed out") == "no answer in time"
    assert len(looked_up) == 2 * once
    reasons._known.cache_clear()
