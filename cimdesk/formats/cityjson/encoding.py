"""The bytes of a CityJSON file: unpacked, in UTF-8, and free of what is nearly JSON."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import NoReturn

import msgspec

from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings

MAX_UNPACKED = 4 * 1024**3
MAX_RATIO = 200
SAMPLE_BYTES = 2_000_000
_NOT_NUMBERS = re.compile(rb'("(?:[^"\\]|\\.)*")|(?<![\w.])(?:-?Infinity|NaN)(?![\w.])')
_HIGH = re.compile(rb"[\x80-\xff]+")
_BYTE = re.compile(r"\(byte (\d+)\)")


def load_text(path: Path, findings: Findings) -> bytes:
    """Return a file's text as UTF-8 without a byte order mark.

    Raises
    ------
    DataError
        If it cannot be read, unpacked or understood as text.
    """
    data = load_bytes(path)
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return _recode(path, data[2:], encoding, findings)
    if data[:1] == b"\x00" and data[1:2].strip():
        return _recode(path, data, "utf-16-be", findings)
    if data[1:2] == b"\x00":
        return _recode(path, data, "utf-16-le", findings)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError(path, "the file is empty.", remedy="Copy or download it again.")
    return as_utf8(path, data, findings)


def load_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked when it is gzipped."""
    try:
        data = path.read_bytes()
        if data[:2] != b"\x1f\x8b":
            return data
        limit = min(MAX_UNPACKED, max(len(data) * MAX_RATIO, 64 * 1024**2))
        with gzip.open(path) as packed:
            unpacked = packed.read(limit + 1)
    except FileNotFoundError:
        raise DataError(path, "there is no such file.", remedy="Check the name, or locate the file again.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            path, "the gzip archive is damaged ({reason}).", reason=str(error), remedy="Copy or download it again."
        ) from error
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or error) from error
    if len(unpacked) > limit:
        raise DataError(
            path, "the archive unpacks to more than {limit} bytes.", limit=limit, remedy="Unpack it and look at it first."
        )
    return unpacked


def as_utf8(path: Path, data: bytes, findings: Findings, where: str = "") -> bytes:
    """Return ``data`` in UTF-8, from GB 18030 or Latin-1 when it is not, with a finding."""
    if data.isascii():
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _recode(path, data, "gb18030" if _is_chinese(data) else "latin-1", findings, where)
    return data


def _is_chinese(data: bytes) -> bool:
    """Return whether this is GB 18030: its characters are pairs of high bytes, accented letters stand alone."""
    runs = _HIGH.findall(data[:SAMPLE_BYTES])
    if 2 * sum(len(run) for run in runs if len(run) > 1) < sum(map(len, runs)):
        return False
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _recode(path: Path, data: bytes, encoding: str, findings: Findings, where: str = "") -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        place = f"byte {error.start}"
        raise DataError(
            path, "the text is not valid {encoding}.", where=place, encoding=encoding, remedy="Save it as UTF-8."
        ) from error
    findings.add("encoding", where, "The text is {encoding}; CityJSON is UTF-8.", encoding=encoding)
    return text.encode("utf-8", "replace")


def without_not_numbers(data: bytes) -> tuple[bytes, int]:
    """Return ``data`` with NaN and Infinity, which JSON does not have, as null; and how many there were."""
    count = 0

    def replaced(match: re.Match[bytes]) -> bytes:
        nonlocal count
        if match[1] is not None:
            return match[1]
        count += 1
        return b"null"

    return _NOT_NUMBERS.sub(replaced, data), count


def byte_of(error: Exception, size: int) -> int:
    """Return the position a decoding error names, ``size`` when the text ended early."""
    found = _BYTE.search(str(error))
    return int(found[1]) if found else size


def refuse_json(path: Path, data: bytes, error: Exception, start: int = 0) -> NoReturn:
    """Raise the `DataError` for text that is not JSON.

    Parameters
    ----------
    path : Path
    data : bytes
        The text that was decoded.
    error : Exception
        What the decoder said.
    start : int
        Position of ``data`` in the file.
    """
    if isinstance(error, RecursionError):
        raise DataError(
            path, "the JSON is nested too deeply.", remedy="It is not CityJSON, or was made to do harm. Do not use it."
        ) from error
    position = start + byte_of(error, len(data))
    if isinstance(error, msgspec.DecodeError) and "truncated" in str(error):
        raise DataError(
            path, "the JSON ends before it is complete.", where=f"byte {position}", remedy="Copy or download the file again."
        ) from error
    raise DataError(
        path,
        "this is not valid JSON ({reason}).",
        where=f"byte {position}",
        reason=_BYTE.sub("", str(error)).strip(),
        remedy="Export the file again, or correct it at this place.",
    ) from error
