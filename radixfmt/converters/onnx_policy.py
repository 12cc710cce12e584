"""What an ONNX model may be to become a network: one graph of plain operators of ai.onnx.

Functions inside the model are allowed, since they can be written out; nothing that runs a graph
inside a node, and nothing that another domain defines.
"""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from radixfmt.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

STANDARD = ("", "ai.onnx")
"""How models spell the standard domain."""

CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})

TENSOR_ATTRIBUTES = frozenset({"Constant", "ConstantOfShape"})
"""Operators whose attribute may be a tensor."""

MOST_NODES = 1 << 17
"""Nodes of the graph, functions written out; the format's manifest holds no more."""

MOST_ATTRIBUTES = 64
MOST_ELEMENTS = 1 << 12
"""Attributes of a node, and elements of one of them."""

Key = tuple[str, str, str]
"""Domain, name and overload of a function."""


def check_policy(model: onnx.ModelProto, *, file: str) -> None:
    """Refuse a model that cannot become a network.

    Raises:
        UnsupportedError: control flow, an operator of another domain, or too many nodes.
        InputError: an empty graph, functions that call each other in a circle, or attributes that
            cannot be.
    """
    functions = {_key(function): function for function in model.functions}
    for function in functions.values():
        if function.domain in STANDARD:
            raise UnsupportedError(
                f"{file}: function {function.name!r} would redefine an operator of ai.onnx"
            )
    for where, nodes in [
        ("graph", model.graph.node),
        *((f"function {f.name!r}", f.node) for f in functions.values()),
    ]:
        for i, node in enumerate(nodes):
            _check_node(node, f"{file}: {where}, {label(i, node)}", functions, where == "graph")
    if not model.graph.node:
        raise InputError(f"{file}: expected a graph that computes something, got one without nodes")
    nodes_in_all = _expanded(model.graph.node, functions, file)
    if nodes_in_all > MOST_NODES:
        raise UnsupportedError(
            f"{file}: {nodes_in_all} nodes, functions written out; at most {MOST_NODES} are read"
        )


def opset_of(model: onnx.ModelProto, *, file: str) -> int:
    """Return the version of ai.onnx that a model asks for.

    Raises:
        InputError: it names none, or several.
    """
    found = {opset.version for opset in model.opset_import if opset.domain in STANDARD}
    if len(found) != 1:
        raise InputError(
            f"{file}: expected one opset import of ai.onnx, got {sorted(found) or 'none'}"
        )
    return int(found.pop())


def label(i: int, node: onnx.NodeProto) -> str:
    """Return how messages name the i-th node."""
    named = f" {node.name!r:.120}" if node.name else ""
    return f"node {i}{named} ({node.op_type[:64]})"


def _key(item: onnx.FunctionProto | onnx.NodeProto) -> Key:
    name = item.op_type if hasattr(item, "op_type") else item.name
    return (item.domain, name, item.overload)


def _check_node(
    node: onnx.NodeProto,
    where: str,
    functions: Mapping[Key, onnx.FunctionProto],
    in_graph: bool,
) -> None:
    """Refuse a node of another domain, or one with attributes that no plain operator has."""
    if node.domain not in STANDARD and _key(node) not in functions:
        hint = None
        if node.domain.startswith("ai.onnx.ml"):
            hint = "export the estimator's numeric part alone; a classifier's labels are no tensor"
        raise UnsupportedError(
            f"{where}: an operator of domain {node.domain!r:.120}; expected one of ai.onnx",
            hint=hint,
        )
    if node.op_type in CONTROL_FLOW and node.domain in STANDARD:
        raise _control_flow(where)
    names = [attribute.name for attribute in node.attribute]
    if len(names) > MOST_ATTRIBUTES or len(set(names)) < len(names):
        raise InputError(
            f"{where}: expected at most {MOST_ATTRIBUTES} attributes, each once, got {len(names)}"
        )
    for attribute in node.attribute:
        kind = attribute.type
        place = f"{where}: attribute {attribute.name!r:.60}"
        if attribute.HasField("g") or len(attribute.graphs):
            raise _control_flow(place)
        tensors = attribute.TENSOR, attribute.SPARSE_TENSOR
        plain = (
            attribute.FLOAT, attribute.INT, attribute.STRING,
            attribute.FLOATS, attribute.INTS, attribute.STRINGS,
        )  # fmt: skip
        if kind not in plain and not (kind in tensors and node.op_type in TENSOR_ATTRIBUTES):
            raise UnsupportedError(
                f"{place}: expected numbers or text, got {attribute.AttributeType.Name(kind)}"
            )
        if attribute.ref_attr_name and in_graph:
            raise InputError(f"{place}: refers to a function's attribute, outside of any function")
        longest = max(len(attribute.ints), len(attribute.floats), len(attribute.strings))
        if longest > MOST_ELEMENTS and node.op_type not in TENSOR_ATTRIBUTES:
            raise InputError(f"{place}: expected at most {MOST_ELEMENTS} elements, got {longest}")


def _control_flow(where: str) -> UnsupportedError:
    return UnsupportedError(
        f"{where}: runs a graph inside a node; the format has no control flow",
        hint="export the model with the branch taken or the loop unrolled "
        "(onnxsim or torch.export with fixed arguments does so)",
    )


def _expanded(
    nodes: Sequence[onnx.NodeProto], functions: Mapping[Key, onnx.FunctionProto], file: str
) -> int:
    """Return how many nodes the graph has once functions are written out."""
    calls = {key: Counter(_key(node) for node in f.node) for key, f in functions.items()}
    try:
        order = list(
            TopologicalSorter(
                {key: [c for c in called if c in functions] for key, called in calls.items()}
            ).static_order()
        )
    except CycleError:
        raise InputError(f"{file}: functions call each other in a circle") from None
    sizes: dict[Key, int] = {}
    for key in order:
        sizes[key] = sum(sizes.get(called, 1) * n for called, n in calls[key].items())
    return sum(sizes.get(_key(node), 1) for node in nodes)
