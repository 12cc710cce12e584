"""Bytes that HDF5 hands out as names and texts."""

from __future__ import annotations

from typing import Any


def key_of(name: str) -> bytes:
    """Return the bytes of a name that was decoded with surrogates for what is not UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def as_bytes(value: Any) -> bytes:
    """Return the bytes of what h5py made of text of variable length."""
    return value if isinstance(value, bytes) else key_of(str(value))


def is_utf8(data: bytes) -> bool:
    """Return whether the bytes are UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
