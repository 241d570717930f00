"""Reading an IFC file in another process, again with care where it crashes or hangs."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.workers import WorkerDiedError, WorkerRefusedError, WorkerSilentError, run_worker
from cimdesk.formats.ifc.store import fingerprint, forget, kept, room_for
from cimdesk.formats.registry import ReadOptions

MODULE = "cimdesk.formats.ifc.child"
SILENCE = 120.0
"""Longer than one shape ever takes [s]."""
MAX_TRIES = 8
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Model:
    """What the reading process leaves.

    Attributes
    ----------
    said : dict
        As `child.work` writes it.
    arrays : mapping of str to array
        As `shapes.Tessellator.run` gives them; lengths in metres.
    """

    said: dict[str, Any]
    arrays: dict[str, AnyArray]


def load_model(path: Path, options: ReadOptions) -> Model:
    """Return what is in a file: from disk when it was read before, else read in another process.

    Raises
    ------
    DataError
        If it cannot be read.
    UsageError
        If the library is not installed.
    """
    try:
        key = fingerprint(path)
    except OSError as error:
        raise DataError(path, "the file cannot be opened ({reason}).", reason=error.strerror or "") from error
    folder = kept(key)
    if folder is not None:
        try:
            return _loaded(folder)
        except _BROKEN:
            forget(key)
    if find_spec("ifcopenshell") is None:
        raise UsageError("IFC needs IfcOpenShell, which is not installed.", remedy="Install it: pip install ifcopenshell")
    with room_for(key) as folder:
        _read(path, folder, options)
        return _loaded(folder)


def _loaded(folder: Path) -> Model:
    said = json.loads((folder / "model.json").read_bytes())
    with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Model(said, {name: arrays[name] for name in arrays.files})


def _read(path: Path, folder: Path, options: ReadOptions) -> None:
    """Have the file read; shapes at which the process dies or hangs are left out the next time."""
    task: dict[str, Any] = {"path": str(path.absolute()), "out": str(folder), "is_careful": False, "skip": []}
    last = ""
    for _ in range(MAX_TRIES):
        try:
            run_worker(MODULE, task, options.progress, options.cancel, SILENCE)
        except WorkerRefusedError as refusal:
            raise _refusal(path, refusal.reason) from refusal
        except (WorkerDiedError, WorkerSilentError) as error:
            last = error.place
            if last in ("", "parse", "describe", "write"):
                break
            if task["is_careful"] and last.startswith("#"):
                task["skip"].append(int(last[1:]))
            elif task["is_careful"]:
                break
            task["is_careful"] = True
        else:
            return
    raise DataError(
        path,
        "the file brings the IFC reader down (at {place}); the program itself is not affected.",
        remedy="Export it again, or in another version of IFC.",
        place=last or "start",
    )


def _refusal(path: Path, reason: Any) -> DataError:
    code = reason.get("code") if isinstance(reason, dict) else ""
    if code == "memory":
        return DataError(
            path, "the file needs more memory than this computer has.", remedy="Close other programs, or cut the file into parts."
        )
    if code == "too-large":
        text = "its schema {schema} is read as its nearest relative, which works for files up to 1 GB."
        return DataError(path, text, remedy="Export it as IFC 4 or IFC 2x3.", schema=reason.get("schema", "?"))
    text = "the file is damaged or no IFC: {reason}"
    return DataError(path, text, remedy="Export it again.", reason=reason.get("reason", "?") if isinstance(reason, dict) else "?")
