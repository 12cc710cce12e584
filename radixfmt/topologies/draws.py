"""Random draws that anyone can repeat: integer arithmetic on the words of a named generator.

A file names the generator of its topology (`GENERATOR`), and this text says how words become
edges. numpy's distributions are not used, since their code may change between versions.

Words. Layer i of a network is drawn from Philox4x64-10 (Salmon et al., SC 2011) with the 128-bit
key (seed, i), the seed being the low word. The 256-bit counter starts at 2^192, and as numpy's
Philox adds 1 before each block, the first block is that of counter 2^192 + 1. Each block gives
four 64-bit words, used in their order. What else is drawn for a layer never meets these
(`radixfmt.initialization.words`). No layer needs another one's words.

Draws. Each takes the next words of its layer:

- `below(n)`: a word w < n·⌊2^64/n⌋ gives w mod n, any other is passed over. Exactly uniform.
- `chosen(p)`: one word w for each item; it is chosen if ⌊w/2⌋ < ⌊p·2^63⌋.
- `order`: one word for each item; items are ordered by their words, ties by position.
- `distinct(k of n)`, one set for each of some rows: if 2k > n the sets of the n - k left out are
  drawn instead. Rows are taken in runs of max(1, ⌊2^20/k⌋). In each run, until every row has k
  values, a round of `below(n)` draws, row after row, as many for a row as it lacks; values that a
  row already has are lost. Such a row is the first k different values of a uniform sequence, so
  all sets are equally likely.
- `bernoulli(p)`: the cells, out of a row of them, that are picked with probability p each. What
  is drawn is the gap G before each pick, P(G = g) = p·q^g with q = 1 - p, and the binary digits
  of such a G are independent: digit i is 1 with probability r/(1 + r), r = q^(2^i). Each digit,
  the lowest first, takes one word, and is 1 if that lies below ⌊2^64·r/(1 + r)⌋; digits whose
  bound is 0 take none. p is first cut to a multiple of 2^-64, and r is kept to 192 bits below the
  point, cut after each squaring. Digit 62 has the bound ⌊2^64·r⌋ and stands for all above it:
  no layer has as many cells. The last gap is the one that leads beyond the last cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.initialization import TOPOLOGY, words
from radixfmt.model.columns import index_dtype

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Any

    from numpy.typing import NDArray

    Integers = NDArray[np.integer[Any]]

GENERATOR = "Philox4x64-10, key (seed, layer), counter from 2^192"
"""What the provenance of a drawn topology says."""

RUN = 1 << 20
"""Values drawn at a time by `distinct`; part of its definition."""

TOP_DIGIT = 62
"""Cells of a layer are below 2^62, which keeps every sum here in int64."""


def stream(seed: int, layer: int) -> np.random.Philox:
    """Return the words of a layer; `random_raw` gives the next ones."""
    return words(seed, layer, TOPOLOGY)


def below(words: np.random.Philox, n: int, count: int) -> NDArray[np.int64]:
    """Return `count` uniform integers in [0, n), int64, 1 <= n <= 2^62."""
    accepted = np.empty(0, np.uint64)
    while accepted.size < count:  # a round takes no more words than are missing
        fresh = words.random_raw(count - accepted.size)
        fresh = fresh[fresh <= np.uint64(2**64 // n * n - 1)]
        accepted = np.concatenate([accepted, fresh]) if accepted.size else fresh
    return (accepted % np.uint64(n)).astype(np.int64)


def chosen(words: np.random.Philox, count: int, probability: Fraction) -> NDArray[np.bool_]:
    """Return for each of `count` items whether it is chosen, which it is with `probability`."""
    return words.random_raw(count) >> np.uint64(1) < np.uint64(int(probability * 2**63))


def order(words: np.random.Philox, count: int) -> NDArray[np.intp]:
    """Return the positions 0 … count - 1 in random order."""
    return np.argsort(words.random_raw(count), kind="stable")


def distinct(words: np.random.Philox, n: int, k: int, rows: int) -> Integers:
    """Return for each row k different integers in [0, n), all sets equally likely.

    Args:
        words: of the layer.
        n: at least 1, with rows·n < 2^62.
        k: 0 to n.
        rows: how many sets.

    Returns:
        `[rows, k]`, ascending in each row, of type `index_dtype(n)`.
    """
    found = np.empty((rows, k), index_dtype(n))
    drawn = min(k, n - k)
    step = max(1, RUN // max(drawn, 1))
    for start in range(0, rows, step):
        run = found[start : start + step]
        cells = _distinct_run(words, n, drawn, len(run))
        if drawn < k:
            cells = complement(cells, len(run) * n)
        np.remainder(cells.reshape(run.shape), n, out=run, casting="same_kind")
    return found


def complement(cells: Integers, total: int) -> NDArray[np.int64]:
    """Return the integers in [0, total) that are not among `cells`, ascending."""
    left = np.ones(total, bool)
    left[cells] = False
    return np.flatnonzero(left)


def bernoulli(words: np.random.Philox, cells: int, probability: Fraction) -> NDArray[np.int64]:
    """Return the cells in [0, cells) that are picked with `probability` each, ascending.

    Time and memory go with the cells picked, not with all of them.

    Args:
        words: of the layer, which are used up.
        cells: below 2^62.
        probability: 0 to 1.
    """
    share = int(probability * 2**64)
    if not share:
        return np.empty(0, np.int64)
    bounds = _digit_bounds(share)
    places = np.int64(1) << np.arange(bounds.size)
    most = (1 << 21) // max(bounds.size, 1)
    picked, start = [], 0
    while start < cells:
        count = min(most, (share * (cells - start) >> 64) + 64)
        raw = words.random_raw(count * bounds.size).reshape(count, bounds.size)
        steps = np.minimum((raw < bounds) @ places, cells) + 1
        found = start - 1 + np.cumsum(steps)
        outside = found >= cells  # sums behind the first one outside may have wrapped
        stop = int(outside.argmax()) if outside.any() else count
        picked.append(found[:stop])
        start = cells if stop < count else int(found[-1]) + 1
    return np.concatenate(picked)


def _distinct_run(words: np.random.Philox, n: int, k: int, rows: int) -> NDArray[np.int64]:
    """Return row·n + value for k different values of each row, ascending."""
    cells = np.empty(0, np.int64)
    lacks, firsts = np.full(rows, k), np.arange(rows + 1) * n
    while lacks.any():
        starts = np.repeat(firsts[:-1], lacks)
        cells = np.concatenate([cells, starts + below(words, n, starts.size)])
        cells.sort(kind="stable")  # which merges runs; numpy.unique would hash, far slower
        cells = cells[np.diff(cells, prepend=-1) > 0]
        lacks = k - np.diff(np.searchsorted(cells, firsts))
    return cells


def _digit_bounds(share: int) -> NDArray[np.uint64]:
    """Return the bounds of the binary digits of a gap for p = share/2^64, the lowest first."""
    one = 1 << 192
    power, bounds = one - (share << 128), list[int]()
    while len(bounds) < TOP_DIGIT and (bound := (power << 64) // (one + power)):
        bounds.append(bound)
        power = power * power >> 192
    if len(bounds) == TOP_DIGIT and (power >> 128):
        bounds.append(power >> 128)
    return np.array(bounds, np.uint64)
