"""Exact path counts from a block of inputs to the neurons behind each layer, one layer at a time.

What is alike is kept once: neurons that the block reaches alike (`labels`), and inputs whose counts
are proportional (`profile`, `scale`). Behind a layer run whose product is constant a single number
is left, and further layers cost nothing but their fan-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.measures.classes import MAKING, equal_vectors, merged_blocks
from radixfmt.measures.counts import Counts, product
from radixfmt.measures.limits import check_side
from radixfmt.measures.ratio import repeats
from radixfmt.measures.recipes import PROVEN_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

MOST_WORDS = 20_000_000
"""Words of a block of counts: 160 MB, and about four times as much while it is multiplied."""

MERGING = 16
"""What it costs to find counts that are alike, in additions for each count."""

SAMPLE = 64
"""Rows whose greatest common divisor usually is 1, so that the others need no look."""


class TooWide(Exception):  # noqa: N818  it never leaves the measures
    """The block has too many inputs; `fits` of them would do."""

    def __init__(self, fits: int) -> None:
        super().__init__(fits)
        self.fits = fits


class Spent(Exception):  # noqa: N818  it never leaves the measures
    """The budget of operations is used up."""


@dataclass(slots=True)
class Ledger:
    """A budget of operations, an operation being a nanosecond or a few."""

    left: int

    def spend(self, operations: int) -> None:
        """Take operations from the budget.

        Raises:
            Spent: there are not so many left.
        """
        self.left -= operations
        if self.left < 0:
            raise Spent


@dataclass(slots=True)
class Bundle:
    """Counts of paths: from input i to neuron j, scale[i] · counts[labels[j], profile[i]].

    Attributes:
        labels: class of each neuron, `[n]`; None if all are in one.
        counts: `[classes, profiles]`.
        profile: column of each input of the block.
        scale: Python integers, one for each input of the block.
    """

    labels: NDArray[np.intp] | None
    counts: Counts
    profile: NDArray[np.intp]
    scale: NDArray[Any]

    @classmethod
    def at(cls, inputs: NDArray[np.intp], n_in: int) -> Bundle:
        """Return the paths without edges: from each of some inputs to itself.

        Raises:
            TooWide: there are too many.
        """
        size = inputs.size
        if (size + 1) * size > MOST_WORDS:
            raise TooWide(isqrt(MOST_WORDS) - 1)
        labels = np.zeros(check_side(n_in, "paths", hint=PROVEN_ONLY), np.intp)
        labels[inputs] = np.arange(1, size + 1)
        counts = Counts([np.eye(size + 1, size, -1, np.int64)], 1)
        return cls(labels, counts, np.arange(size), np.full(size, 1, object))

    @classmethod
    def constant(cls, count: int) -> Bundle:
        """Return the paths of one input that has `count` to every neuron."""
        counts = Counts([np.ones((1, 1), np.int64)], 1)
        return cls(None, counts, np.zeros(1, np.intp), np.full(1, count, object))

    def through(self, pattern: Pattern, ledger: Ledger) -> Bundle:
        """Return the paths continued through a layer.

        Raises:
            TooWide: the counts behind it would take too much memory.
            Spent: the budget does not last.
        """
        fan_in = pattern.fan_in()
        if self.labels is not None:
            ledger.spend(pattern.nnz * MAKING)
        if not repeats(fan_in):
            check_side(fan_in.size, "paths", hint=PROVEN_ONLY)
        labels: list[NDArray[np.intp]] = []
        counts = product(
            self._blocks(pattern, labels, ledger), self.counts, int(fan_in.max(initial=0))
        )
        alone = counts.shape[0] == 1
        behind = None if alone else np.concatenate(labels)
        return Bundle(behind, counts, self.profile, self.scale).reduced()

    def _blocks(
        self, pattern: Pattern, labels: list[NDArray[np.intp]], ledger: Ledger
    ) -> Iterator[sp.csr_array]:
        """Yield the layer between classes, and put the classes of its outputs into `labels`."""
        classes, profiles = self.counts.shape
        limbs, rows = len(self.counts.limbs), 0
        for matrix, block in merged_blocks(pattern, self.labels, classes):
            labels.append(block + rows if rows else block)
            rows += matrix.shape[0]
            if rows * profiles * limbs > MOST_WORDS:
                raise TooWide(MOST_WORDS // (rows * limbs))
            ledger.spend((matrix.nnz + MERGING * matrix.shape[0]) * profiles * limbs)
            yield matrix

    def reduced(self) -> Bundle:
        """Return the same with what is alike kept once."""
        labels, counts, profile, scale = self.labels, self.counts, self.profile, self.scale
        rows = equal_vectors(counts.rows())
        if labels is not None and rows.first.size < counts.shape[0]:
            counts = counts.take(rows=rows.first)
            labels = None if rows.first.size == 1 else rows.labels[labels]
        divisors = np.gcd.reduce(counts.take(rows=slice(SAMPLE)).exact(), axis=0)
        doubtful = np.flatnonzero(divisors != 1)
        if doubtful.size:
            divisors = np.gcd.reduce(counts.exact(doubtful), axis=0)
            divisors[divisors == 0] = 1  # no paths at all
            factors = np.full(counts.shape[1], 1, object)
            factors[doubtful] = divisors
            scale = scale * factors[profile]
            counts = counts.divided(doubtful, divisors)
        columns = equal_vectors(counts.columns())
        if columns.first.size < counts.shape[1]:
            counts = counts.take(columns=columns.first)
            profile = columns.labels[profile]
        return Bundle(labels, counts, profile, scale)

    def sizes(self, neurons: int) -> NDArray[np.int64]:
        """Return how many of so many neurons are in each class."""
        if self.labels is None:
            return np.array([neurons])
        return np.bincount(self.labels, minlength=self.counts.shape[0])
