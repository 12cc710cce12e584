"""The first 48 bytes of an HDF5 file, parsed before the HDF5 library sees them (spec §2)."""

from __future__ import annotations

from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from radixfmt.errors import PathError
from radixfmt.files import a_path
from radixfmt.findings import Finding, refuse

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from radixfmt.errors import FormatError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LENGTH = 48
"""Bytes of a version 2 or 3 superblock with 8-byte offsets."""

VERSION, OFFSET_WIDTH, FLAGS, BASE, END = 8, 9, 11, slice(12, 20), slice(28, 36)
OPEN_FOR_WRITING = 1

FAMILIES = {
    b"PK\x03\x04": "a zip archive (.npz or .pt)",
    b"%%Matrix": "a MatrixMarket file",
    b"\x93NUMPY": "a .npy array",
}


def check_superblock(path: str | os.PathLike[str], *, trusted: bool) -> int:
    """Return the file's size after checking it against its superblock.

    Args:
        path: the file.
        trusted: also accept versions 0 and 1, on which the HDF5 library can crash.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: RX0101 to RX0107.
    """
    size, head = _head(a_path(path))
    if head[:8] != SIGNATURE:
        raise _not_hdf5(path, head)
    if len(head) < LENGTH:
        raise _refuse(path, "RX0102", f"cut after {len(head)} bytes, inside the header")
    version = head[VERSION]
    if version in (0, 1) and trusted:
        return size
    if version not in (2, 3) or head[OFFSET_WIDTH] != 8 or any(head[BASE]):
        raise _refuse(
            path,
            "RX0104",
            "an HDF5 superblock that is not opened from a stranger",
            expected="version 2 or 3, 8-byte offsets, base 0",
            actual=f"version {version}",
            hint="if you made it yourself: radixfmt.open(path, trusted=True) in Python",
        )
    if version == 3 and head[FLAGS] & OPEN_FOR_WRITING:
        raise _refuse(path, "RX0107", "marked as open for writing: its writer did not finish")
    end = int.from_bytes(head[END], "little")
    if end > size:
        raise _refuse(
            path,
            "RX0102",
            "truncated",
            expected=f"{end} bytes",
            actual=str(size),
            hint="fetch or write the file again",
        )
    if end < size:
        raise _refuse(path, "RX0103", f"{size - end} bytes after the end of the data")
    return size


def _head(path: Path) -> tuple[int, bytes]:
    """Return the file's size and first bytes."""
    try:
        status = path.stat()
        regular = S_ISREG(status.st_mode)
        head = b""
        if regular:
            with path.open("rb") as stream:
                head = stream.read(LENGTH)
    except OSError as error:
        hint = "check the spelling" if isinstance(error, FileNotFoundError) else None
        raise PathError(f"{path}: {error.strerror or error}", hint=hint) from None
    if S_ISDIR(status.st_mode):
        raise PathError(f"{path}: expected a radixfmt file, got a folder")
    if not regular:
        raise _refuse(path, "RX0106", "not a regular file")
    return status.st_size, head


def _not_hdf5(path: str | os.PathLike[str], head: bytes) -> FormatError:
    looks = next((name for magic, name in FAMILIES.items() if head.startswith(magic)), None)
    return _refuse(
        path,
        "RX0101",
        "an empty file" if not head else "not an HDF5 file",
        expected="a radixfmt file (.rx.h5)",
        actual=looks or ("nothing" if not head else f"a file that begins {head[:8]!r}"),
        hint="radixfmt convert reads other formats" if looks else "check which file this is",
    )


def _refuse(path: str | os.PathLike[str], code: str, message: str, **facts: Any) -> FormatError:
    return refuse(Finding(code, message, **facts), file=str(path))
