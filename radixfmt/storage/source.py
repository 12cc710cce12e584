"""The bytes of an open file at absolute offsets, read beside the HDF5 library."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING

from radixfmt.errors import PathError
from radixfmt.findings import Finding, refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Source:
    """One read-only descriptor, which several threads may read from.

    Args:
        path: a regular file.

    Raises:
        PathError: the system refuses.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = str(path)
        try:
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise PathError(f"{path}: {error.strerror or error}") from None
        self._closer = weakref.finalize(self, os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        self.identity = status.st_dev, status.st_ino
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether it can still be read."""
        return self._closer.alive

    def close(self) -> None:
        """Close the descriptor."""
        self._closer()

    def read_into(self, buffer: NDArray[np.uint8], offset: int) -> None:
        """Fill `buffer` from `offset` on.

        Raises:
            FormatError: RX0102, the file has become shorter.
            PathError: the system refuses.
        """
        view = buffer.data
        while view:
            try:
                got = self._some(view, offset)
            except OSError as error:
                raise PathError(f"{self.file}: {error.strerror or error}") from None
            if not got:
                raise refuse(
                    Finding("RX0102", f"the file ended at byte {offset} while it was read"),
                    file=self.file,
                )
            view, offset = view[got:], offset + got

    def _some(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [view], offset)
        with self._lock:  # elsewhere the position is shared
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            part = os.read(self._descriptor, len(view))
            view[: len(part)] = part
            return len(part)
