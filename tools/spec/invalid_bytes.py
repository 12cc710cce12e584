"""Edits of a file's bytes, where no HDF5 library makes what is wanted."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  vectors are made with it

if TYPE_CHECKING:
    from collections.abc import Callable

    Bytes = Callable[[bytes], bytes]

MASK = 0xFFFFFFFF


def user_defined_link(data: bytes) -> bytes:
    """Turn the external link under /ext into a link of a user-defined class."""
    start = data.rindex(b"OHDR", 0, data.index(b"elsewhere.h5"))
    kind = data.rindex(b"\x40", start, data.index(b"elsewhere.h5") - 4)
    return with_header_checksum(data[:kind] + b"\xbb" + data[kind + 1 :], start)


def flipped_header(path: str) -> Callable[[Any], Bytes]:
    """Flip a bit in the header of the object at a path, and leave its checksum."""

    def find(file: Any) -> Bytes:
        at = h5py.h5o.get_info(file[path].id).addr + 12
        return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return find


def without_times(data: bytes) -> bytes:
    """Return the file with the times in its object headers set to 0, which h5py cannot do."""
    at = data.find(b"OHDR\2")
    while at >= 0:
        if data[at + 5] & 0x20:
            data = with_header_checksum(data[: at + 6] + bytes(16) + data[at + 22 :], at)
        at = data.find(b"OHDR\2", at + 1)
    return data


def with_header_checksum(data: bytes, start: int) -> bytes:
    """Return the file with the checksum of the object header at `start` made right."""
    flags = data[start + 5]
    at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    end = at + width + int.from_bytes(data[at : at + width], "little")
    return data[:end] + struct.pack("<I", lookup3(data[start:end])) + data[end + 4 :]


def lookup3(data: bytes) -> int:
    """Return HDF5's checksum of metadata: Bob Jenkins' hashlittle."""

    def rot(x: int, k: int) -> int:
        return (x << k | x >> (32 - k)) & MASK

    a = b = c = (0xDEADBEEF + len(data)) & MASK
    while len(data) > 12:
        x, y, z = _words(data[:12])
        a, b, c = (a + x) & MASK, (b + y) & MASK, (c + z) & MASK
        for k in (4, 6, 8, 16, 19, 4):
            a = (a - c) & MASK ^ rot(c, k)
            c = (c + b) & MASK
            a, b, c = b, c, a
        data = data[12:]
    if not data:
        return c
    x, y, z = _words(data.ljust(12, b"\0"))
    a, b, c = (a + x) & MASK, (b + y) & MASK, (c + z) & MASK
    for k in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - rot(b, k)) & MASK
        a, b, c = b, c, a
    return b


def _words(data: bytes) -> tuple[int, int, int]:
    first, second, third = struct.unpack("<III", data)
    return first, second, third
