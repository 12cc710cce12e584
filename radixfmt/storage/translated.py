"""What h5py and HDF5 raise, as our own errors that name the place."""

from __future__ import annotations

from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import Finding, locate, refuse

BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError)
"""What h5py raises for a broken object."""


class translated:  # noqa: N801  used as a function; @contextmanager would cost as much as HDF5
    """Turn what h5py and HDF5 raise on a broken object into our error that names it."""

    __slots__ = ("file", "path")

    def __init__(self, file: str, path: str) -> None:
        self.file, self.path = file, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if isinstance(error, FormatError):
            raise locate(error, path=self.path, file=self.file) from None
        if isinstance(error, MemoryError):
            finding = Finding("RX1020", "an object that does not fit into memory", self.path)
            raise refuse(finding, file=self.file) from None
        if isinstance(error, BROKEN) and not isinstance(error, ParameterError):
            finding = Finding("RX0108", f"unreadable object: {error}"[:300], self.path)
            raise refuse(finding, file=self.file) from None
