"""The edges with the largest importance, exactly as many as asked for, in bounded memory.

The least rank that is kept is found by its bits, 16 in each of four passes over the ranks: a pass
counts the ranks that begin with the bits known so far by the bits that follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.model.columns import ArrayColumns
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer

DIGIT = 16
"""Bits looked at in one pass."""


class Cut(NamedTuple):
    """Which edges are kept: all above `least`, and the first `ties` of those that equal it."""

    least: int
    ties: int


NOTHING = Cut(2**63 - 1, 0)


def cut_off(ranks: Callable[[], Iterable[NDArray[np.int64]]], keep: int) -> Cut:
    """Return what keeps the `keep` largest ranks.

    Args:
        ranks: returns the blocks of ranks, none negative, anew each time it is called.
        keep: from 0 to the number of ranks.
    """
    if keep == 0:
        return NOTHING
    least, wanted = 0, keep  # the bits of the least rank that is kept, and ranks with those bits
    for shift in (3 * DIGIT, 2 * DIGIT, DIGIT, 0):
        counts = np.zeros(1 << DIGIT, np.int64)
        for block in ranks():
            digits = block >> shift
            digits = digits[digits >> DIGIT == least] & ((1 << DIGIT) - 1)
            counts += np.bincount(digits, minlength=counts.size)
        reached = np.cumsum(counts[::-1])  # ranks with the largest digit, the two largest, …
        place = int(np.searchsorted(reached, wanted))
        digit = counts.size - 1 - place
        wanted -= int(reached[place] - counts[digit])
        least = least << DIGIT | digit
    return Cut(least, wanted)


def standing(ranks: Iterable[NDArray[np.int64]], cut: Cut) -> tuple[int, int]:
    """Return how many ranks are above the cut, and how many equal it."""
    above = equal = 0
    for block in ranks:
        above += int(np.count_nonzero(block > cut.least))
        equal += int(np.count_nonzero(block == cut.least))
    return above, equal


def kept_layer(layer: Layer, ranks: Iterable[NDArray[np.int64]], cut: Cut) -> Layer:
    """Return the layer with the edges that the cut keeps; all else of it stays as it is.

    Args:
        layer: of any kind, with weights of any kind or none.
        ranks: of its edges, in the blocks of its pattern.
        cut: what is kept.
    """
    stored = None if layer.iso else layer.stored
    ties, first = cut.ties, 0
    fan_in, indices, values = [], [], []
    for (_, _, columns), rank in zip(layer.pattern.blocks(), ranks, strict=True):
        kept = rank > cut.least
        equal = np.flatnonzero(rank == cut.least)[:ties]
        kept[equal] = True
        ties -= equal.size
        before = np.concatenate(([0], np.cumsum(kept)))
        fan_in.append(np.diff(before[columns.indptr]))
        indices.append(columns.indices[kept])
        if stored is not None:
            values.append(np.asarray(stored[first : first + rank.size])[kept])
        first += rank.size
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(fan_in))))
    pattern = Pattern(ArrayColumns(layer.pattern.shape, indptr, np.concatenate(indices)))
    if stored is None:
        return layer.replace(pattern=pattern, weights=layer.weights)
    weights: Any = np.concatenate(values)
    if layer.quantized is not None:
        weights = replace(layer.quantized, codes=weights)
    return layer.replace(pattern=pattern, weights=weights)
