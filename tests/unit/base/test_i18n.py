"""Two languages, switched at any time; English is the key and never missing."""

from __future__ import annotations

import pytest

from cimdesk.base.i18n import LANGUAGES, current_language, language_changed, load_catalogue, set_language, tr


def test_english_is_the_text_itself():
    assert tr("Undo") == "Undo"
    assert current_language() == "en"


def test_another_language_translates_what_it_knows():
    set_language("zh_CN")
    assert tr("Construction") == "施工"
    assert tr("no such text anywhere") == "no such text anywhere"
    set_language("en")
    assert tr("Construction") == "Construction"


def test_observers_hear_of_a_switch():
    heard = []
    language_changed.connect(heard.append)
    set_language("zh_CN")
    language_changed.disconnect(heard.append)
    assert heard == ["zh_CN"]


def test_an_unknown_language_is_refused_and_nothing_changes():
    with pytest.raises(ValueError, match="zh_CN"):
        set_language("tlh")
    assert current_language() == "en"


def test_the_catalogue_merges_all_areas():
    assert {"Construction", "There is nothing to undo."} <= set(load_catalogue("zh_CN"))
    assert load_catalogue("en") == {}
    assert set(LANGUAGES) == {"en", "zh_CN"}
