"""Runs: layers joined by nothing but elementwise operators, which may share one layout.

Inside a run tensors stay feature-major in any neuron order; a transpose is due only where the run
is entered and where a tensor leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.graph import Node
    from radixfmt.model.network import Network


@dataclass(slots=True)
class Run:
    """One run.

    Attributes:
        layers: indices of its layers.
        turns: widths of the tensors that are transposed if the run is feature-major.
    """

    layers: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)


def runs(network: Network, nodes: Sequence[Node], *, feature_major: bool) -> list[Run]:
    """Return the runs of a network.

    Args:
        network: any network.
        nodes: its graph, producers first.
        feature_major: whether the model's own inputs and outputs are feature-major, so that
            they need no transpose.
    """
    found: list[Run] = []
    run_of: dict[str, Run] = {}
    width: dict[str, int] = {}
    plain = {value.name for value in network.inputs} if feature_major else set()
    for node in nodes:
        source = node.inputs[0] if node.inputs else ""
        run = run_of.get(source)
        if node.layer is not None:
            n_in, n_out = network.headers[node.layer][1]
            if run is None:
                run = Run(turns=[] if source in plain else [n_in])
                found.append(run)
            run.layers.append(node.layer)
            run_of[node.outputs[0]] = run
            width[node.outputs[0]] = n_out
        elif node.op in ELEMENTWISE and run is not None:
            run_of[node.outputs[0]] = run
            width[node.outputs[0]] = width[source]
        elif node.op not in ELEMENTWISE:
            for name in set(node.inputs) & run_of.keys():
                run_of[name].turns.append(width[name])
    if not feature_major:
        for value in network.outputs:
            if value.name in run_of:
                run_of[value.name].turns.append(width[value.name])
    return found
