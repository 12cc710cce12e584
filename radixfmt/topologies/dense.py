"""Dense networks: what sparse ones are compared with."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from radixfmt.generators.dense import dense_layer
from radixfmt.topologies import topology
from radixfmt.topologies.structured import network, wholes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.network import Network


@topology("dense", example={"widths": [6, 4, 3]})
def dense(*, widths: Sequence[int]) -> Network:
    """Return layers that join every input to every output; files keep the rule (`dense/1`).

    Args:
        widths: neurons of the input and of every layer after it.

    Raises:
        ParameterError: fewer than two widths, one below 1, or a layer beyond the format's limits
            (code "limit").
    """
    sizes = wholes("width", widths, entries=2)
    return network([dense_layer(inputs=a, outputs=b) for a, b in pairwise(sizes)])
