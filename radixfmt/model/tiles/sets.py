"""The distinct input sets of a pattern: outputs that share one are never told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern


class Sets:
    """The distinct input sets of a pattern.

    Args:
        pattern: its edges are made whole.

    Attributes:
        bits: of an input neuron, in the keys below.
        label: int64 `[n_out]`, the set of each output, numbered as the outputs first have them.
        outputs: int64 `[sets]`, how many outputs have each set.
        indptr: int64 `[sets + 1]`, where each set begins in `indices`.
        indices: int64, the inputs of all sets, ascending in each.
    """

    def __init__(self, pattern: Pattern) -> None:
        n_in = pattern.shape[0]
        self.bits = n_in.bit_length()
        indptr, indices = pattern.indptr, pattern.indices
        # Sets are told apart by 64-bit hashes. A wrong match costs time, never a wrong result:
        # a tile reads the union of its outputs' inputs.
        code = np.random.Generator(np.random.Philox(key=0)).integers(
            0, 2**64, n_in, np.uint64, endpoint=False
        )
        _, first, label = np.unique(
            _sums(code[indices], indptr), return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        first, self.label = first[order], np.argsort(order)[label]
        self.outputs = np.bincount(self.label, minlength=first.size)
        self.sizes = np.diff(indptr)[first]
        self.indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes)])
        begins = np.repeat(indptr[first] - self.indptr[:-1], self.sizes)
        self.indices = indices[begins + np.arange(self.indptr[-1])].astype(np.int64)

    @property
    def count(self) -> int:
        """Number of sets."""
        return int(self.outputs.size)

    def keys(self, tile: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the distinct keys, tile · 2^bits + input, ascending; set i lies in `tile[i]`."""
        return distinct(np.repeat(tile << self.bits, self.sizes) | self.indices)

    def widths(self, tile: NDArray[np.int64], tiles: int) -> NDArray[np.int64]:
        """Return how many inputs each of the tiles reads."""
        return np.bincount(self.keys(tile) >> self.bits, minlength=tiles)

    def sums(self) -> NDArray[np.int64]:
        """Return the sum of each set's inputs."""
        return _sums(self.indices, self.indptr)

    def first(self) -> NDArray[np.int64]:
        """Return each set's smallest input; 0 of the empty one."""
        found = np.zeros(self.count, np.int64)
        filled = self.sizes > 0
        found[filled] = self.indices[self.indptr[:-1][filled]]
        return found


def distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct keys, ascending."""
    ordered = np.sort(keys)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if keys.size else ordered


def _sums(values: NDArray[Any], indptr: NDArray[np.int64]) -> NDArray[Any]:
    """Return the sum of `values` between pointers, modulo their type."""
    totals = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values, dtype=values.dtype)])
    ends: NDArray[Any] = totals[indptr]
    return np.diff(ends)
