"""Runs: layers joined by nothing but elementwise operators, which may share one layout.

Inside a run tensors stay feature-major in any neuron order; a transpose is due only where the run
is entered and where a tensor leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

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


def runs(
    network: Network,
    nodes: Sequence[Node],
    apart: Container[int],
    deep: Container[str],
    *,
    feature_major: bool,
) -> list[Run]:
    """Return the runs of a network.

    Args:
        network: any network.
        nodes: its graph, producers first.
        apart: layers that take no part, since they cannot be feature-major.
        deep: tensors of rank above 2; a layer that reads one is a run of its own.
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
        if node.layer is not None and node.layer not in apart:
            n_in, n_out = network.headers[node.layer][1]
            if source in deep:
                found.append(Run([node.layer], [n_in, n_out]))
                continue
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
            _leave(set(node.inputs), run_of, width)
    if not feature_major:
        _leave((value.name for value in network.outputs), run_of, width)
    return found


def _leave(names: Iterable[str], run_of: Mapping[str, Run], width: Mapping[str, int]) -> None:
    """Count the transposes of tensors that are used outside their runs."""
    for name in names:
        if name in run_of:
            run_of[name].turns.append(width[name])
