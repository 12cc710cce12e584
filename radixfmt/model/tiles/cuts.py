"""Ways to put sets into tiles: alone, in windows of an order, or merged while that pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.model.tiles.chain import chain
from radixfmt.model.tiles.sets import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from radixfmt.model.tiles.sets import Sets

    Cost = Callable[[int, int, int], float]

SIZES = (8, 16, 32, 64)
"""Outputs per window that are tried."""

LEVELS = 16
"""Times that neighbouring tiles may be merged."""

IDLE = 0.01
"""Share of tiles that have to find a partner, or else merging ends."""

DENSE = 0.25
"""Share of all inputs from which a set is wide, and overlaps with everything."""


def cuts(sets: Sets, n_in: int, cost: Cost) -> Iterator[NDArray[np.int64]]:
    """Yield the tile of each set, int64 `[sets]`, tiles numbered without gaps.

    Args:
        sets: of a pattern with inputs and outputs.
        n_in: its inputs.
        cost: seconds of (groups, outputs per group, inputs per group).
    """
    wide = sets.sizes > DENSE * n_in
    if sets.count == 1 or wide.all():
        yield np.arange(sets.count)
        yield np.zeros(sets.count, np.int64)
        return
    orders = [order[~wide[order]] for order in _orders(sets)]
    # along the chain, so that what one tile has read is still near when the next one reads it
    yield np.argsort(np.concatenate([orders[-1], np.flatnonzero(wide)]))
    for order in orders:
        for m in SIZES:
            if m > sets.outputs[order].min():
                yield _numbered(_windows(sets, order, m), wide)
    for order in (orders[0], orders[-1]):
        yield _numbered(_merged(sets, order, cost), wide)


def _orders(sets: Sets) -> Iterator[NDArray[np.int64]]:
    """Yield orders of the sets: through sorted windows of each stride, then by overlap."""
    first, weight = sets.first(), sets.sums()
    for stride in sorted({1, _stride(sets.indices)}):
        # windows that wrap all start at the first input: the more they wrap, the smaller the sum
        yield np.lexsort((-weight, first, first % stride))
    yield chain(sets)


def _stride(indices: NDArray[np.int64]) -> int:
    """Return the commonest step between an edge's input and the next one's."""
    steps = np.diff(indices[: 1 << 16])
    return int(np.bincount(steps[steps > 0]).argmax()) if (steps > 0).any() else 1


def _numbered(tile: NDArray[np.int64], wide: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the wide sets a tile of their own, and number tiles without gaps."""
    tile[wide] = tile.max(initial=-1) + 1
    return np.unique(tile, return_inverse=True)[1].astype(np.int64)


def _windows(sets: Sets, order: NDArray[np.int64], m: int) -> NDArray[np.int64]:
    """Cut an order into tiles of about m outputs; a set is never cut."""
    held = sets.outputs[order]
    tile = np.full(sets.count, -1, np.int64)
    tile[order] = (np.cumsum(held) - held) // m
    return tile


def _merged(sets: Sets, order: NDArray[np.int64], cost: Cost) -> NDArray[np.int64]:
    """Merge neighbouring tiles of an order, pair by pair, as long as that is cheaper."""
    rank = np.full(sets.count, -1, np.int64)
    rank[order] = np.arange(order.size)
    keys = sets.keys(rank)
    keys = keys[keys >= 0]  # those of other sets
    bits, low = sets.bits, (1 << sets.bits) - 1
    m, k = sets.outputs[order], sets.sizes[order]
    tile = np.arange(m.size)
    alone = _alone(cost, m, k)
    idle = 0
    for level in range(LEVELS):
        pair = (np.arange(m.size) + level % 2) // 2
        pairs = distinct((pair[keys >> bits] << bits) | (keys & low))
        m_both = np.bincount(pair, m).astype(np.int64)
        k_both = np.bincount(pairs >> bits, minlength=m_both.size)
        apart = np.bincount(pair, alone(m, k))
        joined = (np.bincount(pair) == 2) & (alone(m_both, k_both) < apart)
        idle = 0 if np.count_nonzero(joined) > IDLE * m.size else idle + 1
        if idle == 2:
            break
        if idle:
            continue
        follows = np.concatenate([[False], pair[1:] == pair[:-1]]) & joined[pair]
        renamed = np.cumsum(~follows) - 1
        keys = distinct((renamed[keys >> bits] << bits) | (keys & low))
        m = np.bincount(renamed, m).astype(np.int64)
        k = np.bincount(keys >> bits, minlength=m.size)
        tile = renamed[tile]
    found = np.full(sets.count, -1, np.int64)
    found[order] = tile
    return found


def _alone(
    cost: Cost, m: NDArray[np.int64], k: NDArray[np.int64]
) -> Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]:
    """Return the cost of tiles of any sizes beside the others, taken as bilinear in them."""
    groups = max(1, int(m.size))
    m0, k0 = max(1, int(m.mean())), max(1, int(k.mean()))
    a, b, c, d = (cost(groups, x, y) / groups for y in (k0, 2 * k0) for x in (m0, 2 * m0))
    both = (d - c - b + a) / (m0 * k0)
    of_m, of_k = (b - a) / m0 - both * k0, (c - a) / k0 - both * m0
    rest = a - of_m * m0 - of_k * k0 - both * m0 * k0
    return lambda m, k: rest + of_m * m + of_k * k + both * m * k
