"""Writing a file so that the one before it stays whole until the new one is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimdesk.base.errors import DataError
from cimdesk.base.files import sync_file, sync_folder


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well it takes the place of ``path``.

    When the block raises, nothing is left behind and the earlier file is untouched.

    Raises
    ------
    DataError
        If the folder is missing or may not be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        raise DataError(
            target,
            "the file cannot be written ({reason}).",
            remedy="Choose a folder you may write to, with room on the disk.",
            reason=error.strerror or error,
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
