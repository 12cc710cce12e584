"""Hashes fed by threads keep the order in which they were given their arrays."""

from __future__ import annotations

import hashlib

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
