"""Tables to CSV files and to text that spreadsheets take: the rows and columns as they are shown."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cimdesk.base.arrays import Int
from cimdesk.base.errors import DataError
from cimdesk.base.jobs import CancelToken, Progress, no_progress
from cimdesk.model.features import FeatureTable, plain_value

CHUNK = 20_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(
    path: Path,
    table: FeatureTable,
    rows: Int,
    columns: Sequence[str],
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> int:
    """Write rows of a table, the identifier first; return how many. The file is there as a whole or not at all.

    Parameters
    ----------
    path : Path
    table : FeatureTable
    rows : (M,) int64
    columns : sequence of str

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        # The mark at the beginning tells spreadsheets that it is UTF-8.
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *columns])
            for start in range(0, len(rows), CHUNK):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                writer.writerows(_records(table, rows[start : start + CHUNK], columns))
                progress((start + CHUNK) / max(len(rows), 1))
        os.replace(part, path)
    except OSError as error:
        raise DataError(path, "The table cannot be written: {reason}.", reason=error.strerror or str(error)) from error
    finally:
        part.unlink(missing_ok=True)
    return len(rows)


def clipboard_text(table: FeatureTable, rows: Int, columns: Sequence[str]) -> str:
    """Return rows as lines of tab-separated values with a heading."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(["id", *columns])
    writer.writerows(_records(table, rows, columns))
    return out.getvalue()


def _records(table: FeatureTable, rows: Int, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    parts = [map(str, table.ids[rows].tolist()), *(map(_plain, table.columns[name][rows].tolist()) for name in columns)]
    return zip(*parts, strict=True)


def _plain(value: Any) -> Any:
    """Return a value as it is written; texts that a spreadsheet would run as a formula get an apostrophe."""
    value = plain_value(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value
