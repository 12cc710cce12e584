"""Where the edges of a pattern come from, asked for by column range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


LARGEST_DIMENSION = 2**40
"""Neurons per layer that the format allows (spec §4)."""


class Columns(NamedTuple):
    """The edges of a column range.

    `indptr` is int64 `[columns + 1]` and starts at 0; `indices` is int32 (int64 from 2^31 inputs)
    `[edges]`, ascending inside each column.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.integer[Any]]


class ColumnSource(Protocol):
    """What a pattern needs to know of where its edges come from.

    A source that knows its `fan_out()`, int64 `[n_in]`, without walking its edges may say so.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n_in, n_out)."""

    @property
    def nnz(self) -> int:
        """Return the number of edges."""

    @property
    def record(self) -> Mapping[str, Any] | None:
        """Return the generator record a file stores (spec §6), or None."""

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays that a file stores beside the record; most have none."""

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop)."""


def index_dtype(n_in: int) -> np.dtype[np.signedinteger[Any]]:
    """Return the dtype of indices below `n_in`: int32 while that is enough."""
    return np.dtype(np.int32 if n_in < 2**31 else np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ArrayColumns:
    """Explicit edges held in memory; the arrays are trusted, `Pattern.explicit` checks them."""

    shape: tuple[int, int]
    indptr: NDArray[np.int64]
    indices: NDArray[np.integer[Any]]
    record: Mapping[str, Any] | None = None
    arrays: ClassVar[Mapping[str, NDArray[Any]]] = {}

    @property
    def nnz(self) -> int:
        """Return the number of edges."""
        return int(self.indices.size)

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""
        return np.diff(self.indptr[start : stop + 1])

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return int(self.indptr[column])

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop); `indices` is a view."""
        pointers = self.indptr[start : stop + 1]
        return Columns(pointers - pointers[0], self.indices[pointers[0] : pointers[-1]])
