"""What a JSON file is about, from its first bytes: readers claim by the keys they find at the top, not by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
VALUE_LENGTH = 80


@dataclass(frozen=True)
class JsonHead:
    """The beginning of a JSON document.

    Attributes
    ----------
    is_array : bool
        The document is an array; ``keys`` are those of its first object.
    keys : mapping of str to str
        Keys of the top object in order, each with the beginning of its value.
    text : str
        All of the head.
    """

    is_array: bool
    keys: dict[str, str] = field(default_factory=dict)
    text: str = ""

    def __contains__(self, key: str) -> bool:
        return key in self.keys

    def value(self, key: str) -> str:
        """Return the beginning of a value without quotes; empty when there is no such key."""
        return self.keys.get(key, "").strip('"')


def json_head(head: bytes) -> JsonHead | None:
    """Return the outline of a document from its first bytes; None when it is no JSON object or array."""
    text = head.decode("utf-8-sig", errors="ignore").lstrip()
    if text[:1] not in ("{", "["):
        return None
    is_array = text[0] == "["
    start = text.find("{")
    if start < 0 or text[:start].strip("[ \t\r\n"):
        return JsonHead(is_array, {}, text)
    return JsonHead(is_array, _keys(text, start), text)


def _keys(text: str, start: int) -> dict[str, str]:
    keys: dict[str, str] = {}
    depth, key, expects_key = 0, None, True
    for token in _TOKEN.finditer(text, start):
        word = token[0]
        if depth == 1 and key is not None and word != ":":
            keys[key] = text[token.start() : min(token.start() + VALUE_LENGTH, token.end() if word[0] == '"' else len(text))]
            key = None
        if word in ("{", "["):
            depth += 1
        elif word in ("}", "]"):
            depth -= 1
            if depth == 0:
                break
        elif word == ",":
            expects_key = depth == 1
        elif depth == 1 and expects_key and word[0] == '"':
            key, expects_key = token[1], False
    return keys
