"""Monarch matrices: block-diagonal factors with a transposition of the neurons between them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from radixfmt.topologies import topology
from radixfmt.topologies.structured import digit_exchange, network, wholes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.network import Network


@topology("monarch", example={"factors": [3, 4]})
def monarch(*, factors: Sequence[int]) -> Network:
    """Return the factors of a Monarch matrix; each input reaches each output by one path.

    For p, q the network has n = p·q neurons per layer. The first layer is q full blocks of p
    neurons; the second joins neurons that are equal modulo p, which is p full blocks of q neurons
    once the neurons, as an array of q rows, are transposed, and transposed back after (Dao et al.,
    arXiv 2204.00595; the places of the permutations as in the authors' code). More than two
    factors go on alike, one digit of a mixed-radix number per layer; that is our reading.

    Args:
        factors: block sizes p, q, …, each at least 2, the first layer's first.

    Raises:
        ParameterError: fewer than two factors, one below 2, or a layer that is too large (code
            "limit").
    """
    sizes = wholes("factor", factors, least=2, entries=2)
    neurons = prod(sizes)
    return network([digit_exchange(neurons, prod(sizes[:k]), size) for k, size in enumerate(sizes)])
