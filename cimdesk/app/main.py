"""The window's start: application, theme, language, crash handler, main window, and the files given."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import IO

from PySide6.QtWidgets import QApplication

from cimdesk import __version__
from cimdesk.base.i18n import LANGUAGES, set_language
from cimdesk.base.paths import log_dir
from cimdesk.base.processes import is_running
from cimdesk.ui.settings import WindowSettings
from cimdesk.ui.theme import THEMES, apply_theme

log = logging.getLogger("cimdesk")


TURN = 0.0005
"""Seconds until a thread that reads tiles lets the window have the interpreter: with Python's 5 ms a frame waits several times."""


def run_window(paths: Sequence[Path], theme: str | None = None, language: str | None = None) -> int:
    """Open the window on these files and return the exit status when it is closed.

    Parameters
    ----------
    paths : sequence of Path
        Projects or data files to open.
    theme, language : str or None
        Instead of what was used last.
    """
    crashes = start_log()
    sys.setswitchinterval(TURN)
    application = make_application(theme, language)
    sys.excepthook = CrashHandler()
    from cimdesk.ui.cycles import CycleCollector
    from cimdesk.ui.window import MainWindow

    cycles = CycleCollector(application)
    window = MainWindow(at_once=False)
    if paths:
        window.filled.connect(lambda: open_given(window.desk, [path.absolute() for path in paths]))
    window.show()
    status = application.exec()
    window.release()
    cycles.stop()
    sys.excepthook = sys.__excepthook__
    faulthandler.disable()
    crashes.close()
    return status


def make_application(theme: str | None = None, language: str | None = None) -> QApplication:
    """Return the application with style, theme and language; the one that exists is used again."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(["cimdesk"])
    application.setApplicationName("cimdesk")
    application.setApplicationVersion(__version__)
    application.setStyle("Fusion")
    settings = WindowSettings()
    wanted = language or str(settings.get("language", "")) or system_language()
    set_language(wanted if wanted in LANGUAGES else "en")
    chosen = theme or str(settings.get("theme", "light"))
    apply_theme(application, chosen if chosen in THEMES else "light")
    return application


def system_language() -> str:
    """Return ``zh_CN`` on a Chinese desktop, else ``en``."""
    from PySide6.QtCore import QLocale

    return "zh_CN" if QLocale.system().language() == QLocale.Language.Chinese else "en"


def open_given(desk: object, paths: Sequence[Path]) -> None:
    """Open the files named at the start."""
    from cimdesk.ui.desk import Desk
    from cimdesk.ui.handlers_project import open_paths

    assert isinstance(desk, Desk)
    open_paths(desk, paths, ask_first=False)


def start_log() -> IO[str]:
    """Write warnings, and the stack of a crash in native code, to the log folder; return the crash file."""
    handler = RotatingFileHandler(log_dir() / "cimdesk.log", maxBytes=1_000_000, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    crashes = (log_dir() / f"crash-{os.getpid()}.txt").open("w", encoding="utf-8")
    faulthandler.enable(crashes)
    for old in log_dir().glob("crash-*.txt"):
        number = old.stem.removeprefix("crash-")
        # An empty one belongs to a program that runs, or to one that ended well.
        with contextlib.suppress(OSError):
            if old.stat().st_size == 0 and number.isdecimal() and not is_running(int(number)):
                old.unlink()
    return crashes


class CrashHandler:
    """Shows an error card for what nobody caught, once at a time, instead of ending silently."""

    def __init__(self) -> None:
        self._showing = False

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        log.error("unexpected", exc_info=(kind, error, trace))
        if self._showing or QApplication.instance() is None:
            return
        from cimdesk.ui.error_dialog import show

        self._showing = True
        try:
            show(QApplication.activeWindow(), error)
        finally:
            self._showing = False
