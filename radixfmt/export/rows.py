"""Whether the rows of a network's batch are independent, so that a batch may be cut into tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.shapes import rank
from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.model.graph import Node
    from radixfmt.model.network import Network

BY_ROW = ELEMENTWISE | {
    "AveragePool", "BatchNormalization", "Cast", "Conv", "ConvTranspose", "GlobalAveragePool",
    "GlobalLpPool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN",
    "LpPool", "MaxPool",
}  # fmt: skip
"""Operators that treat each entry of their first input's first axis alone."""

BROADCAST = frozenset({"Add", "Div", "Mul", "Sub"})


def independent(
    network: Network, nodes: Sequence[Node], types: Mapping[str, onnx.TypeProto]
) -> bool:
    """Return whether this is certain: each output's rows are made of the input's rows, one by one.

    Args:
        network: any network.
        nodes: its graph, producers first.
        types: of its tensors, as far as they are known.
    """
    if len(network.inputs) != 1 or not network.inputs[0].shape:
        return False
    rows = {network.inputs[0].name}
    for node in nodes:
        given = [name for name in node.inputs if name in rows]
        if not given:
            continue
        others = [name for name in node.inputs if name and name not in rows]
        ranks = {rank(types.get(name)) for name in given}
        if node.layer is not None:
            fits = node.op == "SparseConv" or ranks.isdisjoint({None, 1})
        elif node.op in BY_ROW or (node.op == "Flatten" and node.attributes.get("axis", 1) == 1):
            fits = given == list(node.inputs[:1])
        else:
            fits = node.op in BROADCAST and len(ranks) == 1 and None not in ranks
            fits = fits and all(
                _reaches(network, name) < max(r or 0 for r in ranks) for name in others
            )
        if not fits:
            return False
        rows.update(name for name in node.outputs if name)
    return all(value.name in rows for value in network.outputs)


def _reaches(network: Network, name: str) -> float:
    """Return how many axes a dense tensor has, less those of size 1 that lead; inf for others."""
    if name not in network.tensors:
        return np.inf
    shape = np.shape(network.tensors[name])
    return max((len(shape) - i for i, size in enumerate(shape) if size != 1), default=0)
