"""Which inputs of a block reach each neuron, one bit for each, one layer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.measures.classes import MAKING, equal_vectors, merged_blocks
from radixfmt.measures.limits import check_side
from radixfmt.measures.ratio import repeats
from radixfmt.measures.recipes import PROVEN_ONLY

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.measures.bundle import Ledger
    from radixfmt.model.pattern import Pattern

GATHERED = 1 << 22
"""Words that are brought together at a time: 32 MiB."""

UNION = 8
"""What it costs to join two words far apart in memory, in additions."""


@dataclass(slots=True)
class Reach:
    """Bits of inputs at neurons; neurons that are reached alike share theirs.

    Attributes:
        labels: class of each neuron, `[n]`; None if all are in one.
        bits: uint64 `[classes, words]`, bit t % 64 of word t // 64 for input t of the block.
    """

    labels: NDArray[np.intp] | None
    bits: NDArray[np.uint64]

    @classmethod
    def at(cls, inputs: NDArray[np.intp], n_in: int) -> Reach:
        """Return a block of inputs, each of which reaches itself."""
        place = np.arange(inputs.size)
        labels = np.zeros(check_side(n_in, "paths", hint=PROVEN_ONLY), np.intp)
        labels[inputs] = place + 1
        bits = np.zeros((inputs.size + 1, -(-inputs.size // 64)), np.uint64)
        bits[place + 1, place // 64] = np.uint64(1) << (place % 64).astype(np.uint64)
        return cls(labels, bits)

    @classmethod
    def everywhere(cls) -> Reach:
        """Return one input that reaches every neuron."""
        return cls(None, np.ones((1, 1), np.uint64))

    def through(self, pattern: Pattern, ledger: Ledger) -> Reach:
        """Return what is reached behind a layer.

        Raises:
            Spent: the budget does not last.
        """
        if self.labels is not None:
            ledger.spend(pattern.nnz * MAKING)
        fan_in = pattern.fan_in()
        if not repeats(fan_in):
            check_side(fan_in.size, "paths", hint=PROVEN_ONLY)
        classes, words = self.bits.shape
        labels: list[NDArray[np.intp]] = []
        bits: list[NDArray[np.uint64]] = []
        rows = 0
        for matrix, block in merged_blocks(pattern, self.labels, classes):
            ledger.spend(matrix.nnz * words * UNION)
            labels.append(block + rows if rows else block)
            bits.append(_union(matrix, self.bits))
            rows += matrix.shape[0]
        made = np.concatenate(bits)
        alike = equal_vectors(made)
        if alike.first.size == 1:
            return Reach(None, made[:1])
        return Reach(alike.labels[np.concatenate(labels)], made[alike.first])

    def inputs_of(self, neurons: int, weight: int = 1) -> NDArray[np.int64]:
        """Return how many inputs reach each of the neurons, each of the block's being `weight`."""
        counts = np.bitwise_count(self.bits).sum(axis=1, dtype=np.int64) * weight
        return np.broadcast_to(counts, neurons) if self.labels is None else counts[self.labels]


def _union(matrix: sp.csr_array, bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return, for each row of a matrix, the union of the bits of its columns."""
    rows, words = matrix.shape[0], bits.shape[1]
    found = np.zeros((rows, words), np.uint64)
    step = max(1, GATHERED * rows // max(matrix.nnz * words, 1))
    for start in range(0, rows, step):
        pointers = matrix.indptr[start : start + step + 1]
        filled = np.flatnonzero(np.diff(pointers))
        if filled.size:
            gathered = bits[matrix.indices[pointers[0] : pointers[-1]]]
            starts = pointers[filled] - pointers[0]
            found[start + filled] = np.bitwise_or.reduceat(gathered, starts, axis=0)
    return found
