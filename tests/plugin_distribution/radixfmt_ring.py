"""A third party's topology: each neuron joined to its two neighbours."""

from __future__ import annotations

import numpy as np

from radixfmt import Layer, Pattern, chain
from radixfmt.topologies import topology


@topology("ring", example={"neurons": 5})
def ring(*, neurons: int):
    """Return one layer in which each neuron is joined to its neighbours on a ring.

    Args:
        neurons: on the ring, at least 3.
    """
    here = np.arange(neurons)
    sides = np.sort(np.stack([(here - 1) % neurons, (here + 1) % neurons], axis=1), axis=1)
    pattern = Pattern.explicit((neurons, neurons), 2 * np.arange(neurons + 1), sides.ravel())
    return chain([Layer("ring", pattern)])
