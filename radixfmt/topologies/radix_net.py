"""RadiX-Nets: sparse layers in which every input reaches every output by equally many paths."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from radixfmt.generators.radix_net import radix_net_layer
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import integers, topology

if TYPE_CHECKING:
    from collections.abc import Sequence


@topology("radix-net", example={"systems": [[2, 3], [3, 2]], "widths": [1, 2, 2, 3, 1]})
def radix_net(
    *,
    systems: Sequence[Sequence[int]],
    widths: Sequence[int] = (),
    direction: int = -1,
) -> Network:
    """Return the RadiX-Net of these mixed-radix systems (Robinett & Kepner, arXiv 1905.00416).

    Args:
        systems: the radices of one mixed-radix system; all but the last have the same product n,
            and the last one's product divides n.
        widths: blocks of n neurons in each layer, one more than there are radices; by default
            one block everywhere.
        direction: sign of the cyclic shift: -1 as in the published Graph Challenge files, 1 as in
            the paper's text. The two are transposes of each other, layer by layer.
    """
    radices = [integers(f"system {i}", system) for i, system in enumerate(systems, start=1)]
    blocks = integers("widths", widths) or [1] * (sum(map(len, radices)) + 1)
    sign = integers("direction", [direction])[0]

    def make(i: int) -> Layer:
        rule = radix_net_layer(systems=radices, widths=blocks, direction=sign, index=i)
        return Layer(f"layer{i}", Pattern(rule))

    first = radix_net_layer(systems=radices, widths=blocks, direction=sign, index=0)
    sizes = [first.period * width for width in blocks]
    return chain(LazyLayers([("linear", shape) for shape in pairwise(sizes)], make))
