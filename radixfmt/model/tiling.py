"""Tiles of a pattern: groups of outputs that share inputs, found from the edges alone.

Outputs whose input sets are equal are found by hashing the sets. Outputs whose sets overlap are
put side by side, by sorting (bands and windows, cyclic or strided) or along a chain of greatest
overlap (whatever was permuted), and cut into tiles, each of which reads the union of its outputs'
inputs. What is cheapest is left to the caller's own estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.model.tiles.classes import classes
from radixfmt.model.tiles.cuts import cuts
from radixfmt.model.tiles.sets import Sets

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

PARTS = 4
"""Size classes at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """Tiles of equal size that together hold edges of a pattern, each of them once.

    Attributes:
        outputs: int64 `[groups, m]` output neurons; -1 is padding.
        inputs: int64 `[groups, k]` input neurons, ascending, then -1 as padding.
        slots: int64, where each edge's weight goes in a flat `[groups · m · k]` array.
        edges: int64, which edges these are, ascending; None where they are all of the pattern's.
    """

    outputs: NDArray[np.int64]
    inputs: NDArray[np.int64]
    slots: NDArray[np.int64]
    edges: NDArray[np.int64] | None = None

    @property
    def size(self) -> tuple[int, int, int]:
        """(groups, outputs per group m, inputs per group k)."""
        return self.outputs.shape[0], self.outputs.shape[1], self.inputs.shape[1]

    def place(self, n_out: int) -> NDArray[np.int64]:
        """Return the row of each output neuron in the tiles' result, int64 `[n_out]`.

        An output that is in no tile gets -1.
        """
        place = np.full(n_out, -1, np.int64)
        flat = self.outputs.reshape(-1)
        used = np.flatnonzero(flat >= 0)
        place[flat[used]] = used
        return place

    def ordered(self, key: NDArray[Any]) -> Tiling:
        """Return the same tiles, the outputs of each sorted by their `key`.

        Args:
            key: a number for each output neuron; those beyond them come last, as padding does.
        """
        _, m, k = self.size
        keys = np.append(key, np.inf)[np.minimum(self.outputs, key.size)]
        order = np.argsort(keys, axis=1, kind="stable")
        if (order == np.arange(m)).all():
            return self
        row, column = np.divmod(self.slots, k)
        slot = np.argsort(order, axis=1).reshape(-1)[row]
        return replace(
            self,
            outputs=np.take_along_axis(self.outputs, order, axis=1),
            slots=((row - row % m) + slot) * k + column,
        )

    def blocks(self, weights: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return `weights` (`[nnz]` or `[1]`) as dense tiles `[groups, m, k]` of `dtype`."""
        groups, m, k = self.size
        tiles = np.zeros(groups * m * k, dtype)
        chosen = weights if self.edges is None or weights.size == 1 else weights[self.edges]
        tiles[self.slots] = chosen.astype(dtype)
        return tiles.reshape(groups, m, k)


def tiling(pattern: Pattern, cost: Callable[[int, int, int], float]) -> Tiling:
    """Return the cheapest tiling found in which all tiles have one size.

    Args:
        pattern: with inputs and outputs; its edges are made whole.
        cost: seconds of (groups, outputs per group, inputs per group).
    """
    return tilings(pattern, cost, 0.0, most=1)[0]


def tilings(
    pattern: Pattern,
    cost: Callable[[int, int, int], float],
    join: float,
    *,
    most: int = PARTS,
) -> tuple[Tiling, ...]:
    """Return the cheapest tilings found that together hold the pattern, one for each size.

    Args:
        pattern: with inputs and outputs; its edges are made whole.
        cost: seconds of (groups, outputs per group, inputs per group).
        join: seconds for joining the results of several sizes.
        most: sizes at most.
    """
    sets = Sets(pattern)
    best: tuple[float, list[NDArray[np.int64]]] = np.inf, []
    chosen = np.zeros(0, np.int64)
    for cut in cuts(sets, pattern.shape[0], cost):
        tiles = int(cut.max()) + 1
        m = np.bincount(cut, sets.outputs).astype(np.int64)
        found = classes(m, sets.widths(cut, tiles), cost, join, most)
        if found[0] < best[0]:
            best, chosen = found, cut
    return tuple(_made(pattern, sets, chosen, tiles) for tiles in best[1])


def _made(pattern: Pattern, sets: Sets, cut: NDArray[np.int64], tiles: NDArray[np.int64]) -> Tiling:
    """Return the tiling of these tiles of a cut."""
    number = np.full(int(cut.max()) + 1, -1, np.int64)
    number[tiles] = np.arange(tiles.size)
    of_output = number[cut][sets.label]
    whole = bool((of_output >= 0).all())
    chosen = np.flatnonzero(of_output >= 0)
    # equal outputs side by side: the next layer often reads them together
    order = chosen[np.lexsort((sets.label[chosen], of_output[chosen]))]
    heights = np.bincount(of_output[chosen], minlength=tiles.size)
    slot = np.zeros(of_output.size, np.int64)
    slot[order] = np.arange(order.size) - np.repeat(np.cumsum(heights) - heights, heights)
    outputs = np.full((tiles.size, int(heights.max())), -1, np.int64)
    outputs[of_output[order], slot[order]] = order

    fan_in = np.where(of_output >= 0, np.diff(pattern.indptr), 0)
    edges = None if whole else np.flatnonzero(np.repeat(of_output >= 0, np.diff(pattern.indptr)))
    indices = pattern.indices if edges is None else pattern.indices[edges]
    keys = np.repeat(of_output << sets.bits, fan_in) | indices
    held = sets.keys(number[cut])
    held = held[held >= 0]  # those of other tiles
    tile, source = held >> sets.bits, held & ((1 << sets.bits) - 1)
    widths = np.bincount(tile, minlength=tiles.size)
    starts = np.cumsum(widths) - widths
    k = int(max(1, widths.max()))
    inputs = np.full((tiles.size, k), -1, np.int64)
    inputs[tile, np.arange(held.size) - starts[tile]] = source
    row = (of_output * outputs.shape[1] + slot) * k - starts[of_output]
    return Tiling(outputs, inputs, np.searchsorted(held, keys) + np.repeat(row, fan_in), edges)
