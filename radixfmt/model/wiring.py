"""What can be wrong with a graph (spec §5): producers, cycles, unused parts, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.model.graph import SPARSE_OPS, Node, Value, topological_order
from radixfmt.model.sizes import size_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from radixfmt.model.layer import ConvGeometry

Header = tuple[str, tuple[int, int]]
"""(kind, shape) of a layer."""

WHERE = "/manifest"


def problems(
    nodes: Sequence[Node],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    tensors: Collection[str],
    layers: Sequence[Header],
    *,
    geometries: Mapping[int, ConvGeometry] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Iterator[Finding]:
    """Yield what is wrong with the wiring, and what is worth knowing about it (severity "info").

    Args:
        nodes: in any order; a cycle is found as well as a missing producer.
        inputs: graph inputs.
        outputs: graph outputs.
        tensors: names of the dense tensors.
        layers: (kind, shape) of each layer.
        geometries: of conv layers, by layer index; sizes behind others are not followed.
        shapes: of dense tensors, by name; sizes behind others are not followed.
    """
    for i, node in enumerate(nodes):
        yield from _layer_problems(f"/graph/nodes/{i}", node, layers)
    yield from _use_problems(nodes, layers)
    broken = list(_name_problems(nodes, inputs, outputs, tensors))
    yield from broken
    if broken:
        return  # order and sizes mean nothing while names do not resolve
    order = topological_order(nodes)
    if order is None:
        yield Finding("RX6001", "the graph has a cycle", WHERE, pointer="/graph/nodes")
        return
    yield from _reach_problems(nodes, inputs, outputs)
    yield from size_problems(
        ((i, nodes[i]) for i in order),
        inputs,
        outputs,
        layers,
        geometries=geometries or {},
        tensors=shapes or {},
    )


def profile_problems(
    profile: str, nodes: Sequence[Node], inputs: Sequence[Value], outputs: Sequence[Value]
) -> Iterator[Finding]:
    """Yield where a graph breaks what `profile` promises (RX6009); only `chain` promises anything.

    A chain has one input, one output, and nodes in one line: the first input of each is the first
    output of the one before, and it takes nothing else that a node or an input makes.
    """
    order = topological_order(nodes)
    if profile != "chain" or order is None:  # a cycle is a finding of its own
        return
    for what, values in (("inputs", inputs), ("outputs", outputs)):
        if len(values) != 1:
            yield _no_chain(f"/graph/{what}", f"one of the {what}", str(len(values)))
            return
    made = {inputs[0].name} | {name for node in nodes for name in node.outputs if name}
    last = inputs[0].name
    for i in order:
        node = nodes[i]
        pointer = f"/graph/nodes/{i}"
        if node.inputs[:1] != (last,):
            yield _no_chain(f"{pointer}/inputs/0", repr(last), repr(node.inputs[:1])[:80])
            return
        if skips := [name for name in node.inputs[1:] if name in made]:
            yield _no_chain(f"{pointer}/inputs", "no other tensor of the graph", repr(skips[0]))
            return
        last = node.outputs[0] if node.outputs else ""
    if last != outputs[0].name:
        yield _no_chain("/graph/outputs/0", repr(last), repr(outputs[0].name))


def _no_chain(pointer: str, expected: str, actual: str) -> Finding:
    return Finding(
        "RX6009",
        "the graph is not the chain that its profile promises",
        WHERE,
        pointer=pointer,
        expected=expected,
        actual=actual,
    )


def _use_problems(nodes: Sequence[Node], layers: Sequence[Header]) -> Iterator[Finding]:
    """Yield layers that no node uses, and those that several share."""
    uses = [0] * len(layers)
    for node in nodes:
        if node.layer is not None and 0 <= node.layer < len(layers):
            uses[node.layer] += 1
    if unused := uses.count(0):
        yield Finding(
            "RX6006", "a layer is used by no node", f"/layers/{uses.index(0):06d}", count=unused
        )
    for i, count in enumerate(uses):
        if count > 1:
            yield Finding("RX6010", f"{count} nodes share this layer", f"/layers/{i:06d}")


def _layer_problems(pointer: str, node: Node, layers: Sequence[Header]) -> Iterator[Finding]:
    """Yield what is wrong with the layer a node names."""
    used = [len([name for name in names if name]) for names in (node.inputs, node.outputs)]
    sparse = node.op in SPARSE_OPS
    if not node.outputs or (sparse and (used != [1, 1] or len(node.inputs + node.outputs) != 2)):
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
        if not name:
            yield Finding("RX6003", "an input without a name", WHERE, pointer=pointer)
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
    made_by = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
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
