"""Strings in a file: fixed-length UTF-8 scalars, the one kind that every reader takes (spec §2)."""

from __future__ import annotations

import unicodedata
from typing import Any

import h5py  # noqa: TID253  this package is the one that writes HDF5
import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.model.canonical import canonical_json
from radixfmt.storage.strict_json import parse

LARGEST_ATTRIBUTE = 64 << 10
LARGEST_TEXT = 16 << 20


def stored_text(value: str, what: str = "attribute", limit: int = LARGEST_ATTRIBUTE) -> Any:
    """Return `value` as h5py stores it.

    Raises:
        UnsupportedError: longer than `limit` bytes, with a NUL in it, or not in Unicode normal
            form C.
    """
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise UnsupportedError(f"{what}: text with half a character (a lone surrogate)") from None
    if b"\0" in data:
        raise UnsupportedError(f"{what}: text with a NUL in it, which HDF5 would end the text at")
    if not unicodedata.is_normalized("NFC", value):
        raise UnsupportedError(
            f"{what}: text is not in Unicode normal form C",
            hint='unicodedata.normalize("NFC", text) in Python',
        )
    return _fixed(data, what, limit)


def stored_json(
    value: Any, what: str, limit: int = LARGEST_ATTRIBUTE
) -> tuple[Any, dict[str, Any]]:
    """Return an object as h5py stores its JSON, and as whoever reads the file will have it.

    Raises:
        ParameterError: no JSON value.
        UnsupportedError: longer than `limit` bytes.
        FormatError: JSON that a reader refuses, such as text that is not in normal form C.
    """
    data = canonical_json(value).encode()
    return _fixed(data, what, limit), parse(data, path=what, file="what is to be written")


def _fixed(data: bytes, what: str, limit: int) -> Any:
    if len(data) > limit:
        raise UnsupportedError(f"{what}: {len(data)} bytes of text; the format holds {limit}")
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))
