"""A stored order of the neurons of one side of a layer (`permuted/1`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from radixfmt.findings import Finding, refuse
from radixfmt.model.columns import index_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.errors import FormatError

TYPES = ("uint32", "uint64")


class Entries(Protocol):
    """An ndarray, or an array in a file, which also has a `path` and a `file` for messages."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the element type."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the length as a tuple."""

    def __getitem__(self, key: slice, /) -> Any:
        """Return a run of elements."""


class Permutation:
    """A bijection of `size` neurons, read and checked when it is first used.

    Args:
        name: of the array, for messages.
        stored: uint32 or uint64 `[size]`.
        size: number of neurons.
        digest: what `permutation_digest` of the array must be.

    Raises:
        FormatError: RX3007 the type or RX3012 the length is wrong. Later, on first use: RX4007 no
            bijection, RX8003 another digest.
    """

    __slots__ = ("_digest", "_inverse", "_order", "_size", "_stored", "_where")

    def __init__(self, name: str, stored: Entries, size: int, digest: str) -> None:
        self._where = getattr(stored, "path", name), getattr(stored, "file", None)
        self._stored, self._size, self._digest = stored, size, digest
        self._order: NDArray[np.integer[Any]] | None = None
        self._inverse: NDArray[np.integer[Any]] | None = None
        if stored.dtype.name not in TYPES:
            raise self._refuse(
                "RX3007",
                "a type that a permutation may not have",
                expected=" or ".join(TYPES),
                actual=stored.dtype.name,
            )
        if stored.shape != (size,):
            raise self._refuse(
                "RX3012",
                "a permutation has one entry for each neuron of its side",
                expected=str(size),
                actual=str(stored.shape),
            )

    @property
    def order(self) -> NDArray[np.integer[Any]]:
        """The entries as indices, all checked."""
        if self._order is None:
            entries = self._stored[:]
            self._check(entries)
            self._order = entries.astype(index_dtype(self._size))
        return self._order

    @property
    def inverse(self) -> NDArray[np.integer[Any]]:
        """Where each neuron stands in `order`."""
        if self._inverse is None:
            order = self.order
            self._inverse = np.empty_like(order)
            self._inverse[order] = np.arange(self._size, dtype=order.dtype)
        return self._inverse

    @property
    def entries(self) -> NDArray[Any]:
        """The entries as a file stores them: u32, or u64 beyond 2^32 neurons."""
        return self.order.astype("<u4" if self._size <= 2**32 else "<u8")

    def _check(self, entries: NDArray[Any]) -> None:
        outside = entries >= self._size
        seen = np.zeros(self._size, bool)
        seen[entries[~outside]] = True
        if not seen.all():
            bad = np.ones(self._size, bool)
            bad[np.unique(entries, return_index=True)[1]] = False  # the first of each value
            bad |= outside
            at = int(bad.argmax())
            raise self._refuse(
                "RX4007",
                "an entry is out of range" if outside[at] else "an entry stands twice",
                index=at,
                count=int(bad.sum()),
                expected=f"each of 0 … {self._size - 1} once",
                actual=str(entries[at]),
            )
        found = permutation_digest(entries)
        if found != self._digest:
            raise self._refuse(
                "RX8003",
                "the permutation is not the one that the generator record cites",
                expected=self._digest,
                actual=found,
            )

    def _refuse(self, code: str, message: str, **more: Any) -> FormatError:
        path, file = self._where
        return refuse(Finding(code, message, path, **more), file=file)


def permutation_digest(entries: NDArray[Any]) -> str:
    """Return the dense digest of the entries as u64: it is the same for either stored type."""
    from radixfmt.model.digest import dense_digest  # nothing else here needs hashes

    return dense_digest(entries.astype("<u8"))
