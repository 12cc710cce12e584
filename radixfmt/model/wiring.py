"""What can be wrong with a graph (spec §5): producers, cycles, unused parts, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.model.graph import ELEMENTWISE, SPARSE_OPS, Node, Value, topological_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

Header = tuple[str, tuple[int, int]]
"""(kind, shape) of a layer."""

WHERE = "/manifest"


def problems(
    nodes: Sequence[Node],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    tensors: Collection[str],
    layers: Sequence[Header],
) -> Iterator[Finding]:
    """Yield what is wrong with the wiring.

    Args:
        nodes: in any order; a cycle is found as well as a missing producer.
        inputs: graph inputs.
        outputs: graph outputs.
        tensors: names of the dense tensors.
        layers: (kind, shape) of each layer.
    """
    for i, node in enumerate(nodes):
        yield from _layer_problems(f"/graph/nodes/{i}", node, layers)
    unused = set(range(len(layers))) - {node.layer for node in nodes}
    if unused:
        yield Finding(
            "RX6006",
            "a layer is used by no node",
            f"/layers/{min(unused):06d}",
            count=len(unused),
        )
    broken = list(_name_problems(nodes, inputs, outputs, tensors))
    yield from broken
    if broken:
        return  # order and sizes mean nothing while names do not resolve
    order = topological_order(nodes)
    if order is None:
        yield Finding("RX6001", "the graph has a cycle", WHERE, pointer="/graph/nodes")
        return
    yield from _reach_problems(nodes, inputs, outputs)
    yield from _size_problems([(i, nodes[i]) for i in order], inputs, outputs, layers)


def _layer_problems(pointer: str, node: Node, layers: Sequence[Header]) -> Iterator[Finding]:
    """Yield what is wrong with the layer a node names."""
    if not node.outputs or (node.op in SPARSE_OPS and len(node.inputs) * len(node.outputs) != 1):
        yield Finding(
            "RX6008",
            "wrong number of tensors",
            WHERE,
            pointer=pointer,
            expected="at least one output; one input and one output for a sparse operator",
            actual=f"{len(node.inputs)} inputs, {len(node.outputs)} outputs",
        )
    if (node.op in SPARSE_OPS) != (node.layer is not None):
        yield Finding(
            "RX6008",
            "a sparse operator, and no other, names a layer",
            WHERE,
            pointer=f"{pointer}/layer",
            expected="a layer index" if node.op in SPARSE_OPS else "none",
            actual=str(node.layer),
        )
    elif node.layer is not None and not 0 <= node.layer < len(layers):
        yield Finding(
            "RX6003",
            "the node names a layer that is not there",
            WHERE,
            pointer=f"{pointer}/layer",
            expected=f"0 <= layer < {len(layers)}",
            actual=str(node.layer),
        )
    elif node.layer is not None and layers[node.layer][0] != SPARSE_OPS[node.op]:
        yield Finding(
            "RX6008",
            "the operator does not fit the layer's kind",
            WHERE,
            pointer=f"{pointer}/op",
            expected=f"the operator for {layers[node.layer][0]!r}",
            actual=node.op,
        )


def _name_problems(
    nodes: Sequence[Node],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    tensors: Collection[str],
) -> Iterator[Finding]:
    """Yield tensors made twice, never, or nowhere."""
    made: set[str] = set(tensors)
    makers = [(value.name, f"/graph/inputs/{i}") for i, value in enumerate(inputs)]
    makers += [
        (name, f"/graph/nodes/{i}") for i, node in enumerate(nodes) for name in node.outputs if name
    ]
    for name, pointer in makers:
        if name in made:
            yield Finding("RX6004", f"tensor {name!r} is assigned twice", WHERE, pointer=pointer)
        made.add(name)
    readers = [
        (name, f"/graph/nodes/{i}") for i, node in enumerate(nodes) for name in node.inputs if name
    ]
    readers += [(value.name, f"/graph/outputs/{i}") for i, value in enumerate(outputs)]
    for name, pointer in readers:
        if name not in made:
            yield Finding(
                "RX6003", f"tensor {name!r} is used and never made", WHERE, pointer=pointer
            )


def _reach_problems(
    nodes: Sequence[Node], inputs: Sequence[Value], outputs: Sequence[Value]
) -> Iterator[Finding]:
    """Yield nodes and inputs that no output depends on."""
    made_by = {name: i for i, node in enumerate(nodes) for name in node.outputs}
    needed: set[int] = set()
    stack = [made_by[value.name] for value in outputs if value.name in made_by]
    while stack:
        i = stack.pop()
        if i not in needed:
            needed.add(i)
            stack += [made_by[name] for name in nodes[i].inputs if name in made_by]
    idle = set(range(len(nodes))) - needed
    if idle:
        yield Finding(
            "RX6007",
            "no output depends on this node",
            WHERE,
            pointer=f"/graph/nodes/{min(idle)}",
            count=len(idle),
        )
    read = {name for i in needed for name in nodes[i].inputs} | {value.name for value in outputs}
    for i, value in enumerate(inputs):
        if value.name not in read:
            yield Finding(
                "RX6007",
                f"no output depends on input {value.name!r}",
                WHERE,
                pointer=f"/graph/inputs/{i}",
            )


def _size_problems(
    nodes: Sequence[tuple[int, Node]],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    layers: Sequence[Header],
) -> Iterator[Finding]:
    """Follow the size of the last axis where operators keep or set it; elsewhere it is unknown."""
    width: dict[str, int | str | None] = {v.name: v.shape[-1] if v.shape else None for v in inputs}
    for i, node in nodes:
        found = width.get(node.inputs[0]) if node.inputs else None
        if node.op == "SparseLinear" and node.layer is not None and node.layer < len(layers):
            n_in, n_out = layers[node.layer][1]
            if isinstance(found, int) and found != n_in:
                yield _size_finding(f"/graph/nodes/{i}", f"layer {node.layer}", n_in, found)
            width |= dict.fromkeys(node.outputs, n_out)
        elif node.op in ELEMENTWISE:
            width |= dict.fromkeys(node.outputs, found)
    for i, value in enumerate(outputs):
        found, declared = width.get(value.name), value.shape[-1] if value.shape else None
        if isinstance(found, int) and isinstance(declared, int) and found != declared:
            yield _size_finding(f"/graph/outputs/{i}", f"output {value.name!r}", declared, found)


def _size_finding(pointer: str, what: str, expected: int, actual: int) -> Finding:
    return Finding(
        "RX6005",
        f"sizes do not meet at {what}",
        WHERE,
        pointer=pointer,
        expected=f"{expected} values",
        actual=str(actual),
    )
