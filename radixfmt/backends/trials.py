"""Inputs on which a network of any graph is compared with its model."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.layer_products import TooLargeError
from radixfmt.backends.samples import probes
from radixfmt.export.accepts import element_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from radixfmt.model.graph import Value
    from radixfmt.model.network import Network

ROWS = 3
"""Size of the batch where the network leaves it open."""

SIZES = (16, 32, 64, 224)
"""Tried, one after the other, for all other open sizes: places, words of a text."""

LARGEST = 2**24
"""Elements of one input."""

CHOSEN = [7, 15, 23]
"""Probes that are used: one of each kind."""


def trials(network: Network, fixed: Mapping[str, int]) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield arrays for the inputs by name, always the same ones, for one size after the other.

    Floats are `probes`, the dense ones spread over both signs, and then, for graphs with roots and
    logarithms, all above 0; whole numbers are zeros and ones, which are tokens of every vocabulary.

    Args:
        network: any network.
        fixed: sizes that the model gives to symbols of the network.

    Raises:
        TooLargeError: an input.
    """
    symbols = {s for value in network.inputs for s in value.shape if isinstance(s, str)}
    if not network.inputs:
        return
    first = network.inputs[0].shape[:1]
    sizes = {s: ROWS for s in symbols if s in first} | dict(fixed)
    open_ones = symbols - sizes.keys()
    for size in SIZES if open_ones else SIZES[:1]:
        sizes |= dict.fromkeys(open_ones, size)
        for signed in (True, False):
            yield {
                value.name: _array(value, sizes, signed=signed, seed=i)
                for i, value in enumerate(network.inputs)
            }


def _array(value: Value, sizes: Mapping[str, int], *, signed: bool, seed: int) -> NDArray[Any]:
    shape = tuple(sizes[s] if isinstance(s, str) else s for s in value.shape)
    if prod(shape) > LARGEST:
        raise TooLargeError(
            f"{value.name}: an input of shape {list(shape)} is too large for a comparison"
        )
    kind = element_type(value.name, value.dtype)
    if kind.kind != "f":
        return np.random.default_rng(seed).integers(0, 2, shape).astype(kind)
    rows, width = (shape[0], prod(shape[1:])) if shape else (1, 1)
    chosen = probes(width, np.dtype(np.float64), seed)[CHOSEN]
    chosen = np.concatenate([2 * chosen[:1] - 1, chosen[1:]]) if signed else chosen + 0.01
    return np.resize(chosen, (rows, width)).reshape(shape).astype(kind)
