"""Hypercubes: neurons are corners, joined along the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.topologies import topology
from radixfmt.topologies.structured import exponent, regular, repeated, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network


@topology("hypercube", example={"neurons": 16})
def hypercube(*, neurons: int, layers: int | None = None) -> Network:
    """Return layers that join each corner of a hypercube to itself and to its neighbours.

    Corners are neighbours if their numbers differ in one bit. No paper with a definition was at
    hand; every layer alike, and each neuron joined to itself too, is our reading.

    Args:
        neurons: of every layer, 2^d; each has d + 1 inputs.
        layers: how many; by default d, the least that joins every input to every output.

    Raises:
        ParameterError: `neurons` is no power of 2 from 2, or a layer is too large (code "limit").
    """
    neurons = whole("neurons", neurons)
    dimensions = exponent("neurons", neurons, 2)
    flips = np.array([0, *(2**k for k in range(dimensions))], np.int64)

    def rows(outputs: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.sort(outputs[:, None] ^ flips, axis=1)

    layer = regular((neurons, neurons), dimensions + 1, rows)
    return repeated([layer], dimensions if layers is None else layers)
