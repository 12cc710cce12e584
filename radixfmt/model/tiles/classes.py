"""Size classes: tiles of unequal size cut into few parts, in each of which all are padded."""

from __future__ import annotations

from functools import cache
from math import inf
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

STEPS = 16
"""Widths at which parts may begin."""


def classes(
    m: NDArray[np.int64],
    k: NDArray[np.int64],
    cost: Callable[[int, int, int], float],
    join: float,
    most: int,
) -> tuple[float, list[NDArray[np.int64]]]:
    """Return the cheapest division of tiles into parts: its seconds, and the tiles of each part.

    Args:
        m: int64 `[tiles]` outputs of each tile.
        k: int64 `[tiles]` its inputs.
        cost: seconds of (groups, outputs per group, inputs per group) of one part.
        join: seconds for joining the results of several parts.
        most: parts at most.
    """
    order = np.lexsort((m, k))
    m, k = m[order], k[order]
    ends = _ends(m, k) if most > 1 else np.array([m.size])
    starts = np.concatenate([[0], ends[:-1]])
    tallest = np.maximum.reduceat(m, starts)

    @cache
    def of(first: int, last: int) -> float:
        rows = int(tallest[first : last + 1].max())
        share = int(ends[last] - starts[first]) / m.size
        # as if all tiles were of this size: a part alone would seem to fit the cache
        return share * cost(m.size, rows, max(1, int(k[ends[last] - 1])))

    # best[parts][last] = (seconds, where the last part begins), steps 0 … last in so many parts
    best = [[(of(0, last), 0) for last in range(ends.size)]]
    for _ in range(1, min(most, ends.size)):
        best.append(
            [
                min(
                    (
                        (best[-1][first - 1][0] + of(first, last), first)
                        for first in range(1, last + 1)
                    ),
                    default=(inf, 0),
                )
                for last in range(ends.size)
            ]
        )
    totals = [row[-1][0] + (join if parts else 0.0) for parts, row in enumerate(best)]
    parts = int(np.argmin(totals))
    found, last = [], ends.size - 1
    for row in best[parts::-1]:
        first = row[last][1]
        found.append(order[starts[first] : ends[last]])
        last = first - 1
    return totals[parts], found[::-1]


def _ends(m: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where parts may end: where the size changes, thinned out evenly."""
    changes = np.flatnonzero((np.diff(m) != 0) | (np.diff(k) != 0)) + 1
    if changes.size >= STEPS:
        changes = changes[np.linspace(0, changes.size - 1, STEPS - 1).astype(np.int64)]
    return np.concatenate([changes, [m.size]])
