"""External data of an ONNX model: only on request, and only files inside the model's folder.

A stranger's model names files; none is opened unless every step to it is a plain folder below the
model's own and it is a regular file of one name.
"""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from radixfmt.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

KNOWN_KEYS = frozenset({"location", "offset", "length", "checksum"})

LARGEST_TOTAL = 8 << 30
"""Bytes of external data that are read for one model, all tensors together."""

LONGEST_NUMBER = 19
"""Digits of a 63-bit number."""


class ExternalData:
    """The files beside a model.

    Args:
        model: path of the model, for its folder and for messages.
        allowed: whether any of them may be read.
    """

    def __init__(self, model: Path, *, allowed: bool) -> None:
        self._model = model
        self._allowed = allowed
        self._left = LARGEST_TOTAL

    def read(self, tensor: onnx.TensorProto, size: int, what: str) -> bytes:
        """Return the `size` bytes of a tensor that lie in another file.

        Raises:
            UnsupportedError: external data was not asked for, or there is too much of it.
            InputError: a path that leads elsewhere, no regular file, or too few bytes in it.
        """
        where = f"{self._model}: {what}"
        if not self._allowed:
            raise UnsupportedError(
                f"{where}: its data lies in another file, which is not read unless asked for",
                hint="rx.from_onnx(path, external_data=True) or `radixfmt convert --external-data` "
                "reads files in the model's folder",
            )
        entries = self._entries(tensor, where)
        offset = _number(entries, "offset", 0, where)
        length = _number(entries, "length", size, where)
        if length != size:
            raise InputError(f"{where}: expected {size} bytes of external data, got {length}")
        self._left -= size
        if self._left < 0:
            raise UnsupportedError(
                f"{where}: more than {LARGEST_TOTAL} bytes of external data in one model"
            )
        return self._bytes(entries.get("location", ""), offset, size, where)

    def _entries(self, tensor: onnx.TensorProto, where: str) -> dict[str, str]:
        entries: dict[str, str] = {}
        for entry in tensor.external_data:
            if entry.key not in KNOWN_KEYS or entry.key in entries:
                raise InputError(
                    f"{where}: external data: expected each of {', '.join(sorted(KNOWN_KEYS))} at "
                    f"most once, got {entry.key!r:.60}"
                )
            entries[entry.key] = entry.value
        return entries

    def _bytes(self, location: str, offset: int, size: int, where: str) -> bytes:
        try:
            descriptor = os.open(
                self._inside(location, where),
                # the system itself refuses a link, and does not wait for a pipe's other end
                os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0),
            )
        except OSError as error:
            raise InputError(
                f"{where}: external file {location!r:.120}: {error.strerror or error}"
            ) from None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{where}: external file {location!r:.120} is no regular file")
            if found.st_nlink > 1:
                raise InputError(
                    f"{where}: external file {location!r:.120} is a hard link, which may be "
                    "another's file",
                    hint="copy the file, so that it has this name alone",
                )
            if offset + size > found.st_size:
                raise InputError(
                    f"{where}: external file {location!r:.120}: expected {size} bytes from "
                    f"{offset}, got a file of {found.st_size}"
                )
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                stream.seek(offset)
                return stream.read(size)
        finally:
            os.close(descriptor)

    def _inside(self, location: str, where: str) -> Path:
        """Return the path of a file below the model's folder, reached through no link."""
        parts = PurePosixPath(location).parts if isinstance(location, str) else ()
        plain = parts and not PurePosixPath(location).is_absolute() and ".." not in parts
        if not plain or any(character in location for character in "\\:\0"):
            raise InputError(
                f"{where}: expected external data in the model's folder, got {location!r:.120}",
                hint="move the file beside the model, and name it without a folder",
            )
        path = self._model.parent
        for part in parts:
            path /= part
            if path.is_symlink():
                raise InputError(
                    f"{where}: external file {location!r:.120} is reached through a symbolic link",
                    hint="put the file itself into the model's folder",
                )
        return path


def _number(entries: dict[str, str], key: str, default: int, where: str) -> int:
    text = entries.get(key, str(default))
    if not (isinstance(text, str) and text.isascii() and text.isdigit()) or (
        len(text) > LONGEST_NUMBER
    ):
        raise InputError(f"{where}: external data: expected {key} as a number, got {text!r:.60}")
    return int(text)
