"""What the operating system and parsers say, in the person's language and without their codes."""

from __future__ import annotations

import re
from functools import lru_cache

from cimdesk.base.i18n import current_language, tr

_CODE = re.compile(r"^(?:<urlopen error )?\[(?:Errno|WinError) -?\d+\] |^<urlopen error |^\[SSL[^\]]*\] ")
"""What is said before the words themselves."""
_PLACES = re.compile(
    r"^(?P<words>.+?)(?:: line (?P<line>\d+),? col(?:umn)? (?P<column>\d+)| \(at line (?P<at>\d+), col(?:umn)? (?P<col>\d+)\))"
)
_OPTION = re.compile(r"^Expecting '?(?P<mark>.+?)'? delimiter$")


def plain_reason(said: object) -> str:
    """Return what something beneath the program says as a person reads it.

    Codes such as ``[Errno 111]`` go, what is known is told in the language of the person, and the place inside the file stays.
    """
    text = _CODE.sub("", str(said)).strip()
    if text != str(said).strip():
        text = text.rstrip(">").strip()
    at = _PLACES.match(text)
    if at is None:
        return _words(text)
    line, column = at["line"] or at["at"], at["column"] or at["col"]
    return tr("{reason}, line {line}, column {column}").format(reason=_words(at["words"]), line=line, column=column)


def _words(text: str) -> str:
    known = _known(current_language())
    if text in known:
        return known[text]
    lacks = _OPTION.match(text)
    if lacks is not None:
        return tr("a “{mark}” is missing").format(mark=lacks["mark"])
    if "not recognized as being in a supported file format" in text:
        return tr("no known format of geographic data")
    return text


@lru_cache(maxsize=4)
def _known(language: str) -> dict[str, str]:
    """Return what is known of the words of the system and of the parsers of XML, JSON and TOML, in the ``language`` in use."""
    return {
        "No such file or directory": tr("there is no such file"),
        "Permission denied": tr("access is denied"),
        "Is a directory": tr("it is a folder"),
        "No space left on device": tr("the disk is full"),
        "Read-only file system": tr("the disk can only be read"),
        "Connection refused": tr("the connection is refused"),
        "Connection reset by peer": tr("the connection was cut"),
        "Network is unreachable": tr("there is no network"),
        "No route to host": tr("there is no way to the server"),
        "Name or service not known": tr("no server has this name"),
        "Temporary failure in name resolution": tr("no server has this name"),
        "timed out": tr("no answer in time"),
        "The read operation timed out": tr("no answer in time"),
        "offline": tr("no answer"),
        "no element found": tr("it ends too early"),
        "unclosed token": tr("a tag is not closed"),
        "not well-formed (invalid token)": tr("this is no valid XML"),
        "mismatched tag": tr("a tag is closed that was not opened"),
        "unbound prefix": tr("a prefix of names is not declared"),
        "undefined entity": tr("an entity is not declared"),
        "junk after document element": tr("something follows the end of the document"),
        "syntax error": tr("this is no valid XML"),
        "duplicate attribute": tr("an attribute is written twice"),
        "Expecting value": tr("a value is missing"),
        "Expecting property name enclosed in double quotes": tr("a name in double quotes is missing"),
        "Unterminated string starting at": tr("a text does not end"),
        "Extra data": tr("something follows the end of the document"),
        "Invalid control character at": tr("a text holds a control character"),
        "Invalid \\escape": tr("a text holds a wrong escape"),
        "Invalid value": tr("a value is wrong"),
        "Invalid statement": tr("a line is neither a table nor a field"),
        "Expected '=' after a key in a key/value pair": tr("a “=” is missing after the name"),
        "Expected newline or end of document after a statement": tr("a new line is missing"),
        "Unclosed array": tr("a list does not end"),
        "Unterminated string": tr("a text does not end"),
        "Cannot overwrite a value": tr("a field is written twice"),
        "Illegal character '\\n'": tr("a text does not end"),
        "Unexpected end of file": tr("it ends too early"),
    }
