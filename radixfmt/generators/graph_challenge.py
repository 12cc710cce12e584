"""`graph-challenge/1`: the published layers of the Sparse DNN Graph Challenge (arXiv 1909.05631).

Layers 1 … k are the RadiX-Net of radix 2 with 16 blocks, n = N/16, k = log2 n. Every later group
of k layers is that base with its source neurons relabelled by one random permutation per group,
drawn from MATLAB's default stream: the ranks of the next N doubles of MT19937 seeded 5489.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators import generator
from radixfmt.generators.radix_net import RadixNetLayer, radix_net_layer
from radixfmt.model.columns import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEURONS = (1024, 4096, 16384, 65536)
BLOCKS = 16
LARGEST_LAYER = 1 << 16
"""A bound so that a hostile record cannot ask for endless random draws."""


@dataclass(frozen=True, slots=True)
class GraphChallengeLayer:
    """A base layer whose source neurons are relabelled; group 0 is not."""

    base: RadixNetLayer
    group: int
    record: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, N)."""
        return self.base.shape

    @property
    def nnz(self) -> int:
        """32·N."""
        return self.base.nnz

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return 32 for each column in [start, stop)."""
        return self.base.fan_in(start, stop)

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return self.base.first_edge(column)

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop)."""
        indptr, indices = self.base.columns(start, stop)
        if self.group == 0:
            return Columns(indptr, indices)
        order = _permutations(self.shape[0]).order(self.group)
        moved = np.sort(order[indices].reshape(-1, self.base.degree), axis=1)
        return Columns(indptr, moved.reshape(-1))


@generator("graph-challenge/1")
def graph_challenge_layer(*, neurons: int, layer: int) -> GraphChallengeLayer:
    """Return published layer `layer` (from 1) of the network with `neurons` neurons per layer.

    Raises:
        ParameterError: `neurons` is not one of `NEURONS`, or `layer` lies outside 1 … 2^16.
    """
    if type(neurons) is not int or neurons not in NEURONS:
        raise ParameterError(
            f"neurons: expected one of {', '.join(map(str, NEURONS))}, got {neurons}"
        )
    if type(layer) is not int or not 1 <= layer <= LARGEST_LAYER:
        raise ParameterError(f"layer: expected 1 to {LARGEST_LAYER}, got {layer}")
    depth = (neurons // BLOCKS).bit_length() - 1
    group, index = divmod(layer - 1, depth)
    return GraphChallengeLayer(
        radix_net_layer(systems=[[2] * depth], widths=[BLOCKS] * (depth + 1), index=index),
        group,
        {"generator": "graph-challenge/1", "parameters": {"neurons": neurons, "layer": layer}},
    )


class _Permutations:
    """The permutations of one size, drawn in order from one stream and the last few kept."""

    def __init__(self, neurons: int) -> None:
        self._neurons = neurons
        self._lock = Lock()
        self._kept: dict[int, NDArray[np.int32]] = {}
        self._restart()

    def order(self, group: int) -> NDArray[np.int32]:
        """Return p with base row i placed at row p[i], for `group` >= 1."""
        with self._lock:  # one stream serves every thread
            if group not in self._kept:
                if group < self._next:
                    self._restart()
                while self._next <= group:
                    draws = self._stream.random_sample(self._neurons)
                    self._next += 1
                self._kept = {group: np.argsort(draws, kind="stable").astype(np.int32)}
            return self._kept[group]

    def _restart(self) -> None:
        self._stream = np.random.RandomState(5489)  # the published stream
        self._next = 1


@lru_cache
def _permutations(neurons: int) -> _Permutations:
    return _Permutations(neurons)
