"""A stranger's file that is read whole: a regular one, and never more of it than is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import InputError, PathError

if TYPE_CHECKING:
    from pathlib import Path


def read_whole(path: Path, kind: str, largest: int, *, hint: str) -> bytes:
    """Return the bytes of a file.

    Args:
        path: of the file.
        kind: what it should be, for people: "an ONNX file".
        largest: bytes.
        hint: what to do with a larger one.

    Raises:
        PathError: no regular file, or the system refuses.
        InputError: larger than `largest`.
    """
    if not path.is_file():
        raise PathError(f"{path}: expected {kind}; there is no such regular file")
    try:
        with path.open("rb") as stream:
            data = stream.read(largest + 1)
    except OSError as error:
        raise PathError(f"{path}: {error.strerror or error}") from None
    if len(data) > largest:
        raise InputError(f"{path}: expected {kind}, got more than {largest} bytes", hint=hint)
    return data
