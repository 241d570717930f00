"""A task that takes longer than any test, for a process of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path


def sleep_long(note: str) -> None:
    """Write down which process this is, and sleep."""
    Path(note).write_text(str(os.getpid()))
    time.sleep(120)
