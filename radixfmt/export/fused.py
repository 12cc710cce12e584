"""Layers that a compiled operator makes in one pass, with the bounds (Relu, Clip) after each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from radixfmt.native.nodes import convolution, linear, stack
from radixfmt.native.packed import pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from radixfmt.export.graph import GraphBuilder
    from radixfmt.export.planner import Plan
    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


class Bounded(NamedTuple):
    """A layer, by index, and the least and greatest value of its outputs."""

    layer: int
    low: float = -np.inf
    high: float = np.inf


class Pass(NamedTuple):
    """Layers of which each reads what the one before makes, and nothing else does.

    Attributes:
        nodes: of the network's graph that it stands for, the first layer's first.
        members: its layers.
        source: tensor that is read.
        result: tensor that is made.
    """

    nodes: tuple[int, ...]
    members: tuple[Bounded, ...]
    source: str
    result: str


def passes(network: Network, nodes: Sequence[Node], members: Mapping[int, bool]) -> list[Pass]:
    """Return the longest passes.

    Args:
        network: any network.
        nodes: its graph, producers first.
        members: nodes, by index, that are layers to take part: whether with other layers.
    """
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update(value.name for value in network.outputs)
    reader = {node.inputs[0]: i for i, node in enumerate(nodes) if node.inputs}
    found: list[Pass] = []
    taken: set[int] = set()
    for first in range(len(nodes)):
        if first not in members or first in taken:
            continue
        covered: list[int] = []
        layers: list[Bounded] = []
        i: int | None = first
        while i is not None:
            node = nodes[i]
            if i == first or (members.get(i) and members[first]):
                assert node.layer is not None  # noqa: S101  members are layers
                layers.append(Bounded(node.layer))
            else:
                bounds = _bounds(node, network.tensors)
                if bounds is None:
                    break
                layers[-1] = _within(layers[-1], *bounds)
            covered.append(i)
            result = node.outputs[0]
            # a tensor that something else reads as well has to be made
            i = reader.get(result) if uses[result] == 1 else None
        taken.update(covered)
        found.append(Pass(tuple(covered), tuple(layers), nodes[first].inputs[0], result))
    return found


def longest(found: Sequence[Pass]) -> Pass | None:
    """Return the pass to be made by one operator, of which a model can hold one; None for none."""
    several = [one for one in found if len(one.members) > 1]
    return max(several, key=lambda one: len(one.members), default=None)


def emit(
    graph: GraphBuilder,
    found: Pass,
    layers: Sequence[Layer],
    plans: Sequence[Plan],
    x: str,
    *,
    stacked: bool,
) -> str:
    """Add one node for all layers, or one for each, and return the name of the result.

    Args:
        graph: takes nodes and constants.
        found: to be made.
        layers: of the network.
        plans: theirs.
        x: batch-major tensor that the first one reads.
        stacked: whether to make one node; weights of several types cannot be in one.
    """
    packed = [
        pack(layers[i], plans[i].estimate.form, low=low, high=high)
        for i, low, high in found.members
    ]
    names = [layers[member.layer].name for member in found.members]
    if stacked and len({layer.weights.dtype for layer in packed}) == 1:
        scope = f"{names[0]}..{names[-1]}"
        name = graph.unique(f"{scope}/stack")
        graph.call(stack(packed, x, name, scope, allow_dense=True), packed)
        return name
    for member, layer, wanted in zip(found.members, packed, names, strict=True):
        geometry = layers[member.layer].geometry
        if geometry is None:
            name = graph.unique(f"{wanted}/linear")
            made = linear(layer, x, name, wanted, allow_dense=True)
        else:
            name = graph.unique(f"{wanted}/conv")
            made = convolution(layer, geometry, x, name, wanted, allow_dense=True)
        graph.call(made, [layer])
        x = name
    return x


def _bounds(node: Node, tensors: Mapping[str, object]) -> tuple[float, float] | None:
    """Return the bounds that a node puts on its input, None if it does more or less than that."""
    if node.op == "Relu":
        return 0.0, np.inf
    if node.op != "Clip":
        return None
    found = [-np.inf, np.inf]
    for i, name in enumerate(node.inputs[1:3]):
        if name and name not in tensors:
            return None
        if name:
            given = np.asarray(tensors[name], np.float64).reshape(-1)
            found[i] = given[0] if given.size == 1 else np.nan
    low, high = found
    return (float(low), float(high)) if low <= high else None


def _within(member: Bounded, low: float, high: float) -> Bounded:
    """Return a layer whose bounded outputs are bounded once more."""
    return member._replace(
        low=min(max(member.low, low), high), high=min(max(member.high, low), high)
    )
