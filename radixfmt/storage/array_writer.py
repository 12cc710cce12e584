"""One dataset being written, block by block; chunks are encoded by other threads meanwhile."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that writes HDF5
import numpy as np

from radixfmt.storage.codec import encode
from radixfmt.storage.profile import BFLOAT16

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from numpy.typing import NDArray

CHUNK_BYTES = 1 << 18
"""Small enough that ten columns are read in a millisecond, large enough to compress as well."""

SMALLEST_CHUNKED = 4096
"""Arrays of fewer bytes are stored contiguous: a chunk index would outweigh them."""

AHEAD = 8
"""Chunks that may wait to be written: the bound on memory."""


class ArrayWriter:
    """Writes one vector; `append` takes its elements in order, `close` ends it.

    Args:
        group: HDF5 group to make the dataset in.
        name: of the dataset.
        dtype: stored type; blocks of other types are converted.
        length: number of elements that will come.
        level: of deflate, with shuffle; 0 stores the bytes as they are.
        pool: encodes chunks.
    """

    def __init__(
        self,
        group: Any,
        name: str,
        dtype: np.dtype[Any],
        length: int,
        *,
        level: int,
        pool: Executor,
    ) -> None:
        self._dtype = dtype.newbyteorder("<")
        self._level = level if length * dtype.itemsize >= SMALLEST_CHUNKED else 0
        self._chunk = min(length, CHUNK_BYTES // dtype.itemsize)
        self._pool = pool
        self._name, self._length = name, length
        self._waiting: deque[tuple[int, Future[bytes]]] = deque()
        self._rest: NDArray[Any] = np.empty(0, dtype)
        self._done = 0
        settings = creation_settings()
        if self._level:
            settings.set_chunk((self._chunk,))
            settings.set_shuffle()
            settings.set_deflate(self._level)
        space = h5py.h5s.create_simple((length,))
        self._type = stored_type(dtype)
        self._dataset = h5py.h5d.create(group.id, name.encode(), self._type, space, settings)

    def append(self, block: NDArray[Any]) -> None:
        """Write the next elements; `block` must not change before `close`."""
        if not self._level:
            self._store(block)
            return
        data = np.concatenate([self._rest, block]) if self._rest.size else block
        whole = data.size - data.size % self._chunk
        for start in range(0, whole, self._chunk):
            self._encode(data[start : start + self._chunk])
        self._rest = data[whole:]

    def close(self) -> None:
        """Write what is left.

        Raises:
            ValueError: an encoding gave more or fewer elements than it said; the rest of the
                dataset would be whatever the disk held.
        """
        given = self._done + self._rest.size
        if given != self._length:
            raise ValueError(f"{self._name}: {self._length} elements were announced, {given} came")
        if self._rest.size:
            padded = np.zeros(self._chunk, self._rest.dtype)  # a chunk is stored whole
            padded[: self._rest.size] = self._rest
            self._encode(padded)
        while self._waiting:
            self._write_one()

    def _store(self, block: NDArray[Any]) -> None:
        ready = np.ascontiguousarray(block, self._dtype)
        if ready.size:
            memory, space = h5py.h5s.create_simple((ready.size,)), self._dataset.get_space()
            space.select_hyperslab((self._done,), (ready.size,))
            bits = ready.view(f"<u{ready.itemsize}")  # the file's own type: nothing is converted
            self._dataset.write(memory, space, bits, self._type)
        self._done += ready.size

    def _encode(self, chunk: NDArray[Any]) -> None:
        if len(self._waiting) >= AHEAD:
            self._write_one()
        job = self._pool.submit(_encoded, chunk, self._dtype, self._level)
        self._waiting.append((self._done, job))
        self._done += self._chunk

    def _write_one(self) -> None:
        offset, job = self._waiting.popleft()
        self._dataset.write_direct_chunk((offset,), job.result())


def creation_settings() -> Any:
    """Return how every dataset is made: without time stamps, so that bytes repeat, or filling."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return settings


def stored_type(dtype: np.dtype[Any]) -> Any:
    """Return the HDF5 type of elements."""
    return BFLOAT16 if dtype.name == "bfloat16" else h5py.h5t.py_create(dtype.newbyteorder("<"))


def _encoded(chunk: NDArray[Any], dtype: np.dtype[Any], level: int) -> bytes:
    return encode(np.ascontiguousarray(chunk, dtype), level=level)
