"""Tiling in a process of its own: whatever it takes of memory and time, the window beside it does not notice.

Run as a module it is the child; `tile_apart` is the parent. The child may be killed at any time: the next goes on from its ledger.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cimdesk.base.crs import Crs
from cimdesk.base.errors import CimdeskError, DataError, Problem, ServiceError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, Progress
from cimdesk.base.workers import RefusalError, WorkerDiedError, WorkerRefusedError, WorkerSilentError, run_worker, serve
from cimdesk.services.tiling.scatter import problem_of, problem_record

CHILD = "cimdesk.commands.tiling_child"
SILENCE = 600.0
"""Seconds without a word after which a run is taken to hang: a large file that has to be read at once takes minutes at most."""
PATIENCE = 10
"""How much the child and its workers give way to the window, in the units of Unix."""
_KINDS: tuple[type[CimdeskError], ...] = (DataError, ServiceError, UsageError)


def tile_apart(path: Path, out: Path, how: dict[str, Any], plan: str, progress: Progress, cancel: CancelToken) -> list[Problem]:
    """Tile a file into a folder, in another process; return what was wrong with the file.

    Parameters
    ----------
    how : dict
        Record of `large.How`.
    plan : str
        Kept in the tileset, to know it again. A tileset that has it already is left as it is.

    Raises
    ------
    CimdeskError
        If the file cannot be tiled, or the process died.
    Cancelled
        The process is gone by then; the next run goes on where it was.
    """
    task = {"path": str(path.absolute()), "out": str(out.absolute()), "how": how, "plan": plan}
    try:
        answer = run_worker(CHILD, task, progress, cancel, SILENCE, says_what=True)
    except WorkerRefusedError as refusal:
        raise error_of(refusal.reason) from None
    except WorkerSilentError as error:
        raise ServiceError(
            "A process that was tiling said nothing for {minutes} minutes and was ended.",
            remedy="Start the same again: it goes on where it was. Where that does not help, convert the file to another format.",
            minutes=round(SILENCE / 60.0),
        ) from error
    except WorkerDiedError as error:
        raise ServiceError(
            "A process that was tiling ended without a word; perhaps the memory ran out.",
            remedy="Close other programs and start the same again: it goes on where it was.",
        ) from error
    return [problem_of(record) for record in answer["problems"]]


def work(task: dict[str, Any], tell: Any) -> dict[str, Any]:
    """Do the task in this process; return what is to be said of the file. Raises `RefusalError`."""
    from cimdesk.commands.tiling import tile_files
    from cimdesk.formats.extrusion import Extrusion
    from cimdesk.formats.tiles3d_stated import stated_plan
    from cimdesk.services.tiling.ledger import turn

    how, out, plan = task["how"], Path(task["out"]), task["plan"]
    extrusion = Extrusion(**how["extrusion"]) if how.get("extrusion") else None
    try:
        with turn(out, lambda: tell(None, tr("Waiting for another window that tiles the same file"))):
            if stated_plan(out) == plan:
                return {"problems": []}
            tell(0.0, tr("Looking at the file"))
            result = tile_files(
                [Path(task["path"])], out, Crs.parse(how.get("crs", "")), progress=tell, plan=plan, extrusion=extrusion,
                part=how.get("part", ""), grounds=how.get("grounds", ""),
            )  # fmt: skip
    except CimdeskError as error:
        raise RefusalError(_error_record(error)) from error
    return {"problems": [problem_record(problem) for problem in result.problems]}


def _error_record(error: CimdeskError) -> dict[str, Any]:
    kind = next((kind.__name__ for kind in _KINDS if isinstance(error, kind)), "UsageError")
    values = {name: value if isinstance(value, int | float | str) else str(value) for name, value in error.values.items()}
    path = None if error.path is None else str(error.path)
    return {
        "kind": kind, "path": path, "message": error.template, "where": error.where, "remedy": error.remedy_template,
        "values": values,
    }  # fmt: skip


def error_of(record: dict[str, Any]) -> CimdeskError:
    """Return the error that the child refused its task with."""
    said = {"where": record["where"], "remedy": record["remedy"], **record["values"]}
    if record["kind"] == "DataError":
        return DataError(record["path"], record["message"], **said)
    kind = ServiceError if record["kind"] == "ServiceError" else UsageError
    return kind(record["message"], path=record["path"], **said)


def _give_way() -> None:
    """Let the window go first, and keep freed memory at hand."""
    from cimdesk.base.heap import keep_freed_memory

    keep_freed_memory()
    if hasattr(os, "nice"):
        os.nice(PATIENCE)


if __name__ == "__main__":
    _give_way()
    serve(work)
