"""A stored dataset, read around the HDF5 library by our own bounded decoder.

The library is asked only where the bytes lie. Nothing that it would have to convert, decode or
fill in is read, so that no stream can make it overrun a buffer or hand out what was in memory.
"""

from __future__ import annotations

import functools
import math
import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that reads HDF5
import numpy as np

from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import Finding, locate, refuse
from radixfmt.storage.codec import decode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import ThreadPoolExecutor

    from numpy.typing import NDArray

    from radixfmt.storage.profile import Profile
    from radixfmt.storage.source import Source

WORKERS = min(os.cpu_count() or 1, 8)
WORTH_SHARING = 1 << 18
"""Bytes to decode from which several threads are faster than one."""


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:  # noqa: ARG001  a fork has none of its parent's threads
    from concurrent.futures import ThreadPoolExecutor  # `info` does without

    return ThreadPoolExecutor(WORKERS, thread_name_prefix="radixfmt-chunks")


@dataclass(frozen=True, slots=True)
class ChunkTable:
    """Where the chunks lie, in C order of the grid.

    Attributes:
        offsets: in the file.
        sizes: bytes stored.
    """

    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]


class GuardedArray:
    """A checked dataset; reading it cannot return, or use, more than was declared.

    Args:
        source: the file's bytes.
        dataset: `h5py.h5d.DatasetID`.
        profile: what is known of it.
    """

    __slots__ = ("_dataset", "_last", "_source", "_table", "profile")

    def __init__(self, source: Source, dataset: Any, profile: Profile) -> None:
        self.profile = profile
        self._source = source
        self._dataset = dataset
        self._table: ChunkTable | None = None
        self._last: tuple[int, NDArray[Any]] | None = None

    @property
    def file(self) -> str:
        """The file's name, for messages."""
        return self._source.file

    @property
    def path(self) -> str:
        """HDF5 path, for messages."""
        return self.profile.path

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type, in native byte order."""
        return self.profile.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, as declared."""
        return self.profile.shape

    def __getitem__(self, key: slice) -> NDArray[Any]:
        return self.read(key)

    def read(self, key: slice | tuple[()] = ()) -> NDArray[Any]:
        """Return all elements, or those of a run along the first axis.

        Raises:
            FormatError: RX1015 to RX1021, the stored bytes are not those of the dataset.
            ParameterError: the file is closed, or `key` is no slice of step 1.
        """
        if not self._source.is_open:
            raise ParameterError(f"{self.file}: is closed; read it inside the with block")
        run = None if isinstance(key, tuple) else self._run(key)
        try:
            out = self._read(run)
        except FormatError as error:
            raise locate(error, path=self.path, file=self.file) from None
        except (MemoryError, ValueError) as error:  # numpy: more than it can address
            raise self._wrong(
                "RX1020", f"its {self.profile.nbytes} bytes do not fit into memory: {error}"
            ) from None
        except (OSError, RuntimeError, KeyError) as error:
            raise self._wrong("RX0108", f"unreadable object: {error}"[:300]) from None
        if sys.byteorder == "big":
            out.byteswap(inplace=True)
        return out

    def check_storage(self) -> None:
        """Look where the data lies, without reading it.

        Raises:
            FormatError: RX1015 not all of it is in the file, RX1021 a chunk skips a filter.
        """
        if self.profile.layout == h5py.h5d.CHUNKED:
            self._chunks()
        elif self.profile.nbytes:
            stored = self._dataset.get_storage_size()
            if stored != self.profile.nbytes:
                raise self._wrong("RX1015", f"{stored} of {self.profile.nbytes} bytes are stored")
            if self.profile.layout == h5py.h5d.CONTIGUOUS:
                self._within(self._dataset.get_offset(), stored)

    def _run(self, key: slice) -> tuple[int, int] | None:
        if key == slice(None):
            return None
        if not self.shape or key.step not in (None, 1):
            raise ParameterError(f"{self.path}: expected a slice of step 1 of an array")
        start, stop, _ = key.indices(self.shape[0])
        return start, max(start, stop)

    def _read(self, run: tuple[int, int] | None) -> NDArray[Any]:
        known = self.profile
        shape = known.shape if run is None else (run[1] - run[0], *known.shape[1:])
        start = 0 if run is None else run[0]
        if not math.prod(shape):
            return np.empty(shape, known.dtype)
        self.check_storage()
        if known.layout == h5py.h5d.COMPACT:  # its file type is its memory type: no conversion
            whole = np.zeros(known.shape, known.dtype)
            self._dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, whole, self._dataset.get_type())
            return whole if run is None else whole[run[0] : run[1]]
        out = np.empty(shape, known.dtype)
        if known.layout == h5py.h5d.CONTIGUOUS:
            row = math.prod(known.shape[1:]) * known.dtype.itemsize
            self._source.read_into(_bytes(out), self._dataset.get_offset() + start * row)
        else:
            self._read_chunks(out, start)
        return out

    def _read_chunks(self, out: NDArray[Any], start: int) -> None:
        """Fill `out`, whose first row is row `start`, from the chunks it touches."""
        known = self.profile
        inner = math.prod(known.grid[1:])
        stop = start + len(out)
        first, last = start // known.chunk[0], -(-stop // known.chunk[0])
        numbers = range(first * inner, last * inner)

        def place(some: Iterable[int]) -> None:
            for number in some:
                self._place(number, out, start)

        if WORKERS > 1 and len(numbers) > 1 and len(numbers) * known.chunk_bytes > WORTH_SHARING:
            batch = -(-len(numbers) // (4 * WORKERS))
            parts = [numbers[i : i + batch] for i in range(0, len(numbers), batch)]
            for _ in _pool(os.getpid()).map(place, parts):
                pass
        else:
            place(numbers)

    def _place(self, number: int, out: NDArray[Any], start: int) -> None:
        """Put what `out` wants of one chunk into it."""
        known = self.profile
        at = np.unravel_index(number, known.grid)
        begin = [int(i) * step for i, step in zip(at, known.chunk, strict=True)]
        end = [min(b + c, n) for b, c, n in zip(begin, known.chunk, known.shape, strict=True)]
        low, high = max(begin[0], start), min(end[0], start + len(out))
        target = out[low - start : high - start]
        if len(begin) == 1 and (low, high) == (begin[0], end[0]):
            self._decode(number, _bytes(target))
            return
        block = self._block(number)
        inner = [slice(b, e) for b, e in zip(begin[1:], end[1:], strict=True)]
        taken = [slice(0, e - b) for b, e in zip(begin[1:], end[1:], strict=True)]
        target[(slice(None), *inner)] = block[(slice(low - begin[0], high - begin[0]), *taken)]

    def _block(self, number: int) -> NDArray[Any]:
        """Return a whole chunk, kept for the next slice that begins in it."""
        last = self._last
        if last is None or last[0] != number:
            block = np.empty(self.profile.chunk, self.profile.dtype)
            self._decode(number, _bytes(block))
            self._last = last = number, block
        return last[1]

    def _decode(self, number: int, out: NDArray[np.uint8]) -> None:
        known, table = self.profile, self._chunks()
        size, offset = int(table.sizes[number]), int(table.offsets[number])
        try:
            if not known.filters and size == known.chunk_bytes:
                self._source.read_into(out, offset)
                return
            # no honest stream is longer; the beginning of another shows what is wrong with it
            raw = bytearray(min(size, 2 * known.chunk_bytes + 1024))
            self._source.read_into(np.frombuffer(raw, np.uint8), offset)
            decode(
                raw,
                size=known.chunk_bytes,
                itemsize=known.dtype.itemsize,
                filters=known.filters,
                out=out,
            )
            if len(raw) < size:
                raise self._wrong("RX1017", f"is stored in {size} bytes for {known.chunk_bytes}")
        except FormatError as error:
            found = error.finding
            if not isinstance(found, Finding):
                raise
            raise refuse(
                replace(found, path=self.path, message=f"chunk {number} {found.message}")
            ) from None

    def _chunks(self) -> ChunkTable:
        """Return where the chunks lie, asked of the HDF5 library once."""
        if self._table is None:
            self._table = self._listed()
        return self._table

    def _listed(self) -> ChunkTable:
        known = self.profile
        grid = known.grid
        count = math.prod(grid)
        offsets, sizes = np.full(count, -1, np.int64), np.zeros(count, np.int64)
        strides = [math.prod(grid[i + 1 :]) for i in range(len(grid))]

        def note(info: Any) -> None:
            if info.filter_mask:
                raise self._wrong("RX1021", f"chunk at {info.chunk_offset} skips a filter")
            places = [at // step for at, step in zip(info.chunk_offset, known.chunk, strict=True)]
            if any(place >= n for place, n in zip(places, grid, strict=True)):
                raise self._wrong("RX1015", f"a chunk at {info.chunk_offset}, outside the data")
            number = sum(place * stride for place, stride in zip(places, strides, strict=True))
            if offsets[number] >= 0:
                raise self._wrong("RX1015", f"two chunks at {info.chunk_offset}")
            self._within(info.byte_offset, info.size)
            offsets[number], sizes[number] = info.byte_offset, info.size

        if count:
            self._dataset.chunk_iter(note)
        missing = np.flatnonzero(offsets < 0)
        if missing.size:
            raise self._wrong(
                "RX1015",
                f"{missing.size} of {count} chunks are not in the file, first {missing[0]}",
            )
        return ChunkTable(offsets, sizes)

    def _within(self, offset: int | None, size: int) -> None:
        if offset is None or not 0 <= offset <= self._source.size - size:
            raise self._wrong("RX1015", f"{size} bytes that are not in the file, at {offset}")

    def _wrong(self, code: str, message: str) -> FormatError:
        return refuse(Finding(code, message, self.path), file=self.file)


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of a contiguous array, to be filled."""
    return array.reshape(-1).view(np.uint8)
