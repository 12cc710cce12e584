"""Nodes of the native operators, their constants, and the definitions that go with them."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.native import DOMAIN, OPSET, VERSION
from radixfmt.native.functions import (
    check_body,
    convolution_function,
    linear_function,
    stack_function,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.layer import ConvGeometry
    from radixfmt.native.packed import Packed

IR_VERSION = 10
"""Of models made here; functions need 8 or more."""

LINEAR = {"rows": "SparseLinear", "blocks": "BlockLinear"}
FORMS = {"rows": 0, "blocks": 1}


class Lowered(NamedTuple):
    """One node and what it needs.

    Attributes:
        node: reads `x`, `[B, n_in]` float32, and writes `y`, `[B, n_out]`; those of a convolution
            have the spatial axes as well.
        constants: initializers of the graph.
        function: the node's definition; a model holds one for each name.
    """

    node: onnx.NodeProto
    constants: list[onnx.TensorProto]
    function: onnx.FunctionProto


def linear(layer: Packed, x: str, y: str, scope: str, *, allow_dense: bool = False) -> Lowered:
    """Return one layer as a node of its own.

    Args:
        layer: to compute.
        x: name of the tensor read.
        y: name of the tensor made.
        scope: name of the node, and prefix of its constants' names.
        allow_dense: let the definition make as large a matrix as it likes.

    Raises:
        UnsupportedError: a layer of rows whose matrix would take too much memory elsewhere.
    """
    if not allow_dense:
        check_body([layer])
    name = LINEAR[layer.form]
    attributes = {"n_in": layer.n_in, "min": float(layer.low), "max": float(layer.high)}
    return _lowered(name, _arrays(layer), attributes, (x, y, scope), linear_function(name))


def convolution(
    layer: Packed,
    geometry: ConvGeometry,
    x: str,
    y: str,
    scope: str,
    *,
    allow_dense: bool = False,
) -> Lowered:
    """Return a convolution as a node of its own.

    Args:
        layer: in rows; its inputs are the cells of the kernel, channel by channel.
        geometry: of the layer.
        x: name of the tensor read, `[B, C, …]`.
        y: name of the tensor made.
        scope: name of the node, and prefix of its constants' names.
        allow_dense: let the definition make filters as large as it likes.

    Raises:
        ParameterError: a layer in blocks, or one that cannot be of this geometry.
        UnsupportedError: its weights would take too much memory elsewhere.
    """
    if layer.form != "rows":
        raise ParameterError("convolution: expected a layer in rows")
    geometry.check((layer.n_in, layer.n_out))
    if not allow_dense:
        check_body([layer])
    attributes = {
        "n_in": layer.n_in // prod(geometry.kernel_shape) * geometry.group,
        "kernel_shape": geometry.kernel_shape,
        "strides": geometry.strides,
        "pads": geometry.pads,
        "dilations": geometry.dilations,
        "group": geometry.group,
        "min": float(layer.low),
        "max": float(layer.high),
    }
    arrays = _arrays(layer)
    return _lowered("SparseConv", arrays, attributes, (x, y, scope), convolution_function())


def stack(
    layers: Sequence[Packed], x: str, y: str, scope: str, *, allow_dense: bool = False
) -> Lowered:
    """Return a run of layers as one node; a model can hold one such run.

    Args:
        layers: each reads what the one before makes; weights of one type.
        x: name of the tensor read.
        y: name of the tensor made.
        scope: name of the node, and prefix of its constants' names.
        allow_dense: let the definition make matrices as large as it likes.

    Raises:
        ParameterError: no layers, layers that do not fit each other, or weights of several types.
        UnsupportedError: layers of rows whose matrices would take too much memory elsewhere.
    """
    if not layers or len({layer.weights.dtype for layer in layers}) > 1:
        raise ParameterError("stack: expected layers with weights of one type")
    if not allow_dense:
        check_body(layers)
    for i, (one, other) in enumerate(pairwise(layers)):
        if one.n_out != other.n_in:
            raise ParameterError(
                f"stack: expected layer {i + 1} to read {one.n_out} neurons, got {other.n_in}"
            )
    indices = [part.reshape(-1) for layer in layers for part in (layer.outputs, layer.inputs)]
    arrays: dict[str, NDArray[Any]] = {
        "weights": np.concatenate([layer.weights.reshape(-1) for layer in layers]),
        "indices": np.concatenate(indices),
        "bias": np.concatenate([layer.bias for layer in layers]),
        "scale": np.concatenate([np.broadcast_to(layer.scale, layer.n_out) for layer in layers]),
    }
    attributes = {
        "n_in": layers[0].n_in,
        "layers": [field for layer in layers for field in _fields(layer)],
        "min": [float(layer.low) for layer in layers],
        "max": [float(layer.high) for layer in layers],
    }
    return _lowered("SparseStack", arrays, attributes, (x, y, scope), stack_function(layers))


def _arrays(layer: Packed) -> dict[str, NDArray[Any]]:
    """Return a layer's constants in the order of the operators' inputs."""
    last = "pointers" if layer.form == "rows" else "place"
    return {
        "weights": layer.weights,
        "inputs": layer.inputs,
        last: layer.outputs,
        "bias": layer.bias,
        "scale": layer.scale,
    }


def _fields(layer: Packed) -> list[int]:
    """Return a layer's row of the attribute `layers`."""
    sizes = (layer.weights.size, 0, 0) if layer.form == "rows" else layer.weights.shape
    return [FORMS[layer.form], layer.n_out, *map(int, sizes)]


def _lowered(
    op: str,
    arrays: dict[str, NDArray[Any]],
    attributes: dict[str, Any],
    names: tuple[str, str, str],
    function: onnx.FunctionProto,
) -> Lowered:
    from onnx import helper, numpy_helper

    x, y, scope = names
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(array), f"{scope}/{name}")
        for name, array in arrays.items()
    ]
    inputs = [x, *(constant.name for constant in constants)]
    node = helper.make_node(op, inputs, [y], scope, domain=DOMAIN, **attributes)
    return Lowered(node, constants, function)


def model_of(
    lowered: Sequence[Lowered], n_in: int, n_out: int, *, rank: int = 0
) -> onnx.ModelProto:
    """Return a model of these nodes alone, from `x`, `[B, n_in]`, to `y`, `[B, n_out]`.

    Args:
        lowered: the nodes.
        n_in: neurons or channels read.
        n_out: made.
        rank: number of spatial axes, whose sizes are open.
    """
    from onnx import TensorProto, helper

    read, made = ([f"{name}{axis}" for axis in range(rank)] for name in ("size", "places"))
    graph = helper.make_graph(
        [part.node for part in lowered],
        "native",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", n_in, *read])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", n_out, *made])],
        [constant for part in lowered for constant in part.constants],
    )
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)],
        functions=list({part.function.name: part.function for part in lowered}.values()),
    )
