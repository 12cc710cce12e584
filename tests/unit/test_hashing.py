"""Hashes fed by threads keep the order in which they were given their arrays."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np

from radixfmt.model.hashing import INLINE, Hashing


def test_interleaved_hashes_of_large_and_small_arrays():
    rng = np.random.default_rng(0)
    running = [Hashing(f"domain {i}\n") for i in range(5)]
    expected = [hashlib.sha256(f"domain {i}\n".encode()) for i in range(5)]
    for _ in range(12):
        for hashing, plain in zip(running, expected, strict=True):
            large = rng.integers(0, 2**31, int(rng.integers(1, 4 * INLINE)), dtype=np.int32)
            small = large[:7]
            for array in (large, small):
                hashing.update(array, "<u8")
                plain.update(array.astype("<u8").tobytes())
    assert [h.digest() for h in running] == [plain.hexdigest() for plain in expected]


def test_an_interrupt_while_a_thread_starts_does_not_keep_the_process():
    code = """
import threading
import numpy as np
from radixfmt.model.hashing import Hashing

started = threading.Thread.start

def start(thread):
    started(thread)
    raise KeyboardInterrupt

threading.Thread.start = start
try:
    Hashing("").update(np.zeros(1 << 20))
except KeyboardInterrupt:
    print("interrupted")
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
