"""Tori: neurons on a grid whose sides wrap around, joined to the nearest ones."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.topologies import topology
from radixfmt.topologies.structured import check_edges, regular, repeated, wholes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network


@topology("torus", example={"sides": [3, 4]})
def torus(*, sides: Sequence[int], layers: int | None = None) -> Network:
    """Return layers that join each point of a torus to itself and to its neighbours.

    A point has two neighbours along every side, so 2d + 1 inputs. Along a side of 2 both
    neighbours are the same point, and along a side of 1 they are the point itself; an edge is
    there once. Neuron numbers count along the last side first, as in a C array. No paper with a
    definition was at hand; every layer alike, and each neuron joined to itself too, is our reading.

    Args:
        sides: of the torus; their product is the number of neurons.
        layers: how many; by default the least that joins every input to every output.

    Raises:
        ParameterError: no sides, one below 1, or a layer that is too large (code "limit").
    """
    lengths = [side for side in wholes("side", sides) if side > 1]
    neurons = prod(lengths)
    degree = 1 + sum(min(side - 1, 2) for side in lengths)
    check_edges((neurons, neurons), degree * neurons)
    steps = [prod(lengths[i + 1 :]) for i in range(len(lengths))]

    def rows(outputs: NDArray[np.int64]) -> NDArray[np.int64]:
        found = [outputs]
        for side, step in zip(lengths, steps, strict=True):
            place = outputs // step % side
            moves = (1, -1)[: side - 1]
            found += [outputs + ((place + move) % side - place) * step for move in moves]
        return np.sort(np.stack(found, axis=1), axis=1)

    diameter = max(1, sum(side // 2 for side in lengths))
    layer = regular((neurons, neurons), degree, rows)
    return repeated([layer], diameter if layers is None else layers)
