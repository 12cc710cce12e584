"""`graph-challenge/1`: the published layers of the Sparse DNN Graph Challenge (arXiv 1909.05631).

Layers 1 … k are the RadiX-Net of radix 2 with 16 blocks, n = N/16, k = log2 n. Every later group
of k layers is that base with its source neurons relabelled by one random permutation per group,
drawn from MATLAB's default stream: the ranks of the next N doubles of MT19937 seeded 5489.
"""

from __future__ import annotations

from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators import generator
from radixfmt.generators.radix_net import radix_net_layer
from radixfmt.generators.regular import RegularColumns, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

NEURONS = (1024, 4096, 16384, 65536)
BLOCKS = 16
SEED = 5489
"""MATLAB's default stream, from which the published permutations were drawn."""

PUBLISHED_LAYERS = 1920
"""Depth of the deepest published network."""

LARGEST_LAYER = 1 << 16
"""A bound so that a hostile record cannot ask for endless random draws."""

GROUPS_BETWEEN_MARKS = 32
"""Groups after which the stream's state is kept, so that going back is quick."""


def recognise(pattern: Pattern, position: int) -> Iterator[dict[str, Any]]:
    """Yield parameters whose first column may be that of `pattern`.

    In a group the input of rank 0 feeds output 0 of every layer: finding it needs no sorting.
    """
    neurons = pattern.shape[0]
    if neurons not in NEURONS or pattern.shape[1] != neurons or pattern.nnz != 32 * neurons:
        return
    first = pattern.columns(0, 1).indices
    twin = pattern.columns(neurons // BLOCKS, neurons // BLOCKS + 1).indices
    if not np.array_equal(first, twin):
        return
    if position < PUBLISHED_LAYERS:
        yield {"neurons": neurons, "layer": position + 1}
    depth = _depth(neurons)
    stream = np.random.RandomState(SEED)
    for group in range(-(-PUBLISHED_LAYERS // depth)):
        least = stream.random_sample(neurons).argmin() if group else 0
        if least in first:
            for index in range(depth):
                yield {"neurons": neurons, "layer": group * depth + index + 1}


@generator("graph-challenge/1", recognise=recognise)
def graph_challenge_layer(*, neurons: int, layer: int) -> RegularColumns:
    """Return published layer `layer` (from 1) of the network with `neurons` neurons per layer.

    Raises:
        ParameterError: `neurons` is not one of `NEURONS`, or `layer` lies outside 1 … 2^16.
    """
    if type(neurons) is not int or neurons not in NEURONS:
        raise ParameterError(
            f"neurons: expected one of {', '.join(map(str, NEURONS))}, got {shown(neurons)}"
        )
    if type(layer) is not int or not 1 <= layer <= LARGEST_LAYER:
        raise ParameterError(f"layer: expected 1 to {LARGEST_LAYER}, got {shown(layer)}")
    depth = _depth(neurons)
    group, index = divmod(layer - 1, depth)
    base = radix_net_layer(
        systems=[[2] * depth], widths=[BLOCKS] * (depth + 1), direction=-1, index=index
    )
    return RegularColumns(
        base.shape,
        base.degree,
        base.period,
        base.rows if group == 0 else partial(_rows, base, group),
        {"generator": "graph-challenge/1", "parameters": {"neurons": neurons, "layer": layer}},
    )


def _depth(neurons: int) -> int:
    """Return k, the number of layers in a group."""
    return (neurons // BLOCKS).bit_length() - 1


def _rows(base: RegularColumns, group: int, outputs: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    order = _permutations(base.shape[0]).order(group)
    return np.sort(order[base.rows(outputs)], axis=1)


class _Permutations:
    """The permutations of one size, drawn in order from one stream; the last one is kept."""

    def __init__(self, neurons: int) -> None:
        self._neurons = neurons
        self._lock = Lock()
        self._stream = np.random.RandomState(SEED)
        self._next = 1
        self._marks = {1: self._stream.get_state()}
        self._group = 0
        self._order = np.empty(0, np.int32)

    def order(self, group: int) -> NDArray[np.int32]:
        """Return p with base input i placed at input p[i], for `group` >= 1."""
        with self._lock:  # one stream serves every thread
            if group != self._group:
                self._order = np.argsort(self._draws(group), kind="stable").astype(np.int32)
                self._group = group
            return self._order

    def _draws(self, group: int) -> NDArray[np.float64]:
        """Return the numbers whose ranks permute the group, and keep marks on the way."""
        mark = max(known for known in self._marks if known <= group)
        if not mark <= self._next <= group:
            self._stream.set_state(self._marks[mark])
            self._next = mark
        while True:
            draws = self._stream.random_sample(self._neurons)
            self._next += 1
            if self._next % GROUPS_BETWEEN_MARKS == 0:
                self._marks.setdefault(self._next, self._stream.get_state())
            if self._next > group:
                return draws


@lru_cache
def _permutations(neurons: int) -> _Permutations:
    return _Permutations(neurons)
