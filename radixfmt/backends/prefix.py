"""The first layers of a chain, run one by one in float64, to find where values still differ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from radixfmt.backends.parity import weakness
from radixfmt.backends.scipy import reference
from radixfmt.model.graph import Value, topological_order
from radixfmt.model.network import LazyLayers, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.graph import Node

LONGEST = 12
"""Layers at most."""


def telling_prefix(network: Network, x: Any) -> tuple[Network, NDArray[Any]] | None:
    """Return the longest prefix whose outputs can show an error, and its float64 outputs.

    Args:
        network: that the float64 reference runs.
        x: samples `[B, n_in]`.

    Returns:
        None for a network that is no chain, or of which no prefix tells more than the whole.
    """
    stages = _stages(network)
    best, wanted = 0, x
    outputs = x
    for i, stage in enumerate(stages[:LONGEST]):
        outputs = reference(_part(network, stage), outputs)
        if weakness(outputs) is None:
            best, wanted = i + 1, outputs
    if not best:
        return None
    return _part(network, [node for stage in stages[:best] for node in stage]), wanted


def _stages(network: Network) -> list[list[Node]]:
    """Return the nodes, each layer's with what follows it; none for a network that is no chain."""
    nodes = [network.graph[i] for i in topological_order(network.graph) or ()]
    stages: list[list[Node]] = [[]]
    last = network.inputs[0].name
    for node in nodes:
        if node.inputs[0] != last:
            return []
        last = node.outputs[0]
        if node.layer is not None and any(before.layer is not None for before in stages[-1]):
            stages.append([])
        stages[-1].append(node)
    return stages if any(node.layer is not None for node in stages[0]) else []


def _part(network: Network, nodes: Sequence[Node]) -> Network:
    """Return these consecutive nodes of a chain as a network."""
    used = list(dict.fromkeys(node.layer for node in nodes if node.layer is not None))
    headers = [network.headers[i] for i in used]
    graph = [
        node if node.layer is None else replace(node, layer=used.index(node.layer))
        for node in nodes
    ]
    kind = network.inputs[0].dtype
    layers = network.layers
    return Network(
        LazyLayers(headers, lambda i: layers[used[i]]),
        tuple(graph),
        (Value(nodes[0].inputs[0], ("B", headers[0][1][0]), kind),),
        (Value(nodes[-1].outputs[0], ("B", headers[-1][1][1]), kind),),
        network.tensors,
        network.metadata,
    )
