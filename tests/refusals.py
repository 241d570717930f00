"""What every reader owes to a damaged file: what can be shown and every problem, or one message with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadResult


def read_or_refused(read: Callable[[Path], ReadResult], path: Path) -> ReadResult | None:
    """Return what was read; None where the file was refused in one message that names it and says what to do.

    Anything but a `DataError` goes on to the test.
    """
    refusal: DataError | None = None
    try:
        result = read(path)
    except DataError as error:
        refusal = error
    if refusal is not None:
        assert refusal.path is not None
        assert refusal.path.name == path.name, refusal
        assert refusal.message.strip(), repr(refusal)
        assert refusal.remedy.strip(), refusal
        return None
    assert result.sources or result.problems, path
    assert all(problem.message.strip() and problem.code for problem in result.problems)
    return result
