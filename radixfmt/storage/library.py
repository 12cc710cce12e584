"""The HDF5 library as this package uses it: no plugins, and locks where there are any."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import h5py  # noqa: TID253  this package is the one that reads HDF5

if TYPE_CHECKING:
    import os

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)
"""How a file system says that it has no locks, beside ENOSYS, which the library knows."""


def forget_plugins() -> None:
    """Empty HDF5's plugin path: the library runs what it finds there for filters it lacks."""
    for i in reversed(range(h5py.h5pl.size())):
        h5py.h5pl.remove(i)


def opened(path: str | os.PathLike[str]) -> h5py.File:
    """Return the file, open for reading and locked against writers where that is possible.

    Raises:
        OSError: the library cannot open it, or a writer has locked it.
    """
    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return h5py.File(path, "r", locking=False)
