"""The one gate through which every read of a file passes (spec §§2, 9).

The superblock is parsed before the HDF5 library sees the file; links are looked at before they
are followed; a dataset's class, type, layout, filters and sizes are checked before it is read.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import h5py  # noqa: TID253  this package is the one that reads HDF5
import numpy as np

from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import Finding, refuse
from radixfmt.limits import DEFAULTS, EXPANSION, Limits
from radixfmt.storage.chunks import GuardedArray
from radixfmt.storage.library import forget_plugins, opened
from radixfmt.storage.library_array import LibraryArray
from radixfmt.storage.profile import is_fixed_text, is_variable_text, profile
from radixfmt.storage.source import Source
from radixfmt.storage.spelling import as_bytes, is_utf8, key_of
from radixfmt.storage.superblock import check_superblock
from radixfmt.storage.translated import BROKEN, translated
from radixfmt.storage.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.storage.profile import Profile

F = TypeVar("F", bound="Callable[..., Any]")

HDF5_VERSION: str = h5py.version.hdf5_version
ATTEMPTS = 100
"""A file may be replaced by a newer one while it is opened: then that one is opened."""


def guarded(method: F) -> F:
    """Make a method of `Guard` raise nothing but our own errors, whatever the file holds."""

    @functools.wraps(method)
    def wrapper(self: Guard, path: str, *args: Any, **kwargs: Any) -> Any:
        if not self.is_open:
            raise ParameterError(f"{self.file}: is closed; use its network inside the with block")
        with translated(self.file, path):
            return method(self, path, *args, **kwargs)

    return wrapper  # type: ignore[return-value]  # the same signature


class Guard:
    """An open file whose every object is checked before it is used.

    It empties the HDF5 library's plugin path, for the whole process.

    Args:
        path: the file.
        trusted: also open superblock versions 0 and 1, on which the HDF5 library can crash, and
            read text of variable length, whose size is not known before it is read.
        limits: of what the file may use.

    Attributes:
        old: whether the superblock is of version 0 or 1.
        tree: the objects by path.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: not an HDF5 file of the profile of spec §2.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, trusted: bool = False, limits: Limits = DEFAULTS
    ) -> None:
        self.file = str(path)
        self.trusted = trusted
        self.limits = limits
        self._declared: dict[str, int] = {}
        self._total = 0
        forget_plugins()
        for _ in range(ATTEMPTS):
            superblock = check_superblock(path, trusted=trusted, limits=limits)
            self.size, self.old = superblock.size, superblock.old
            if self._open(path, superblock.identity):
                return
        raise self.refuse("RX0105", "the file is replaced again and again while it is opened")

    @property
    def is_open(self) -> bool:
        """Whether the file can still be read."""
        return bool(self._h5)

    def close(self) -> None:
        """Close the file."""
        self.tree.forget()
        self._source.close()
        self._h5.close()

    def refuse(self, code: str, message: str, path: str = "/", **facts: Any) -> FormatError:
        """Return the error for one trouble in this file."""
        return refuse(Finding(code, message, path, **facts), file=self.file)

    @guarded
    def kind(self, path: str) -> Literal["group", "dataset"] | None:
        """Return what is at `path`, None for nothing (or a committed type)."""
        node = self.tree.find(path)
        if isinstance(node, h5py.h5g.GroupID):
            return "group"
        return "dataset" if isinstance(node, h5py.h5d.DatasetID) else None

    def exists(self, path: str) -> bool:
        """Return whether there is a group or dataset at `path`."""
        return self.kind(path) is not None

    @guarded
    def names(self, group: str) -> list[str]:
        """Return the names in a group, sorted; [] if it is absent."""
        node = self.tree.find(group)
        if node is None:
            return []
        if not isinstance(node, h5py.h5g.GroupID):
            raise self.refuse("RX3003", "expected a group", group)
        found: list[str] = []

        def note(name: bytes) -> bool | None:
            found.append(name.decode("utf-8", "surrogateescape"))
            return len(found) > self.limits.objects or None  # what a group says may be a lie

        if node.get_num_objs() <= self.limits.objects:
            node.links.iterate(note)
        if max(node.get_num_objs(), len(found)) > self.limits.objects:
            raise self.refuse("RX1006", f"more than {self.limits.objects} objects", group)
        return sorted(found)

    @guarded
    def attributes(self, path: str) -> list[str]:
        """Return the names of an object's attributes, sorted."""
        return self.attribute_names(self._present(path), path)

    @guarded
    def attribute(self, path: str, name: str) -> bytes | None:
        """Return a string attribute's bytes, or None if there is none of that name."""
        node = self._present(path)
        if not h5py.h5a.exists(node, key_of(name)):
            return None
        return self.attribute_text(node, name, path, variable=self.trusted)

    def attribute_names(self, node: Any, path: str) -> list[str]:
        """Return the names of an open object's attributes, sorted.

        Raises:
            FormatError: RX1041 too many to list.
        """
        count = h5py.h5a.get_num_attrs(node)
        if count > self.limits.attributes:
            message = f"{count} attributes; at most {self.limits.attributes} are read"
            raise self.refuse("RX1041", message, path)
        found: list[str] = []
        if count:
            h5py.h5a.iterate(node, lambda key: found.append(key.decode("utf-8", "surrogateescape")))
        return sorted(found)

    def attribute_text(self, node: Any, name: str, path: str, *, variable: bool) -> bytes:
        """Return the bytes of an open object's attribute; `variable`: of any length.

        Raises:
            FormatError: RX1041 too large, RX1042 no text of the format.
        """
        found = h5py.h5a.open(node, key_of(name))
        kind = found.get_type()
        extent = found.get_space().get_simple_extent_type()
        if extent != h5py.h5s.NULL and found.get_storage_size() > self.limits.attribute:
            message = f"attribute {name!a:.80} of {found.get_storage_size()} bytes"
            raise self.refuse("RX1041", message, path)
        trouble, data = None, b""
        if extent != h5py.h5s.SCALAR:
            trouble = "not a scalar"
        elif variable and is_variable_text(kind):
            value = np.empty((), object)
            found.read(value)
            data = as_bytes(value[()])
        elif kind.committed() or not is_fixed_text(kind):
            trouble = "not of fixed length"
        else:
            raw = np.zeros((), f"V{kind.get_size()}")
            found.read(raw, kind)
            data = raw.tobytes().rstrip(b"\0")
        if b"\0" in data or not is_utf8(data):
            trouble = "not UTF-8 without NUL"
        if trouble:
            message = f"attribute {name!a:.80} is not a scalar fixed-length text: {trouble}"
            raise self.refuse("RX1042", message, path)
        return data

    @guarded
    def is_text(self, path: str) -> bool:
        """Return whether the dataset at `path` holds text."""
        node = self._dataset(path)
        return bool(node.get_type().get_class() == h5py.h5t.STRING)

    @guarded
    def text(self, path: str) -> bytes:
        """Return a scalar string dataset's bytes."""
        node = self._dataset(path)
        kind = node.get_type()
        if self.trusted and is_variable_text(kind):
            data = as_bytes(h5py.Dataset(node)[()])
        else:
            if kind.get_size() > self.limits.manifest:
                raise self.refuse("RX2006", f"text of {kind.get_size()} bytes", path)
            array = GuardedArray(self._source, node, self.check(node, path, text=True))
            data = array.read().tobytes().rstrip(b"\0")
        if len(data) > self.limits.manifest:
            raise self.refuse("RX2006", f"text of {len(data)} bytes", path)
        return data

    @guarded
    def array(self, path: str, *, largest_rank: int = 1) -> GuardedArray:
        """Return a numeric dataset, checked and not yet read."""
        node = self._dataset(path)
        known = self.check(node, path, largest_rank=largest_rank, text=False)
        return GuardedArray(self._source, node, known)

    @guarded
    def unprofiled(self, path: str) -> LibraryArray:
        """Return a dataset that breaks the profile in one of the ways of `REPAIRABLE`.

        Only for trusted files: the HDF5 library reads it by itself.
        """
        return LibraryArray(self.file, path, h5py.Dataset(self._dataset(path)))

    def check(
        self, node: Any, path: str, *, largest_rank: int = 1, text: bool | None = None
    ) -> Profile:
        """Return the profile of an open dataset after checking it, its declared size included."""
        known = profile(node, path, largest_rank=largest_rank, text=text)
        declared = known.nbytes
        self._total += declared - self._declared.get(path, 0)  # read again, it declares no more
        self._declared[path] = declared
        if self._total > self.size * EXPANSION or (not known.filters and declared > self.size):
            what = f"declares {declared} bytes, {self._total} with the others so far"
            if declared > self.size * EXPANSION:  # alone too much: the others are innocent
                self._total -= self._declared.pop(path)
            raise self.refuse("RX1020", f"{what}: more than the file can hold", path)
        return known

    def stored(self, node: Any, known: Profile) -> GuardedArray:
        """Return the array of an open dataset that was checked."""
        return GuardedArray(self._source, node, known)

    def _present(self, path: str) -> Any:
        node = self.tree.find(path)
        if node is None:
            raise self.refuse("RX3003", "a required object is missing", path)
        return node

    def _dataset(self, path: str) -> Any:
        node = self._present(path)
        if not isinstance(node, h5py.h5d.DatasetID):
            raise self.refuse("RX3003", "expected a dataset", path)
        return node

    def _open(self, path: str | os.PathLike[str], identity: tuple[int, int]) -> bool:
        """Open the file; return whether it is the one whose superblock was checked."""
        self._source = Source(path)
        h5 = None
        try:
            h5 = self._h5 = opened(path)
            status = os.fstat(self._h5.id.get_vfd_handle())
            self.tree = Tree(h5py.h5g.open(self._h5.id, b"/"))
        except (*BROKEN, MemoryError) as error:
            if h5 is not None:  # or the library would keep what it has seen of the file
                h5.close()
            self._source.close()
            if self._source.identity != identity:
                return False
            raise self.refuse("RX0105", f"the HDF5 library cannot open the file: {error}") from None
        same = identity == self._source.identity == (status.st_dev, status.st_ino)
        if not same or not self.size == self._source.size == status.st_size:
            self.close()
            return False
        return True
