"""What commands are given: a project or plain files, opened with their data and closed whatever happens, and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cimdesk.app.console import Console
from cimdesk.base.errors import DataError, UsageError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import SynchronousRunner
from cimdesk.commands.session import Session

if TYPE_CHECKING:
    from cimdesk.model.layers import Layer


@contextmanager
def opened(path: Path, console: Console, load: bool = True, read_only: bool = False) -> Iterator[Session]:
    """Open a project, loading the data of its layers unless told otherwise."""
    from cimdesk.commands.projects import open_project
    from cimdesk.commands.sources import load_job

    if not path.exists():
        raise DataError(
            path, "there is no such project.", remedy="Check the name, or make one with: cimdesk import PROJECT FILE..."
        )
    session = open_project(path.absolute(), runner=SynchronousRunner(console.progress), read_only=read_only)
    try:
        if load and (job := load_job(session)) is not None:
            session.run(job)
        yield session
    finally:
        session.close()


@contextmanager
def open_or_create(path: Path, console: Console) -> Iterator[Session]:
    """Open a project without loading its data, or make it when there is none; a new one only stays when all goes well."""
    from cimdesk.commands.projects import create, with_suffix

    if not path.exists():
        path = with_suffix(path)
    if path.exists():
        with opened(path, console, load=False) as session:
            yield session
        return
    session = create(path.absolute(), title=path.stem, runner=SynchronousRunner(console.progress))
    try:
        yield session
    except BaseException:
        session.close()
        path.unlink(missing_ok=True)
        raise
    session.close()


@contextmanager
def showing(path: Path, console: Console) -> Iterator[Session]:
    """Open a project read-only, or a plain file in a throw-away session."""
    from cimdesk.commands.projects import is_project

    if is_project(path):
        with opened(path, console, read_only=True) as session:
            yield session
        return
    from cimdesk.commands.sources import import_files

    session = Session(runner=SynchronousRunner(console.progress))
    import_files(session, [path.absolute()], progress=console.progress)
    yield session


def given_time(text: str) -> float:
    """Return POSIX seconds of a time written on the command line."""
    from cimdesk.base.units import parse_time

    try:
        return parse_time(text)
    except ValueError:
        raise UsageError("{text} is no time; write 2026-06-07T12:40.", text=text) from None


def meant(wanted: str, names: Mapping[str, str]) -> str | None:
    """Return the key that is meant by what somebody wrote: the key, its name whatever the case, or the name's beginning.

    Parameters
    ----------
    names : mapping of str to str
        Key to name.

    Returns
    -------
    str or None
        None when nothing fits, or several do.
    """
    if wanted in names:
        return wanted
    text = wanted.casefold()
    tests: tuple[Callable[[str], bool], ...] = (
        lambda key: wanted == names[key],
        lambda key: text in (key.casefold(), names[key].casefold()),
        lambda key: names[key].casefold().startswith(text),
    )
    for fits in tests:
        found = [key for key in names if fits(key)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def find_layer(session: Session, wanted: str) -> Layer:
    """Return the layer that somebody named."""
    layers = {layer.id: layer for layer in session.workspace.layers()}
    key = meant(wanted, {layer.id: layer.name for layer in layers.values()})
    if key is None:
        names = ", ".join(layer.name for layer in layers.values()) or tr("none")
        raise UsageError("There is no layer {name}; there are {names}.", name=wanted, names=names)
    return layers[key]
