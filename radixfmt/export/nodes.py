"""Nodes of a network as ONNX writes them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.model.graph import Node

OPSET = 21
IR_VERSION = 10

ELEMENT_ATTRIBUTES = frozenset({"dtype", "output_datatype", "to"})
"""Attributes that say of what type the elements are that a node makes."""

FLOAT, FLOAT16, DOUBLE, BFLOAT16 = 1, 10, 11, 16
"""ONNX's numbers of element types (TensorProto.DataType)."""

WIDENED: Mapping[int, int] = MappingProxyType({BFLOAT16: FLOAT})
"""What the elements of a model are in place of others: see `accepts.element_type`."""


def node_proto(
    i: int,
    node: Node,
    inputs: Sequence[str],
    outputs: Sequence[str],
    elements: Mapping[int, int] = WIDENED,
) -> onnx.NodeProto:
    """Return `node`, the i-th, as ONNX writes it, attributes in the types its operator asks for.

    Args:
        i: place of the node, for messages and its name.
        node: of an ONNX operator.
        inputs: names in place of its own.
        outputs: likewise.
        elements: ONNX element types that stand for others where a node makes elements of a type.

    Raises:
        UnsupportedError: an operator or attribute that opset 21 does not have, or one with
            subgraphs.
    """
    import onnx
    from onnx import helper

    known = _schema(i, node).attributes
    proto = helper.make_node(node.op, inputs, outputs, f"{node.op.lower()}{i}")
    for name, given in node.attributes.items():
        value: Any = given
        if name in ELEMENT_ATTRIBUTES and isinstance(given, int):
            value = elements.get(given, given)
        if name not in known:
            raise UnsupportedError(
                f"node {i}: {node.op} has no attribute {name!r}; expected one of "
                f"{', '.join(known) or 'none'}"
            )
        kind = int(known[name].type.value)
        try:
            if kind == onnx.AttributeProto.FLOAT and isinstance(value, int):
                value = float(value)  # a network may be built with 1 where ONNX wants 1.0
            elif kind == onnx.AttributeProto.FLOATS and isinstance(value, tuple):
                value = tuple(map(float, value))
            proto.attribute.append(helper.make_attribute(name, value, attr_type=kind))
        except (TypeError, ValueError, ArithmeticError, AssertionError) as error:
            raise UnsupportedError(
                f"node {i}: {node.op}, attribute {name!r}: "
                f"{str(error) or f'{value!r} is of another type'}"
            ) from None
    return proto


def _schema(i: int, node: Node) -> Any:
    """Return what ONNX knows of the node's operator."""
    from onnx import defs

    wanted = f"node {i}: expected an operator of opset {OPSET} without subgraphs, got {node.op!r}"
    try:
        schema = defs.get_schema(node.op, OPSET)
    except defs.SchemaError:
        raise UnsupportedError(wanted) from None
    if schema.deprecated:
        raise UnsupportedError(f"{wanted}, which is no longer one")
    if any("GRAPH" in attribute.type.name for attribute in schema.attributes.values()):
        raise UnsupportedError(wanted, hint="control flow has no place in the format")
    return schema
