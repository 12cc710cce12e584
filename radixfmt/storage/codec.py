"""The filters of one chunk, both ways: shuffle, deflate, fletcher32 (spec §2).

Our own decoder stands in for the HDF5 library's, which trusts a stream to have the size that it
claims, and works outside the library's lock, so that chunks are coded in parallel.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.findings import Finding, refuse

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from radixfmt.errors import FormatError

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
"""HDF5's numbers of the filters."""

FILTERS = (SHUFFLE, DEFLATE, FLETCHER32)
"""What a chunk may go through, in this order; each is optional."""

CHECKSUM = 4
WORDS = 1 << 15
"""16-bit words that are summed at a time, few enough to be exact in float64."""

_WEIGHTS = np.arange(WORDS, 0, -1, dtype=np.float64)


def encode(block: NDArray[Any], *, level: int) -> bytes:
    """Return a whole chunk as stored with shuffle and deflate.

    Args:
        block: all elements of the chunk, little-endian; pad the last chunk with zeros.
        level: of deflate, 1 to 9.
    """
    flat = np.ascontiguousarray(block).reshape(-1)
    width = flat.dtype.itemsize
    planes = np.empty((width, flat.size), np.uint8)
    planes[...] = flat.view(np.uint8).reshape(flat.size, width).T
    return zlib.compress(planes.data, level)


def decode(
    raw: bytes | bytearray,
    *,
    size: int,
    itemsize: int,
    filters: Collection[int] = (SHUFFLE, DEFLATE),
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return the bytes of a chunk's elements, no more memory used than they need.

    Args:
        raw: the chunk as stored.
        size: bytes that it declares, a multiple of `itemsize`.
        itemsize: bytes of an element.
        filters: those of `FILTERS` that it went through.
        out: where to put the bytes; a shorter one gets the first elements alone.

    Raises:
        FormatError: RX1016 too long, RX1017 too short or followed by more, RX1018 corrupt,
            RX1019 another checksum; without a path, which the caller knows.
    """
    if FLETCHER32 in filters:
        raw = _checked(raw)
    plain = _inflate(raw, size) if DEFLATE in filters else raw
    if len(plain) != size:
        raise _wrong("RX1017", "decodes to another size than declared", size, len(plain))
    found = np.frombuffer(plain, np.uint8)
    result = np.empty(size, np.uint8) if out is None else out
    if SHUFFLE in filters and itemsize > 1:
        planes, rows = found.reshape(itemsize, -1), result.reshape(-1, itemsize)
        for i in range(itemsize):  # byte by byte is three times as fast as one transposed copy
            rows[:, i] = planes[i, : len(rows)]
    else:
        result[:] = found[: result.size]
    return result


def fletcher32(data: bytes | bytearray) -> int:
    """Return HDF5's checksum: 16-bit big-endian words, an odd last byte padded with zero."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2")
    low = high = 0
    for start in range(0, words.size, WORDS):
        block = words[start : start + WORDS].astype(np.float64)
        high += low * block.size + int(_WEIGHTS[WORDS - block.size :] @ block)
        low += int(block.sum())
    return _folded(high) << 16 | _folded(low)


def _folded(total: int) -> int:
    """Return the ones' complement sum, in which only nothing but zeros makes zero."""
    return (total - 1) % 0xFFFF + 1 if total else 0


def _checked(raw: bytes | bytearray) -> bytes | bytearray:
    """Return `raw` without the checksum at its end, which is little-endian."""
    if len(raw) < CHECKSUM:
        raise _wrong("RX1017", "is too short for its checksum", CHECKSUM, len(raw))
    data = raw[:-CHECKSUM]
    (stored,) = struct.unpack("<I", raw[-CHECKSUM:])
    computed = fletcher32(data)
    if stored != computed:
        raise refuse(
            Finding(
                "RX1019",
                "has another checksum than its data",
                "",
                expected=f"{stored:08x}",
                actual=f"{computed:08x}",
            )
        )
    return data


def _inflate(raw: bytes | bytearray, size: int) -> bytes:
    """Return what a zlib stream holds, never making more than one byte too many."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(raw, size + 1)
    except zlib.error as error:
        raise refuse(Finding("RX1018", f"does not decode: {error}", "")) from None
    if len(plain) > size:
        raise _wrong("RX1016", "decodes to more than it declares", size, f"at least {size + 1}")
    if not stream.eof:
        raise _wrong("RX1017", "ends inside its stream", size, len(plain))
    if stream.unused_data:
        raise refuse(
            Finding(
                "RX1017", f"has {len(stream.unused_data)} bytes after the end of its stream", ""
            )
        )
    return plain


def _wrong(code: str, what: str, size: int, actual: int | str) -> FormatError:
    return refuse(Finding(code, what, "", expected=f"{size} bytes", actual=str(actual)))
