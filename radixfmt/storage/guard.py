"""The one gate through which every read of a file passes (spec §8).

The superblock is parsed before the HDF5 library sees the file; links are looked at before they
are followed; a dataset's class, type, layout, filters and sizes are checked before it is read.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import h5py  # noqa: TID253  this package is the one that reads HDF5
import numpy as np

from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import Finding, refuse
from radixfmt.storage.superblock import check_superblock

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

F = TypeVar("F", bound="Callable[..., Any]")


HDF5_VERSION: str = h5py.version.hdf5_version
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
LARGEST_CHUNK = 16 << 20
LARGEST_TEXT = 16 << 20
LARGEST_ATTRIBUTE = 64 << 10
LARGEST_RANK = 8
EXPANSION = 1100
"""Deflate cannot shrink data by more than about 1032:1, so no honest file declares more."""


@dataclass(frozen=True, slots=True)
class GuardedArray:
    """A checked dataset; reading it cannot return more than was declared."""

    file: str
    path: str
    dataset: Any

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type, in native byte order."""
        found: np.dtype[Any] = np.dtype(self.dataset.dtype).newbyteorder("=")
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, as declared."""
        return tuple(self.dataset.shape)

    def __getitem__(self, key: slice) -> NDArray[Any]:
        return self.read(key)

    def read(self, key: Any = ()) -> NDArray[Any]:
        """Return the elements `key` selects; by default all of them."""
        if not self.dataset:
            raise ParameterError(f"{self.file}: is closed; read it inside the with block")
        with translated(self.file, self.path, "RX1018", "stored data cannot be decoded"):
            return np.asarray(self.dataset[key])


@contextmanager
def translated(file: str, path: str, code: str, message: str) -> Iterator[None]:
    """Turn what h5py and HDF5 raise on a broken object into our error that names it."""
    try:
        yield
    except FormatError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise refuse(Finding(code, f"{message}: {error}"[:300], path), file=file) from None


def guarded(method: F) -> F:
    """Make a method of `Guard` raise nothing but our own errors, whatever the file holds."""

    @functools.wraps(method)
    def wrapper(self: Guard, path: str, *args: Any, **kwargs: Any) -> Any:
        if not self.is_open:
            raise ParameterError(f"{self.file}: is closed; use its network inside the with block")
        with translated(self.file, path, "RX0108", "unreadable object"):
            return method(self, path, *args, **kwargs)

    return wrapper  # type: ignore[return-value]  # the same signature


class Guard:
    """An open file whose every object is checked before it is used.

    Args:
        path: the file.
        trusted: also open superblock versions 0 and 1, on which the HDF5 library can crash.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: not an HDF5 file of the profile of spec §2.
    """

    def __init__(self, path: str | os.PathLike[str], *, trusted: bool = False) -> None:
        self.file = str(path)
        self.size = check_superblock(path, trusted=trusted)
        self._declared: dict[str, int] = {}
        self._total = 0
        try:
            self._h5 = h5py.File(path, "r", locking="best-effort")
        except (OSError, RuntimeError) as error:
            raise self.refuse("RX0105", f"the HDF5 library cannot open the file: {error}") from None

    @property
    def is_open(self) -> bool:
        """Whether the file can still be read."""
        return bool(self._h5)

    def close(self) -> None:
        """Close the file."""
        self._h5.close()

    def refuse(self, code: str, message: str, path: str = "/", **facts: Any) -> FormatError:
        """Return the error for one trouble in this file."""
        return refuse(Finding(code, message, path, **facts), file=self.file)

    @guarded
    def names(self, group: str) -> list[str]:
        """Return the names in a group, sorted; [] if it is absent."""
        node = self._object(group, h5py.Group, required=False)
        return [] if node is None else sorted(node)

    @guarded
    def text(self, path: str) -> bytes:
        """Return a scalar string dataset's bytes."""
        node = self._object(path, h5py.Dataset)
        self._check_layout(node, path)
        if node.shape != () or not self._is_text(node.id.get_type()):
            raise self.refuse("RX1031", "expected a scalar fixed-length UTF-8 string", path)
        if node.id.get_type().get_size() > LARGEST_TEXT:
            raise self.refuse("RX2006", f"text of more than {LARGEST_TEXT} bytes", path)
        return bytes(node[()]).rstrip(b"\0")

    @guarded
    def attribute(self, path: str, name: str) -> bytes | None:
        """Return a string attribute's bytes, or None if there is none of that name."""
        node = self._object(path, (h5py.Group, h5py.Dataset))
        if not node.attrs.__contains__(name):
            return None
        found = h5py.h5a.open(node.id, name.encode())
        fits = found.shape == () and self._is_text(found.get_type())
        if not fits or found.get_type().get_size() > LARGEST_ATTRIBUTE:
            raise self.refuse(
                "RX1042",
                f"attribute {name!r} is not a scalar fixed-length UTF-8 string of at most "
                f"{LARGEST_ATTRIBUTE} bytes",
                path,
            )
        buffer = np.empty((), found.dtype)
        found.read(buffer)
        return bytes(buffer[()]).rstrip(b"\0")

    @guarded
    def array(self, path: str, *, largest_rank: int = 1) -> GuardedArray:
        """Return a numeric dataset, checked and not yet read."""
        node = self._object(path, h5py.Dataset)
        self._check_layout(node, path)
        kind = node.id.get_type()
        if not isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID):
            raise self.refuse("RX1031", "expected integers or floats", path)
        if node.dtype.byteorder == ">":
            raise self.refuse("RX1032", "expected little-endian numbers", path)
        if node.shape is None or len(node.shape) > largest_rank:
            raise self.refuse("RX1033", f"expected rank at most {largest_rank}", path)
        return GuardedArray(self.file, path, node)

    def _object(self, path: str, kind: Any, *, required: bool = True) -> Any:
        """Return the object at `path`, looking at every link before following it."""
        node = self._h5
        walked = ""
        for part in path.strip("/").split("/") if path.strip("/") else ():
            walked = f"{walked}/{part}"
            link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
            if link is None:
                if not required:
                    return None
                raise self.refuse("RX3003", "a required object is missing", walked)
            if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
                code = "RX1002" if isinstance(link, h5py.ExternalLink) else "RX1001"
                raise self.refuse(code, "links to other places are not followed", walked)
            node = node[part]
        if not isinstance(node, kind):
            raise self.refuse("RX3003", f"an object of another kind: {type(node).__name__}", path)
        return node

    def _check_layout(self, node: Any, path: str) -> None:
        plist = node.id.get_create_plist()
        layout = plist.get_layout()
        if plist.get_external_count():
            raise self.refuse("RX1011", "data stored in another file", path)
        if layout == h5py.h5d.VIRTUAL:
            raise self.refuse("RX1012", "a virtual dataset", path)
        used = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
        if used - FILTERS:
            raise self.refuse("RX1013", f"filter {min(used - FILTERS)} is not allowed", path)
        declared = int(np.prod(node.shape or (1,), dtype=object)) * node.id.get_type().get_size()
        self._total += declared - self._declared.get(path, 0)  # read again, it declares no more
        self._declared[path] = declared
        if self._total > self.size * EXPANSION or (not used and declared > self.size):
            raise self.refuse(
                "RX1020", f"declares {declared} bytes, more than the file can hold", path
            )
        if layout == h5py.h5d.CHUNKED:
            self._check_chunks(node, plist.get_chunk(), path)

    def _check_chunks(self, node: Any, chunk: tuple[int, ...], path: str) -> None:
        size = int(np.prod(chunk, dtype=object)) * node.id.get_type().get_size()
        if len(chunk) != len(node.shape) or not 0 < size <= LARGEST_CHUNK:
            raise self.refuse("RX1014", f"a chunk of {size} bytes, shape {chunk}", path)
        expected = 1
        for length, step in zip(node.shape, chunk, strict=True):
            expected *= -(-length // step)
        if node.id.get_num_chunks() != expected:
            raise self.refuse("RX1015", "chunks are missing from the file", path)

    @staticmethod
    def _is_text(kind: Any) -> bool:
        return isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
