"""Low-rank networks: every dense layer through a bottleneck."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from radixfmt.generators.dense import dense_layer
from radixfmt.topologies import topology
from radixfmt.topologies.structured import network, whole, wholes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.network import Network


@topology("low-rank", example={"widths": [6, 4], "rank": 2})
def low_rank(*, widths: Sequence[int], rank: int) -> Network:
    """Return two dense layers, n_in → rank → n_out, for each pair of widths.

    The product of the two has at most this rank, and `rank` paths join each input to each output.
    The definition is common knowledge, not a paper's. An activation asked for follows both layers.
    Files keep the rule (`dense/1`).

    Args:
        widths: neurons of the input and of every layer after it, bottlenecks left out.
        rank: neurons of every bottleneck.

    Raises:
        ParameterError: fewer than two widths, a number below 1, or a layer beyond the format's
            limits (code "limit").
    """
    sizes = wholes("width", widths, entries=2)
    rank = whole("rank", rank)
    return network(
        [
            dense_layer(inputs=inputs, outputs=outputs)
            for pair in pairwise(sizes)
            for inputs, outputs in ((pair[0], rank), (rank, pair[1]))
        ]
    )
