"""How much each edge of a layer matters: 63-bit integers in pattern order, a block at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.initialization import PRUNING, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer

    Importance = Callable[[Layer, int, int], Iterator[NDArray[np.int64]]]


def magnitude(layer: Layer, index: int, seed: int) -> Iterator[NDArray[np.int64]]:  # noqa: ARG001
    """Yield the rank of |w| for each block of edges; it ascends with |w| as a double.

    Quantised weights count by what their codes mean; NaN counts as larger than every number;
    integers beyond 2^53 count as the double next to them.
    """
    for _, _, block in layer.blocks():
        # the bits of doubles that are not negative ascend with them
        yield np.abs(np.asarray(block.weights, np.float64)).view(np.int64)


def random(layer: Layer, index: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield random numbers for each block of edges, from counter 2^194 (`words`)."""
    stream = words(seed, index, PRUNING)
    for start, stop in layer.pattern.ranges():
        count = int(layer.pattern.fan_in(start, stop).sum())
        yield (np.asarray(stream.random_raw(count), np.uint64) >> np.uint64(1)).view(np.int64)


RULES: dict[str, Importance] = {"magnitude": magnitude, "random": random}
"""What `by` may be."""
