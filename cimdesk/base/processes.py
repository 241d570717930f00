"""Who is at this computer and which of its programs still run."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

_NO_ACCESS = 5
_STILL_ACTIVE = 259
_QUERY_LIMITED_INFORMATION = 0x1000


def user_name() -> str:
    """Return the name of who is logged in; their number where the system keeps no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "user"


def is_running(pid: int, started: str = "") -> bool:
    """Whether a process runs on this computer; with what `started_mark` said of it, no later one of that number is meant."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return not started or started_mark(pid) in ("", started)


def started_mark(pid: int) -> str:
    """Return what tells a process from a later one with the same number; empty where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # proc(5): the name may hold spaces and brackets; start time is field 22, counted after the last bracket. Z is a zombie.
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[:1] == ["Z"] else fields[19] if len(fields) > 19 else ""


if sys.platform == "win32":

    def _is_running_on_windows(pid: int) -> bool:
        # os.kill(pid, 0) is no question there: signal 0 is Ctrl+C, and it would be sent.
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, ctypes.c_uint32(pid & 0xFFFFFFFF))
        if not handle:
            return ctypes.get_last_error() == _NO_ACCESS
        try:
            code = ctypes.c_uint32()
            return not kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code)) or code.value == _STILL_ACTIVE
        finally:
            kernel.CloseHandle(ctypes.c_void_p(handle))
