"""Element type and shape of every tensor of a network, as far as ONNX can tell."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.export.accepts import element_type, native
from radixfmt.export.nodes import IR_VERSION, OPSET, node_proto
from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.graph import Node
    from radixfmt.model.layer import ConvGeometry
    from radixfmt.model.network import Network

SMALL = 1024
"""Elements of a constant whose values may say what a shape is."""


def tensor_types(network: Network, nodes: Sequence[Node]) -> dict[str, onnx.TypeProto]:
    """Return the ONNX type of each tensor by name; a tensor of unknown type is left out.

    Args:
        network: any network.
        nodes: its graph, producers first.

    Raises:
        UnsupportedError: a node names no operator of opset 21, or a layer is fed what is no float.
    """
    from onnx import helper

    types: dict[str, onnx.TypeProto] = {}
    for value in network.inputs:
        kind = element_type(value.name, value.dtype)
        types[value.name] = helper.make_tensor_type_proto(
            helper.np_dtype_to_tensor_dtype(kind), list(value.shape)
        )
    for name, array in network.tensors.items():
        kind = element_type(name, np.asarray(array).dtype.name)
        types[name] = helper.make_tensor_type_proto(
            helper.np_dtype_to_tensor_dtype(kind), list(np.shape(array))
        )
    small = {
        name: native(array) for name, array in network.tensors.items() if np.size(array) <= SMALL
    }
    headers, geometries = network.headers, network.geometries
    for i, node in enumerate(nodes):
        source = types.get(node.inputs[0]) if node.inputs else None
        if node.layer is not None:
            if source is not None:
                _check_floats(i, node, source)
                types[node.outputs[0]] = _applied(
                    source, headers[node.layer][1], geometries.get(node.layer)
                )
        elif node.op in ELEMENTWISE:
            if source is not None:
                types[node.outputs[0]] = source
        else:
            proto = node_proto(i, node, node.inputs, node.outputs)
            types |= inferred(proto, types, small)
    return types


def float_of(kind: onnx.TypeProto | None) -> np.dtype[Any] | None:
    """Return the float type of a tensor's elements, None where it is not known or no float."""
    from onnx import helper

    if kind is None or not kind.tensor_type.elem_type:
        return None
    found = np.dtype(helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))
    return found if found.kind == "f" else None


def leading(kind: onnx.TypeProto) -> list[int] | None:
    """Return the sizes of all axes but the last, -1 for one that is open; None if more are."""
    dims = kind.tensor_type.shape.dim[:-1]
    sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims]
    return None if sizes.count(-1) > 1 or 0 in sizes else sizes


def conv_attributes(geometry: ConvGeometry) -> dict[str, Any]:
    """Return a convolution's geometry as attributes of ONNX's Conv."""
    names = ("kernel_shape", "strides", "pads", "dilations")
    return {name: list(getattr(geometry, name)) for name in names} | {"group": geometry.group}


def kernel_shape(sides: tuple[int, int], geometry: ConvGeometry) -> tuple[int, ...]:
    """Return the shape of Conv's weight, `[C_out, C_in / group, …]`, of a matrix of these sides."""
    return (sides[1], sides[0] // prod(geometry.kernel_shape), *geometry.kernel_shape)


def rank(kind: onnx.TypeProto | None) -> int | None:
    """Return the rank of a tensor of this type, None if it is not known."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    return len(kind.tensor_type.shape.dim)


def inferred(
    proto: onnx.NodeProto,
    types: Mapping[str, onnx.TypeProto],
    known: Mapping[str, NDArray[Any]],
) -> dict[str, onnx.TypeProto]:
    """Return the types of an ONNX node's outputs; nothing where they cannot be told.

    Args:
        proto: of opset 21.
        types: of its inputs.
        known: values of inputs, which may say what a shape is.
    """
    import onnx
    from onnx import helper, numpy_helper

    names = [name for name in proto.input if name]
    if any(name not in types for name in names):
        return {}
    try:
        return dict(
            onnx.shape_inference.infer_node_outputs(
                onnx.defs.get_schema(proto.op_type, OPSET),
                proto,
                {name: types[name] for name in names},
                {n: numpy_helper.from_array(known[n], n) for n in names if n in known},
                opset_imports=[helper.make_opsetid("", OPSET)],
                ir_version=IR_VERSION,
            )
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError):
        return {}  # the checker of the whole model will say it


def _check_floats(i: int, node: Node, source: onnx.TypeProto) -> None:
    from onnx import helper

    element = source.tensor_type.elem_type
    if element and float_of(source) is None:
        got = helper.tensor_dtype_to_np_dtype(element)
        raise UnsupportedError(
            f"node {i}: {node.op} reads {node.inputs[0]!r}: expected floats, got {got}",
            hint="put a Cast before it",
        )


def _applied(
    source: onnx.TypeProto, sides: tuple[int, int], geometry: ConvGeometry | None
) -> onnx.TypeProto:
    """Return the type of what a layer makes of a tensor."""
    from onnx import helper

    if geometry is not None:
        proto = helper.make_node("Conv", ["x", "w"], ["y"], **conv_attributes(geometry))
        shape = list(kernel_shape(sides, geometry))
        weight = helper.make_tensor_type_proto(source.tensor_type.elem_type, shape)
        found = inferred(proto, {"x": source, "w": weight}, {})
        return found.get("y") or helper.make_tensor_type_proto(source.tensor_type.elem_type, None)
    made = type(source)()
    made.CopyFrom(source)
    if made.tensor_type.shape.dim:
        made.tensor_type.shape.dim[-1].dim_value = sides[1]
    return made
