from __future__ import annotations

import subprocess
import sys

import pytest

CHANGED = """
import resource
import numpy as np
from cimdesk.base.heap import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        np.ones(1_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
before = faults()
keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the GNU C library")
def test_memory_given_back_is_used_again():
    found = subprocess.run([sys.executable, "-c", CHANGED], capture_output=True, text=True, check=True).stdout.split()
    before, after = map(int, found)
    assert after <= max(before // 4, 50)
