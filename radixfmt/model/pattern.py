"""Where a layer's weights may be nonzero, always asked for by column range.

`shape = (n_in, n_out)` and y = x·W. Edges are grouped by output neuron, the columns of W, and
ascend by input neuron inside each: scipy's CSC of W, and byte for byte PyTorch's CSR of the
`[out, in]` weight. An explicit pattern holds two arrays, a procedural one the rule that makes any
column range of them; a lazily opened file is a third source. All three are a `Pattern`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.findings import refuse
from radixfmt.model.columns import LARGEST_DIMENSION, ArrayColumns, index_dtype
from radixfmt.model.invariants import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import scipy.sparse as sp
    from numpy.typing import ArrayLike, NDArray

    from radixfmt.model.columns import Columns, ColumnSource

BLOCK_EDGES = 1 << 22
"""Edges per block when a whole pattern is walked: 32 MiB of int64 indices."""


LARGEST_WHOLE = 2**33
"""Edges of a pattern that may be asked for at once: 32 GiB of int32 indices."""


class Pattern:
    """The edges between `n_in` input and `n_out` output neurons.

    Make one with `Pattern.explicit` or `Pattern.from_scipy`; generators and files make the others.
    """

    __slots__ = ("_source", "_whole")

    def __init__(self, source: ColumnSource) -> None:
        self._source = source
        self._whole: Columns | None = None

    @classmethod
    def explicit(cls, shape: tuple[int, int], indptr: ArrayLike, indices: ArrayLike) -> Pattern:
        """Return the pattern with these edges, after checking every one of them.

        Args:
            shape: (n_in, n_out).
            indptr: `[n_out + 1]` integers; column j owns `indices[indptr[j]:indptr[j + 1]]`.
            indices: `[nnz]` input neurons, strictly ascending inside each column.

        Raises:
            FormatError: pointers or indices break spec §4; the message names the first bad place.
        """
        pointers, rows = np.array(indptr), np.array(indices)  # copies: nobody else may write
        if not all(0 <= size <= LARGEST_DIMENSION for size in shape):
            raise ParameterError(f"shape: expected sizes from 0 to 2^40, got {tuple(shape)}")
        for finding in problems(shape, rows.size, pointers, rows):
            raise refuse(finding)
        return cls(
            ArrayColumns(
                (int(shape[0]), int(shape[1])),
                _frozen(pointers.astype(np.int64, copy=False)),
                _frozen(rows.astype(index_dtype(shape[0]), copy=False)),
            )
        )

    @classmethod
    def from_scipy(cls, matrix: sp.sparray | sp.spmatrix) -> Pattern:
        """Return where `matrix`, W of shape (n_in, n_out), has entries; stored zeros count."""
        import scipy.sparse as sp

        w = sp.csc_array(matrix)
        w.sum_duplicates()  # sorts the indices too
        return cls.explicit((w.shape[0], w.shape[1]), w.indptr, w.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_in, n_out)."""
        return self._source.shape

    @property
    def nnz(self) -> int:
        """Number of edges, stored zeros included."""
        return self._source.nnz

    @property
    def density(self) -> float:
        """Share of cells that are edges, nnz / (n_in · n_out); 0 for a pattern without cells."""
        cells = self.shape[0] * self.shape[1]
        return self.nnz / cells if cells else 0.0

    @property
    def record(self) -> Mapping[str, Any] | None:
        """The generator record of a procedural pattern (spec §6), else None."""
        return self._source.record

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """What a file stores beside the record, by name (`permuted/1`); empty for most patterns."""
        return self._source.arrays

    @property
    def indptr(self) -> NDArray[np.int64]:
        """int64 `[n_out + 1]`; made whole on first use if the pattern is procedural."""
        return self._all().indptr

    @property
    def indices(self) -> NDArray[np.integer[Any]]:
        """int32 or int64 `[nnz]` input neurons, column by column, ascending in each."""
        return self._all().indices

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of columns [start, stop), making no others.

        Raises:
            ParameterError: the range does not lie inside [0, n_out].
        """
        self._check_range(start, stop)
        if self._whole is not None:
            return ArrayColumns(self.shape, *self._whole).columns(start, stop)
        return self._source.columns(start, stop)

    def blocks(self, edges: int = BLOCK_EDGES) -> Iterator[tuple[int, int, Columns]]:
        """Yield (start, stop, columns) over all columns, about `edges` edges at a time."""
        for start, stop in self.ranges(edges):
            yield start, stop, self.columns(start, stop)

    def ranges(self, edges: int = BLOCK_EDGES) -> Iterator[tuple[int, int]]:
        """Yield column ranges of at most `edges` columns and `edges` edges, or of one column."""
        n_out = self.shape[1]
        for first in range(0, n_out, edges):
            last = min(first + edges, n_out)
            ends = np.cumsum(self.fan_in(first, last))
            start = first
            while start < last:
                before = int(ends[start - first - 1]) if start > first else 0
                fits = int(np.searchsorted(ends, before + edges, side="right"))
                stop = max(first + fits, start + 1)
                yield start, stop
                start = stop

    def fan_in(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the number of edges into each output neuron, int64 `[stop - start]`."""
        stop = self.shape[1] if stop is None else stop
        self._check_range(start, stop)
        return self._source.fan_in(start, stop)

    def first_edge(self, column: int) -> int:
        """Return the position of the first edge of `column` in pattern order."""
        self._check_range(column, column)
        return self._source.first_edge(column)

    def fan_out(self) -> NDArray[np.int64]:
        """Return the number of edges out of each input neuron, int64 `[n_in]`."""
        known: Callable[[], NDArray[np.int64]] | None = getattr(self._source, "fan_out", None)
        if known is not None:
            return known()
        counts = np.zeros(self.shape[0], np.int64)
        for _, _, block in self.blocks():
            counts += np.bincount(block.indices, minlength=self.shape[0])
        return counts

    def to_scipy(self, weights: ArrayLike | None = None) -> sp.csc_array:
        """Return W of shape (n_in, n_out) as `scipy.sparse.csc_array`.

        Args:
            weights: broadcasts to `[nnz]`, in pattern order; None gives ones (float32).
        """
        import scipy.sparse as sp

        indptr, indices = self.indptr, self.indices  # refused first, where there are too many
        values = np.ones((), np.float32) if weights is None else np.asarray(weights)
        data = np.ascontiguousarray(np.broadcast_to(values, (self.nnz,)))
        return sp.csc_array((data, indices, indptr), shape=self.shape)

    def __repr__(self) -> str:
        kind = f" {self.record['generator']}" if self.record else ""
        return f"<Pattern{kind} {self.shape[0]} → {self.shape[1]}, {self.nnz} edges>"

    def _all(self) -> Columns:
        if max(self.nnz, self.shape[1]) > LARGEST_WHOLE:
            raise UnsupportedError(
                f"a pattern of {self.nnz} edges into {self.shape[1]} neurons cannot be held whole; "
                f"at most {LARGEST_WHOLE} of either can",
                hint="ask for column ranges: pattern.columns(start, stop)",
            )
        if self._whole is None:
            self._whole = self._source.columns(0, self.shape[1])
        return self._whole

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.shape[1]:
            raise ParameterError(
                f"column range [{start}, {stop}): expected 0 <= start <= stop <= {self.shape[1]}"
            )


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return `array`, which has been checked, closed to writing."""
    array.flags.writeable = False
    return array
