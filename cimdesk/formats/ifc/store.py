"""What was read from IFC files, kept on disk by their content: opening one again takes no tessellation."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimdesk.base.paths import cache_dir

VERSION = "3"
"""Raised whenever reading gives something else for the same file."""
CACHE_BYTES = 2 * 2**30
PARTS = ("model.json", "arrays.npz")
_BLOCK = 2**20


def fingerprint(path: Path) -> str:
    """Return what tells a file's content from any other."""
    digest = hashlib.blake2b(VERSION.encode(), digest_size=20)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def kept(key: str) -> Path | None:
    """Return the folder of what was read before; None when it was not."""
    folder = _root() / key
    if not all((folder / part).is_file() for part in PARTS):
        return None
    try:
        os.utime(folder)
    except OSError:
        return folder  # a cache that may only be read
    return folder


@contextmanager
def room_for(key: str) -> Iterator[Path]:
    """Yield a folder to write into; when the block ends well it is kept, else nothing is left."""
    root = _root()
    folder = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=root))
    try:
        yield folder
        target = root / key
        if not target.exists():
            os.replace(folder, target)
    except OSError:
        if not (root / key).is_dir():
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _trim(root)


def forget(key: str) -> None:
    """Throw away what was kept, for it turned out to be damaged."""
    shutil.rmtree(_root() / key, ignore_errors=True)


def _root() -> Path:
    folder = cache_dir() / "ifc"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _trim(root: Path) -> None:
    """Throw away what was not used for longest until the rest fits."""
    try:
        folders = sorted((folder for folder in root.iterdir() if folder.is_dir()), key=lambda folder: folder.stat().st_mtime)
        sizes = [sum(part.stat().st_size for part in folder.iterdir()) for folder in folders]
    except OSError:
        return  # another process is at it
    total = sum(sizes)
    for folder, size in zip(folders[:-1], sizes[:-1], strict=True):
        if total <= CACHE_BYTES:
            break
        shutil.rmtree(folder, ignore_errors=True)
        total -= size
