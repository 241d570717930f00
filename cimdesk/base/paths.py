"""Where resources, user data, cache and logs live; the only module that knows the source tree from the wheel."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def resource_dir() -> Path:
    """Return the folder of icons, themes, help and translations (inside the wheel, or beside the source)."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "resources"
    return inside if inside.is_dir() else package.parent / "resources"


def user_data_dir() -> Path:
    """Return the folder for recent files and window state; ``CIMDESK_HOME`` moves it."""
    return _user_dir("data")


def cache_dir() -> Path:
    """Return the folder for what can be made again: compiled kernels, thumbnails, tiles."""
    return _user_dir("cache")


def log_dir() -> Path:
    """Return the folder for logs and crash reports."""
    return _user_dir("log")


def _user_dir(kind: str) -> Path:
    home = os.environ.get("CIMDESK_HOME")
    if home:
        folder = Path(home) / kind
    else:
        import platformdirs

        dirs = platformdirs.PlatformDirs("cimdesk", appauthor=False)
        folder = Path({"data": dirs.user_data_dir, "cache": dirs.user_cache_dir, "log": dirs.user_log_dir}[kind])
    folder.mkdir(parents=True, exist_ok=True)
    return folder
