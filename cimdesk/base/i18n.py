"""Translation without Qt: English text is the key, catalogues are small JSON files per area.

``resources/i18n/<language>/<area>.json`` maps English to the language; all areas of a language are merged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from cimdesk.base.paths import resource_dir
from cimdesk.base.signals import Signal

LANGUAGES = {"en": "English", "zh_CN": "简体中文"}

language_changed: Signal[str] = Signal()

_language = "en"
_catalogue: dict[str, str] = {}


def current_language() -> str:
    """Return the code of the language in use, ``en`` or ``zh_CN``."""
    return _language


def set_language(language: str) -> None:
    """Use another language from now on and tell the observers.

    Raises
    ------
    ValueError
        If there is no such language.
    """
    global _language, _catalogue
    _catalogue = load_catalogue(language)
    _language = language
    language_changed.emit(language)


@contextmanager
def using_language(language: str) -> Iterator[None]:
    """Speak another language for a while, for a document or figure, without telling the observers."""
    global _language, _catalogue
    before = _language, _catalogue
    _catalogue, _language = load_catalogue(language), language
    try:
        yield
    finally:
        _language, _catalogue = before


def load_catalogue(language: str) -> dict[str, str]:
    """Return every translation of one language, merged over its areas; English, which needs none, has an empty one.

    Raises
    ------
    ValueError
        If there is no such language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}; there are {', '.join(LANGUAGES)}")
    merged: dict[str, str] = {}
    for file in sorted((resource_dir() / "i18n" / language).glob("*.json")):
        merged.update(json.loads(file.read_text(encoding="utf-8")))
    return merged


def tr(text: str) -> str:
    """Return ``text`` in the current language; the English itself where it has no translation."""
    return _catalogue.get(text, text)
