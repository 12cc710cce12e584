"""Tiles of a pattern: groups of outputs that share inputs, found from the edges alone.

Outputs whose input sets are equal are found by hashing the sets. Outputs whose sets overlap are
put side by side (bands and windows, cyclic or strided, as in RadiX-Nets of large radix) and cut
into tiles of equal size, each of which reads the union of its outputs' inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

SIZES = (8, 16, 32, 64)
"""Outputs per tile that are tried."""

SAMPLE = 64
"""Tiles looked at to guess the widest one before a tiling is made whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """Tiles of equal size that together hold every edge of a pattern.

    Attributes:
        outputs: int64 `[groups, m]` output neurons; -1 is padding.
        inputs: int64 `[groups, k]` input neurons, ascending, then -1 as padding.
        slots: int64 `[nnz]` where each edge's weight goes in a flat `[groups · m · k]` array.
    """

    outputs: NDArray[np.int64]
    inputs: NDArray[np.int64]
    slots: NDArray[np.int64]

    @property
    def size(self) -> tuple[int, int, int]:
        """(groups, outputs per group m, inputs per group k)."""
        return self.outputs.shape[0], self.outputs.shape[1], self.inputs.shape[1]

    def place(self, n_out: int) -> NDArray[np.int64]:
        """Return the row of each output neuron in the tiles' result, int64 `[n_out]`."""
        place = np.empty(n_out, np.int64)
        flat = self.outputs.reshape(-1)
        used = np.flatnonzero(flat >= 0)
        place[flat[used]] = used
        return place

    def blocks(self, weights: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return `weights` (`[nnz]` or `[1]`) as dense tiles `[groups, m, k]` of `dtype`."""
        groups, m, k = self.size
        tiles = np.zeros(groups * m * k, dtype)
        tiles[self.slots] = weights.astype(dtype)
        return tiles.reshape(groups, m, k)


class _Cut(NamedTuple):
    """A way to cut the outputs into tiles, not made yet."""

    tile: NDArray[np.int64]  # [n_out] tile of each output
    slot: NDArray[np.int64]  # [n_out] its place there
    groups: int
    m: int


def tiling(pattern: Pattern, cost: Callable[[int, int, int], float]) -> Tiling:
    """Return the cheapest tiling found.

    Args:
        pattern: any pattern; its edges are made whole.
        cost: seconds of (groups, outputs per group, inputs per group).
    """
    edges = _Edges(pattern)
    guesses = [(cost(cut.groups, cut.m, edges.widest(cut)), cut) for cut in _cuts(edges)]
    guesses.sort(key=lambda guess: guess[0])
    best: Tiling | None = None
    seconds = np.inf
    for guess, cut in guesses:
        if guess >= seconds:
            break
        made = edges.make(cut)
        if cost(*made.size) < seconds:
            best, seconds = made, cost(*made.size)
    assert best is not None  # noqa: S101  there is always the cut into equal sets
    return best


class _Edges:
    """The edges of a pattern and what the cuts ask of them."""

    def __init__(self, pattern: Pattern) -> None:
        self.n_in, self.n_out = pattern.shape
        self.indptr, self.indices = pattern.indptr, pattern.indices
        self.fan_in = np.diff(self.indptr)

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of `values` `[nnz]` over each output, modulo their type."""
        totals = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values, dtype=values.dtype)])
        ends: NDArray[Any] = totals[self.indptr]
        return np.diff(ends)

    def labels(self) -> NDArray[np.int64]:
        """Return int64 `[n_out]`, equal exactly where input sets are (up to 2^-64 chances).

        A wrong match costs time, never a wrong result: tiles take the union of their sets.
        """
        code = np.random.Generator(np.random.Philox(key=0)).integers(
            0, 2**64, self.n_in, np.uint64, endpoint=False
        )
        return np.unique(self.sums(code[self.indices]), return_inverse=True)[1].astype(np.int64)

    def keys(self, cut: _Cut, outputs: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return tile · n_in + input for the edges of `outputs`, by default of all."""
        if outputs is None:
            bases = np.repeat(cut.tile * self.n_in, self.fan_in)
            return bases + self.indices.astype(np.int64, copy=False)
        counts = self.fan_in[outputs]
        ends = np.cumsum(counts)
        within = np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - counts, counts)
        edges = np.repeat(self.indptr[outputs], counts) + within
        bases = np.repeat(cut.tile[outputs] * self.n_in, counts)
        chosen: NDArray[np.int64] = bases + self.indices[edges]
        return chosen

    def widest(self, cut: _Cut) -> int:
        """Return the number of inputs of the widest tile, from a sample of tiles."""
        sampled = np.zeros(cut.groups, bool)
        sampled[np.linspace(0, cut.groups - 1, min(SAMPLE, cut.groups)).astype(np.int64)] = True
        keys = _distinct(self.keys(cut, np.flatnonzero(sampled[cut.tile])))
        return int(max(1, np.bincount(keys // self.n_in).max(initial=0)))

    def make(self, cut: _Cut) -> Tiling:
        """Return the tiling that `cut` describes."""
        keys = self.keys(cut)
        distinct = _distinct(keys)
        widths = np.bincount(distinct // self.n_in, minlength=cut.groups)
        starts = np.cumsum(widths) - widths
        k = int(max(1, widths.max()))
        tile = distinct // self.n_in
        inputs = np.full((cut.groups, k), -1, np.int64)
        inputs[tile, np.arange(distinct.size) - starts[tile]] = distinct % self.n_in
        outputs = np.full((cut.groups, cut.m), -1, np.int64)
        outputs[cut.tile, cut.slot] = np.arange(self.n_out)
        row = (cut.tile * cut.m + cut.slot) * k - starts[cut.tile]
        slots = np.searchsorted(distinct, keys) + np.repeat(row, self.fan_in)
        return Tiling(outputs, inputs, slots)


def _cuts(edges: _Edges) -> Iterator[_Cut]:
    """Yield ways to cut: along equal input sets, then through sorted windows."""
    labels = edges.labels()
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels)
    largest = int(sizes.max())
    for m in {largest, *(size for size in SIZES if size < largest)}:
        yield _cut(order, -(-sizes // m), sizes, m)
    if largest * sizes.size == edges.n_out and largest >= SIZES[1] and np.ptp(edges.fan_in) == 0:
        return  # nothing is padded and tiles are not narrow: no window can do better
    first = np.zeros(edges.n_out, np.int64)
    filled = edges.fan_in > 0
    first[filled] = edges.indices[edges.indptr[:-1][filled]]
    weight = edges.sums(edges.indices.astype(np.int64))
    for stride in {1, _stride(edges.indices)}:
        # windows that wrap all start at the first input: the more they wrap, the smaller the sum
        order = np.lexsort((-weight, first, first % stride))
        for m in SIZES:
            if m < edges.n_out:
                whole = np.array([edges.n_out])
                yield _cut(order, -(-whole // m), whole, m)


def _cut(
    order: NDArray[np.int64], tiles: NDArray[np.int64], sizes: NDArray[np.int64], m: int
) -> _Cut:
    """Cut runs of `sizes` outputs, in this order, into `tiles` tiles each of at most m."""
    within = np.arange(order.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    tile = np.empty(order.size, np.int64)
    slot = np.empty(order.size, np.int64)
    tile[order] = np.repeat(np.cumsum(tiles) - tiles, sizes) + within // m
    slot[order] = within % m
    return _Cut(tile, slot, int(tiles.sum()), m)


def _stride(indices: NDArray[np.integer[Any]]) -> int:
    """Return the commonest step between an edge's input and the next one's."""
    steps = np.diff(indices[: 1 << 16])
    return int(np.bincount(steps[steps > 0]).argmax()) if (steps > 0).any() else 1


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct keys, ascending."""
    ordered = np.sort(keys)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if keys.size else ordered
