"""Clos networks: three stages of small full switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.topologies import topology
from radixfmt.topologies.block_diagonal import block_diagonal_columns
from radixfmt.topologies.structured import digit_exchange, network, whole

if TYPE_CHECKING:
    from radixfmt.model.network import Network


@topology("clos", example={"m": 3, "n": 2, "r": 4})
def clos(*, m: int, n: int, r: int) -> Network:
    """Return the three layers of a Clos network; m paths join each input to each output.

    r ingress switches of n inputs and m outputs, m middle switches of r inputs and r outputs, r
    egress switches of m inputs and n outputs; every switch joins all its inputs to all its
    outputs. ClosNets (arXiv 1802.03885) puts such a cascade in place of a dense layer; only its
    abstract was at hand, so the parameters are those of Clos (1953) and the reading is ours.
    Hidden neurons, the links between the stages, are numbered switch·m + middle switch.

    Args:
        m: middle switches, the number of paths.
        n: inputs of each ingress switch and outputs of each egress switch.
        r: ingress switches, and egress switches; the network has n·r inputs and outputs.

    Raises:
        ParameterError: one of them is below 1, or a layer is too large (code "limit").
    """
    m, n, r = whole("m", m), whole("n", n), whole("r", r)
    return network(
        [
            block_diagonal_columns((n * r, m * r), r),
            digit_exchange(m * r, m, r),
            block_diagonal_columns((m * r, n * r), r),
        ]
    )
