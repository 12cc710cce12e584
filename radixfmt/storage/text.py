"""Strings in a file: fixed-length UTF-8 scalars, the one kind that every reader takes (spec §2)."""

from __future__ import annotations

import unicodedata
from typing import Any

import h5py  # noqa: TID253  this package is the one that writes HDF5
import numpy as np

from radixfmt.errors import UnsupportedError

LARGEST_ATTRIBUTE = 64 << 10
LARGEST_TEXT = 16 << 20


def stored_text(value: str, what: str = "attribute", limit: int = LARGEST_ATTRIBUTE) -> Any:
    """Return `value` as h5py stores it.

    Raises:
        UnsupportedError: longer than `limit` bytes, or not in Unicode normal form C.
    """
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise UnsupportedError(f"{what}: text with half a character (a lone surrogate)") from None
    if len(data) > limit:
        raise UnsupportedError(f"{what}: {len(data)} bytes of text; the format holds {limit}")
    if not unicodedata.is_normalized("NFC", value):
        raise UnsupportedError(
            f"{what}: text is not in Unicode normal form C",
            hint='unicodedata.normalize("NFC", text) in Python',
        )
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))
