"""Numbers out of lists of positions as they are written, many lists at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson

from cimdesk.base.arrays import Float, Int
from cimdesk.formats.compiled import pays
from cimdesk.formats.findings import Findings

WORTH = 4_000_000
"""Characters of positions from which compiled code pays for its loading."""
_GAPS = ("  ", "\n", "\t", "\r")


def numbers_of(texts: list[str], name_of: Callable[[int], str], findings: Findings) -> tuple[Float, Int]:
    """Return the numbers of all texts one after the other, and how many each has, which can be divided by three.

    Parameters
    ----------
    texts : list of str
        Numbers with white space between them, three for a position. Where they can only be two for a position, the height is
        zero; what is neither becomes nothing.
    name_of : callable
        Gives the name of the object that a text belongs to.
    findings : Findings
    """
    if pays(sum(map(len, texts)), WORTH):
        from cimdesk.formats.number_kernels import separated_numbers

        found = separated_numbers(texts)
        if found is not None and not (found[1] % 3).any():
            return found
    tidy = [_in_threes(text, number, name_of, findings) for number, text in enumerate(_tidied(texts))]
    counts = np.array([_count(text) for text in tidy], dtype=np.int64)
    joined = ",".join(filter(None, tidy))
    try:
        numbers = np.array(orjson.loads(f"[{joined.replace(' ', ',')}]"), dtype=np.float64)
    except (ValueError, TypeError):
        # Plus signs, numbers ending in a point, NaN and things that are no numbers.
        told = ((part, name_of, number, findings) for number, text in enumerate(tidy) for part in text.split())
        numbers = np.array([_number(*each) for each in told])
    return numbers, counts


def with_heights(text: str) -> str:
    """Return positions of two numbers with a height of zero."""
    found = text.split()
    return " ".join(number for k in range(0, len(found) - 1, 2) for number in (found[k], found[k + 1], "0"))


def _tidied(texts: list[str]) -> list[str]:
    """Return texts with one space between numbers; most are written so."""
    joined = " ".join(filter(None, texts))
    if any(gap in joined for gap in _GAPS) or joined != joined.strip():
        return [" ".join(text.split()) for text in texts]
    return texts


def _in_threes(text: str, number: int, name_of: Callable[[int], str], findings: Findings) -> str:
    count = _count(text)
    if count % 3 == 0:
        return text
    if count % 2 == 0:
        return with_heights(text)
    findings.error("bad-coordinates", name_of(number), "Coordinates are not three numbers each; the ring is left out.")
    return ""


def _count(text: str) -> int:
    # Counting spaces takes a third of the time of splitting.
    return text.count(" ") + 1 if text else 0


def _number(text: str, name_of: Callable[[int], str], number: int, findings: Findings) -> float:
    try:
        return float(text)
    except ValueError:
        findings.error("bad-coordinates", name_of(number), "{text} is no coordinate.", text=repr(text[:40]))
        return float("nan")
