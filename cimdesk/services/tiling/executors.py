"""Who does the tasks: this process, all cores of this computer, or a Dask cluster. Results come as they are done."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures import Executor as Pool
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Protocol, TypeVar

from cimdesk.base.errors import ServiceError
from cimdesk.base.heap import keep_freed_memory
from cimdesk.base.jobs import CancelToken

T = TypeVar("T")
AHEAD = 3
"""Tasks handed out for each worker beyond what it is doing."""
ASK_EVERY = 0.2
"""How often a waiting runner looks whether the person still wants the result [s]."""
LOOK_EVERY = 0.02
"""How often it looks whether a cluster has one [s]."""
ANSWER_IN = 10.0
"""Seconds a scheduler has to answer."""


def nothing() -> None:
    """Done while waiting, when there is nothing to do."""


class Executor(Protocol):
    """Does tasks in any order."""

    def run(
        self,
        work: Callable[..., T],
        tasks: Iterable[tuple[Any, ...]],
        cancel: CancelToken,
        meanwhile: Callable[[], object] = nothing,
    ) -> Iterator[T]:
        """Yield the results of ``work(*task)`` as they come, doing ``meanwhile`` now and then; raises `Cancelled`."""
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


class PoolExecutor:
    """Does tasks on this computer: in one thread of this process, or in processes of their own.

    Parameters
    ----------
    workers : int
        Processes; 1 stays in this one.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: Pool
        if workers == 1:
            self._pool = ThreadPoolExecutor(1, "tiling")
        else:
            from multiprocessing import get_context

            # Forked children of a program with threads and OpenGL may hang; fresh ones cannot.
            self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _prepare)

    def run(
        self,
        work: Callable[..., T],
        tasks: Iterable[tuple[Any, ...]],
        cancel: CancelToken,
        meanwhile: Callable[[], object] = nothing,
    ) -> Iterator[T]:
        """Yield results as they come, with only so many tasks handed out that memory stays flat."""
        waiting = iter(tasks)
        running: set[Future[T]] = set()
        try:
            while True:
                while len(running) < self._workers + AHEAD and (task := next(waiting, None)) is not None:
                    running.add(self._pool.submit(work, *task))
                if not running:
                    return
                done, running = wait(running, ASK_EVERY, FIRST_COMPLETED)
                cancel.raise_if_cancelled()
                meanwhile()
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise ServiceError(
                "A process that was tiling ended without a word; perhaps the memory ran out.",
                remedy="Close other programs and start the same again: it goes on where it was.",
            ) from error
        finally:
            for future in running:
                future.cancel()

    def close(self) -> None:
        """Wait for what is being done, and end."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class DaskExecutor:
    """Does tasks on a Dask cluster whose workers see the same folders.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.5:8786``.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError as error:
            raise ServiceError("Dask is not installed.", remedy="Install cimdesk with the extra “cluster”.") from error
        # It comes without types.
        cluster: Any = distributed
        self._as_completed = cluster.as_completed
        try:
            self._client: Any = cluster.Client(address, timeout=ANSWER_IN, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ServiceError("The scheduler {address} does not answer.", remedy="Check its address.", address=address) from error

    def run(
        self,
        work: Callable[..., T],
        tasks: Iterable[tuple[Any, ...]],
        cancel: CancelToken,
        meanwhile: Callable[[], object] = nothing,
    ) -> Iterator[T]:
        """Yield results as they come."""
        waiting = iter(tasks)
        threads = max(sum(self._client.nthreads().values()), 1)
        running: Any = self._as_completed(loop=self._client.loop)
        handed_out: set[Any] = set()
        try:
            while True:
                while len(handed_out) < threads + AHEAD and (task := next(waiting, None)) is not None:
                    future = self._client.submit(work, *task, pure=False)
                    handed_out.add(future)
                    running.add(future)
                if not handed_out:
                    return
                self._wait(running, cancel, meanwhile)
                future = next(running)
                handed_out.discard(future)
                result: T = future.result()
                future.release()
                yield result
        finally:
            self._client.cancel(list(handed_out))

    def _wait(self, running: Any, cancel: CancelToken, meanwhile: Callable[[], object]) -> None:
        """Wait for the next result."""
        last = 0.0
        while not running.has_ready():
            if time.monotonic() - last > ASK_EVERY:
                last = time.monotonic()
                cancel.raise_if_cancelled()
                meanwhile()
            time.sleep(LOOK_EVERY)
        cancel.raise_if_cancelled()

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


class Hired:
    """An executor for the length of a ``with`` block.

    Parameters
    ----------
    workers : int
        Processes on this computer; 1 works in this one.
    scheduler : str
        Address of a Dask scheduler; empty for none.
    """

    def __init__(self, workers: int, scheduler: str = "") -> None:
        self._workers = workers
        self._scheduler = scheduler
        self._executor: Executor | None = None

    def __enter__(self) -> Executor:
        self._executor = DaskExecutor(self._scheduler) if self._scheduler else PoolExecutor(self._workers)
        return self._executor

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._executor is not None:
            self._executor.close()


def _prepare() -> None:
    # Ctrl+C reaches the whole group of processes; the parent decides what becomes of its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    keep_freed_memory()


def _end_with_parent() -> None:
    """End this process when the one that began it is gone, however it went: nobody wants the results any more."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
