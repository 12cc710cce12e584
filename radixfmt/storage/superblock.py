"""The first bytes of an HDF5 file, parsed before the HDF5 library sees them (spec §2)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any

from radixfmt.errors import PathError
from radixfmt.files import a_path
from radixfmt.findings import Finding, refuse
from radixfmt.limits import DEFAULTS, Limits
from radixfmt.storage.foreign import looks_like

if TYPE_CHECKING:
    from pathlib import Path

    from radixfmt.errors import FormatError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LENGTH = 48
"""Bytes of a version 2 or 3 superblock with 8-byte offsets; older ones are longer."""

HEAD = 1024
"""Bytes looked at, enough to tell what else a file is."""

VERSION, OFFSET_WIDTH, FLAGS = 8, 9, 11
OPEN_FOR_WRITING = 1
OLD_VERSIONS = (0, 1)
OLD_OFFSET_WIDTH = 13
BASES = {0: slice(24, 32), 1: slice(28, 36), 2: slice(12, 20), 3: slice(12, 20)}
ENDS = {0: slice(40, 48), 1: slice(44, 52), 2: slice(28, 36), 3: slice(28, 36)}
"""Where each version has its base and end-of-file addresses."""


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the first bytes say.

    Attributes:
        size: bytes of the file.
        identity: device and number of the file, which another one under its name has not.
        old: whether its version is 0 or 1, on which the HDF5 library can crash.
    """

    size: int
    identity: tuple[int, int]
    old: bool


def check_superblock(
    path: str | os.PathLike[str], *, trusted: bool, limits: Limits = DEFAULTS
) -> Superblock:
    """Return what the superblock says after checking it against the file.

    Args:
        path: the file.
        trusted: also accept versions 0 and 1.
        limits: of the file's size.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: RX0101 to RX0107.
    """
    status, head = _head(a_path(path))
    size = status.st_size
    if size > limits.file:
        raise _refuse(
            path,
            "RX0106",
            "the file is larger than the limit",
            expected=f"at most {limits.file} bytes",
            actual=str(size),
        )
    if head[:8] != SIGNATURE:
        raise _not_hdf5(path, head)
    if len(head) < LENGTH:
        raise _refuse(path, "RX0102", f"cut after {len(head)} bytes, inside the header")
    version = head[VERSION]
    old = version in OLD_VERSIONS
    width = head[OLD_OFFSET_WIDTH if old else OFFSET_WIDTH]
    strange = version not in BASES or width != 8 or any(head[BASES[version]])
    if strange or (old and not trusted):
        raise _refuse(
            path,
            "RX0105" if trusted else "RX0104",  # trust does not help what cannot be opened
            "an HDF5 superblock that is not opened from a stranger",
            expected="version 2 or 3, 8-byte offsets, base 0",
            actual=f"version {version}, {width}-byte offsets",
            hint="radixfmt convert FILE NEW.rx.h5 writes it anew; if you made it yourself, "
            "radixfmt.open(path, trusted=True) in Python",
        )
    if version == 3 and head[FLAGS] & OPEN_FOR_WRITING:
        raise _refuse(path, "RX0107", "marked as open for writing: its writer did not finish")
    end = int.from_bytes(head[ENDS[version]], "little")
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
    return Superblock(size, (status.st_dev, status.st_ino), old)


def _head(path: Path) -> tuple[os.stat_result, bytes]:
    """Return what the system says of the file, and its first bytes."""
    try:
        status = path.stat()
        regular = S_ISREG(status.st_mode)
        head = b""
        if regular:
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                head = stream.read(HEAD)
    except OSError as error:
        hint = "check the spelling" if isinstance(error, FileNotFoundError) else None
        raise PathError(f"{path}: {error.strerror or error}", hint=hint) from None
    if S_ISDIR(status.st_mode):
        raise PathError(f"{path}: expected a radixfmt file, got a folder")
    if not regular:
        raise _refuse(path, "RX0106", "not a regular file")
    return status, head


def _not_hdf5(path: str | os.PathLike[str], head: bytes) -> FormatError:
    looks = looks_like(head)
    if SIGNATURE in head:
        looks = f"an HDF5 file behind {head.index(SIGNATURE)} other bytes"
        hint = "remove what stands in front: HDF5's h5repack writes the file without it"
    elif looks:
        hint = "radixfmt convert reads other formats"
    else:
        hint = "check which file this is"
    return _refuse(
        path,
        "RX0101",
        "an empty file" if not head else "not an HDF5 file",
        expected="a radixfmt file (.rx.h5)",
        actual=looks or ("nothing" if not head else f"a file that begins {head[:8]!r}"),
        hint=hint,
    )


def _refuse(path: str | os.PathLike[str], code: str, message: str, **facts: Any) -> FormatError:
    return refuse(Finding(code, message, **facts), file=str(path))
