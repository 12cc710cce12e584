"""Element type and shape of every tensor of a network, as far as ONNX can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.export.accepts import element_type, native
from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.model.graph import Node
    from radixfmt.model.network import Network

OPSET = 21
IR_VERSION = 10


def tensor_types(
    network: Network, nodes: Sequence[Node], dtype: np.dtype[Any]
) -> dict[str, onnx.TypeProto]:
    """Return the ONNX type of each tensor by name; a tensor of unknown type is left out.

    Args:
        network: any network.
        nodes: its graph, producers first.
        dtype: what floating inputs are in the model.

    Raises:
        UnsupportedError: a node names no operator of opset 21, or a layer is fed other numbers
            than `dtype`.
    """
    from onnx import helper

    wanted = helper.np_dtype_to_tensor_dtype(dtype)
    types: dict[str, onnx.TypeProto] = {}
    for value in network.inputs:
        kind = element_type(value.name, value.dtype)
        element = helper.np_dtype_to_tensor_dtype(dtype if kind.kind == "f" else kind)
        types[value.name] = helper.make_tensor_type_proto(element, list(value.shape))
    for name, array in network.tensors.items():
        element = helper.np_dtype_to_tensor_dtype(native(array).dtype)
        types[name] = helper.make_tensor_type_proto(element, list(np.shape(array)))
    for i, node in enumerate(nodes):
        source = types.get(node.inputs[0]) if node.inputs else None
        if node.layer is not None:
            if source is not None and source.tensor_type.elem_type not in (0, wanted):
                got = helper.tensor_dtype_to_np_dtype(source.tensor_type.elem_type)
                raise UnsupportedError(
                    f"node {i}: SparseLinear reads {node.inputs[0]!r}: expected {dtype}, got {got}"
                )
            if source is not None and source.tensor_type.shape.dim:
                made = type(source)()
                made.CopyFrom(source)
                made.tensor_type.shape.dim[-1].dim_value = network.headers[node.layer][1][1]
                types[node.outputs[0]] = made
        elif node.op in ELEMENTWISE:
            if source is not None:
                types[node.outputs[0]] = source
        else:
            types |= _inferred(i, node, types, network.tensors)
    return types


def rank(kind: onnx.TypeProto | None) -> int | None:
    """Return the rank of a tensor of this type, None if it is not known."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    return len(kind.tensor_type.shape.dim)


def node_proto(i: int, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.NodeProto:
    """Return `node`, the i-th, as ONNX writes it, attributes in the types its operator asks for.

    Raises:
        UnsupportedError: an operator or attribute that opset 21 does not have.
    """
    import onnx
    from onnx import helper

    try:
        known = onnx.defs.get_schema(node.op, OPSET).attributes
    except onnx.defs.SchemaError:
        raise UnsupportedError(
            f"node {i}: expected an operator of opset {OPSET}, got {node.op!r}"
        ) from None
    proto = helper.make_node(node.op, inputs, outputs, f"{node.op.lower()}{i}")
    for name, given in node.attributes.items():
        value: Any = given
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


def _inferred(
    i: int,
    node: Node,
    types: Mapping[str, onnx.TypeProto],
    tensors: Mapping[str, Any],
) -> dict[str, onnx.TypeProto]:
    """Return the types of an ONNX node's outputs; nothing where they cannot be told."""
    import onnx
    from onnx import helper, numpy_helper

    proto = node_proto(i, node, node.inputs, node.outputs)
    if any(name and name not in types for name in node.inputs):
        return {}
    used = {name: numpy_helper.from_array(native(tensors[name]), name)
            for name in node.inputs if name in tensors}  # fmt: skip
    try:
        return dict(
            onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op, OPSET),
                proto,
                {name: types[name] for name in node.inputs if name},
                used,
                opset_imports=[helper.make_opsetid("", OPSET)],
                ir_version=IR_VERSION,
            )
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError):
        return {}  # the checker of the whole model will say it
