"""An order in which sets that overlap lie side by side, found without knowing how they came about.

Greedy: a tile is begun with one set and filled with those that overlap it most; the next tile
begins with the best of those left over, so that neighbouring tiles overlap too. Bands, windows
and near-equal sets come out whole however rows and columns were permuted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.tiles.sets import Sets

TILE = 16
"""Outputs that are put together before the chain moves on."""

STRONG = 0.2
"""Share of common inputs (of the union) from which sets belong together; others only fill up."""

LOOKED_AT = 1 << 13
"""Edges that are followed from one set to others, about: larger sets are sampled."""


def chain(sets: Sets) -> NDArray[np.int64]:
    """Return the sets in chain order, int64 `[sets]`.

    Time grows with sets / TILE · LOOKED_AT at most.
    """
    readers, starts = _readers(sets)
    free = np.ones(sets.count, bool)
    order: list[NDArray[np.int64]] = []
    pointer, seed = 0, 0
    for _ in range(sets.count):
        free[seed] = False
        taken, left = _neighbours(sets, seed, readers, starts, free)
        free[taken] = False
        order += [np.array([seed]), taken]
        if left >= 0:
            seed = left
            continue
        while pointer < sets.count and not free[pointer]:
            pointer += 1
        if pointer == sets.count:
            break
        seed = pointer
    return np.concatenate(order)


def _readers(sets: Sets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which sets hold each input: they, and where each input's begin."""
    holders = np.repeat(np.arange(sets.count), sets.sizes)
    counts = np.bincount(sets.indices, minlength=1 << sets.bits)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return holders[np.argsort(sets.indices, kind="stable")], starts


def _neighbours(
    sets: Sets,
    seed: int,
    readers: NDArray[np.int64],
    starts: NDArray[np.int64],
    free: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], int]:
    """Return the free sets that join the seed's tile, and the best one that does not, or -1."""
    inputs = sets.indices[sets.indptr[seed] : sets.indptr[seed + 1]]
    ends = np.cumsum(starts[inputs + 1] - starts[inputs])
    if inputs.size == 0 or ends[-1] == 0:
        return np.empty(0, np.int64), -1
    share = max(1, int(ends[-1]) // LOOKED_AT)
    looked_at = inputs[::share]
    met = np.concatenate([readers[starts[i] : starts[i + 1]] for i in looked_at.tolist()])
    found, common = np.unique(met[free[met]], return_counts=True)
    if not found.size:
        return found, -1
    common = common * (inputs.size / looked_at.size)
    overlap = common / np.maximum(inputs.size + sets.sizes[found] - common, 1)
    best = np.argsort(-overlap, kind="stable")
    found, overlap = found[best], overlap[best]
    held = np.cumsum(sets.outputs[found]) + sets.outputs[seed]
    joins = held <= TILE
    if overlap[0] >= STRONG:
        joins &= overlap >= STRONG
    number = int(np.count_nonzero(joins))
    return found[:number], int(found[number]) if number < found.size else -1
