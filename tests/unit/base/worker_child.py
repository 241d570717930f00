"""A child for the tests of workers: does what its task says."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from cimdesk.base.workers import RefusalError, serve


def work(task: dict[str, Any], tell: Any) -> Any:
    """Answer, refuse, crash, hang, or talk too much."""
    tell(0.5, "half", True)
    what = task["what"]
    if what == "answer":
        return {"sum": sum(task["numbers"])}
    if what == "refuse":
        raise RefusalError({"code": "no"})
    if what == "crash":
        sys.stderr.write("last words")
        sys.stderr.flush()
        os.abort()
    if what == "talk":
        print("noise on standard output")
        os.write(1, b"noise from a library\n")
        return "heard"
    if what == "bug":
        raise ValueError("a mistake")
    time.sleep(60.0)
    return None


if __name__ == "__main__":
    serve(work)
