"""SHA-256 fed by threads of its own, so that hashing overlaps what makes the data."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from functools import lru_cache, partial
from itertools import count
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

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
        feed = partial(self._feed, array, dtype)
        self._waiting.append(_worker(os.getpid(), self._turn).submit(feed))

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


class _Worker:
    """A thread that makes calls one after the other.

    It is a daemon: the threads of an executor are waited for when the process ends, without end if
    a signal came while one of them was starting.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[None], Callable[[], None]]] = SimpleQueue()
        Thread(target=self._work, name="radixfmt-hash", daemon=True).start()

    def submit(self, call: Callable[[], None]) -> Future[None]:
        from concurrent.futures import Future  # `info` does without

        future: Future[None] = Future()
        self._calls.put((future, call))
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  whoever waits for the result gets it
                future.set_exception(error)
            del future, call  # and the array with them, before the next one comes


@lru_cache(maxsize=THREADS)
def _worker(process: int, turn: int) -> _Worker:  # noqa: ARG001  a forked child's own
    return _Worker()
