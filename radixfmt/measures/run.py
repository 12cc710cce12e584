"""The layers of a chain in the order in which they are applied: what path measures follow.

Paths run along edges. Between two layers only operators that keep every neuron in its place are
passed (activations, normalisations, a constant added); what those mix is not counted. What stands
before the first layer or behind the last one does not matter: a path goes from an input neuron of
the first layer to an output neuron of the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.model.graph import topological_order
from radixfmt.model.sizes import BROADCAST, KEEP_SHAPE

if TYPE_CHECKING:
    from radixfmt.model.graph import Node
    from radixfmt.model.network import Network

PASSED = KEEP_SHAPE | BROADCAST | {"Flatten"}
"""Operators of one moving operand that leave n neurons where they are, if there are n after it."""

INSTEAD = "measures of single layers work for every graph: degree, density, size"


def layer_run(network: Network, start: int = 0, stop: int | None = None) -> tuple[int, ...]:
    """Return the indices of layers [start, stop) of a chain, in the order of application.

    A layer that is applied twice stands twice.

    Raises:
        ParameterError: the range does not lie in the chain, or is empty.
        UnsupportedError: the graph is no chain of linear layers; the message names the node.
    """
    run = _chain(network)
    return tuple(run[i] for i in check_span(start, stop, len(run)))


def check_span(start: int, stop: int | None, count: int) -> range:
    """Return the places [start, stop) among `count` layers; `stop` None is the end.

    Raises:
        ParameterError: the range does not lie among them, or is empty.
    """
    last = count if stop is None else stop
    if type(start) is not int or type(last) is not int or not 0 <= start < last <= count:
        raise ParameterError(
            f"start and stop: expected 0 <= start < stop <= {count}, got {start} and {last}",
            hint=f"there are {count} layers, counted from 0; stop is not included",
        )
    return range(start, last)


def _chain(network: Network) -> list[int]:
    run: list[int] = []
    behind = {value.name: -1 for value in network.inputs}
    """How many layers, less one, a tensor has passed."""
    moved: dict[str, int] = {}
    """Tensors whose neurons a node may have moved, and that node."""
    for i in topological_order(network.graph) or ():
        node = network.graph[i]
        operands = [name for name in node.inputs if name in behind]
        if not operands:
            continue  # makes constants from constants
        place = max(behind[name] for name in operands)
        culprit = next((moved[name] for name in operands if name in moved), None)
        if node.layer is not None:
            _check_layer(network, i, run, place, culprit)
            run.append(node.layer)
            place, culprit = len(run) - 1, None
        elif place >= 0:
            if len(operands) > 1:
                raise _refused(i, node, "it joins two branches")
            if node.op not in PASSED:
                culprit = i
        for name in filter(None, node.outputs):
            behind[name] = place
            if culprit is not None:
                moved[name] = culprit
    early = [value.name for value in network.outputs if behind.get(value.name) != len(run) - 1]
    if early or not run:
        what = f"output {early[0]!r} leaves before the last layer" if early else "it has no layer"
        raise UnsupportedError(f"the graph is no chain of layers: {what}", hint=INSTEAD)
    return run


def _check_layer(network: Network, i: int, run: list[int], place: int, culprit: int | None) -> None:
    """Raise UnsupportedError unless node `i` applies a linear layer to what the last one made."""
    node = network.graph[i]
    assert node.layer is not None  # noqa: S101  the caller has asked
    kind, (n_in, _) = network.headers[node.layer]
    if kind != "linear":
        raise _refused(i, node, "its edges repeat over the places of an image")
    if place != len(run) - 1:
        raise _refused(i, node, "it takes the output of an earlier layer than the last one applied")
    if not run:
        return
    if culprit is not None:
        raise _refused(
            culprit, network.graph[culprit], "between two layers it may move or mix neurons"
        )
    before = network.headers[run[-1]][1][1]
    if before != n_in:
        raise _refused(i, node, f"expected {before} inputs from the layer before, got {n_in}")


def _refused(i: int, node: Node, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"/graph/nodes/{i} ({node.op}): paths are followed along a chain of linear layers only; "
        f"{why}",
        hint=INSTEAD,
    )
