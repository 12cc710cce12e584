"""SHA-256 fed by threads of its own, so that hashing overlaps what makes the data."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from numpy.typing import NDArray

INLINE = 1 << 16
"""Bytes below which handing over to the thread costs more than hashing."""

AHEAD = 2
"""Arrays that may wait for the thread: the bound on memory."""

THREADS = 2
"""A layer's edges and its weights are hashed at the same time."""

TURNS = count()

PIECE = 1 << 18
"""Elements converted at a time: the piece stays in cache between conversion and hash."""


class Hashing:
    """A running SHA-256 of a domain string and of arrays, in the order they are given."""

    def __init__(self, domain: str) -> None:
        self._state = hashlib.sha256(domain.encode())
        self._waiting: deque[Future[None]] = deque()
        self._turn = next(TURNS) % THREADS  # one thread, so that its arrays keep their order

    def update(self, array: NDArray[Any], dtype: str | None = None) -> None:
        """Add the elements of `array`, little-endian in C order, converted to `dtype` if given.

        The array must not change until `digest` returns.
        """
        if array.nbytes < INLINE and not self._waiting:
            self._feed(array, dtype)
            return
        if len(self._waiting) >= AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(_thread(os.getpid(), self._turn).submit(self._feed, array, dtype))

    def repeat(self, element: NDArray[Any], times: int) -> None:
        """Add one element `times` times."""
        block = np.full(min(times, INLINE), np.reshape(element, ()), element.dtype)
        while times > 0:
            self.update(block[: min(times, INLINE)])
            times -= INLINE

    def digest(self) -> str:
        """Return the digest in hexadecimal, after all that was given."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._state.hexdigest()

    def _feed(self, array: NDArray[Any], dtype: str | None) -> None:
        if dtype is None or array.dtype == np.dtype(dtype):
            self._state.update(raw(array))
            return
        flat = array.reshape(-1)
        for start in range(0, flat.size, PIECE):
            self._state.update(raw(flat[start : start + PIECE].astype(dtype)))


def raw(array: NDArray[Any]) -> memoryview:
    """Return the elements' little-endian bytes in C order."""
    ordered = array
    if array.dtype.byteorder == ">":
        ordered = array.astype(array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(ordered).reshape(-1).view(np.uint8).data


@lru_cache(maxsize=THREADS)
def _thread(process: int, turn: int) -> ThreadPoolExecutor:  # noqa: ARG001  a forked child's own
    from concurrent.futures import ThreadPoolExecutor  # `info` does without

    return ThreadPoolExecutor(1, thread_name_prefix="radixfmt-hash")
