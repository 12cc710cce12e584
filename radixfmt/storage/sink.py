"""The file that HDF5 writes to: it never fails, and remembers what the system refused.

The HDF5 library can crash when a write fails while it closes a file (a full disk, a quota). So it
is told that every write went well; the writer asks for the refusal afterwards and discards the
file. What could not be written is kept until then, so that the library reads back what it wrote.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Buffer


class Sink(io.RawIOBase):
    """A file opened for writing and reading back; `refusal` is the first error, or None."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        self._at = 0
        self._kept: list[tuple[int, bytes]] = []
        self.refusal: OSError | None = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, as any file."""
        if whence == io.SEEK_END:
            offset += os.fstat(self._descriptor).st_size
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def write(self, data: Buffer) -> int:
        """Write all of `data`, or keep it if the system refuses."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.refusal is None:
                os.lseek(self._descriptor, self._at + done, os.SEEK_SET)
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            self.refusal = error
        if done < len(view):
            self._kept.append((self._at + done, bytes(view[done:])))
        self._at += len(view)
        return len(view)

    def readinto(self, buffer: Buffer) -> int:
        """Read back what was written; zeros where nothing was."""
        view = memoryview(buffer).cast("B")
        os.lseek(self._descriptor, self._at, os.SEEK_SET)
        data = os.read(self._descriptor, len(view))
        view[: len(data)] = data
        view[len(data) :] = bytes(len(view) - len(data))
        for at, kept in self._kept:
            first, last = max(at, self._at), min(at + len(kept), self._at + len(view))
            if first < last:
                view[first - self._at : last - self._at] = kept[first - at : last - at]
        self._at += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length, unless the system refuses."""
        wanted = self._at if size is None else size
        try:
            os.ftruncate(self._descriptor, wanted)
        except OSError as error:
            self.refusal = self.refusal or error
        return wanted

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            super().close()
            os.close(self._descriptor)

    def check(self) -> None:
        """Raise what the system refused, if anything.

        Raises:
            OSError: of the first write that failed.
        """
        if self.refusal is not None:
            raise self.refusal


_BINARY = getattr(os, "O_BINARY", 0)
