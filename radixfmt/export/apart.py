"""Layers outside all lowerings: one dense MatMul of any rank, or one dense Conv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.export.lowerings.dense import matrix
from radixfmt.export.shapes import conv_attributes, float_of, kernel_shape, leading, rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


def reasons(
    network: Network,
    nodes: Sequence[Node],
    types: Mapping[str, onnx.TypeProto],
    dtype: np.dtype[Any],
    target: str,
) -> dict[int, str]:
    """Return why layers stand apart, by index; the others are fed `[…, n_in]` of `dtype`.

    Args:
        network: any network.
        nodes: its graph.
        types: of its tensors, as far as they are known.
        dtype: of the model.
        target: "cpu" or "cuda".
    """
    found: dict[int, str] = {}
    for node in nodes:
        if node.layer is None:
            continue
        source = types.get(node.inputs[0])
        kind = float_of(source) or dtype
        if network.headers[node.layer][0] == "conv":
            why = "its weights are scattered into a dense Conv"
            if kind == np.float64:
                why += ", on CPU in float32, for onnxruntime has no other there"
        elif (rank(source) or 0) < 2:
            why = "its input is not known to have rank 2 or more: dense MatMul"
        elif target == "cuda" and source is not None and not leading(source):
            # the nodes that would ask for its shape at run time cannot be placed on CUDA
            why = "its input has several open sizes: dense MatMul"
        elif kind != dtype:
            why = f"its input is {kind} in a model of {dtype}: dense MatMul"
        else:
            continue
        found.setdefault(node.layer, why)
    return found


def emit(graph: GraphBuilder, layer: Layer, x: str, dtype: np.dtype[Any]) -> str:
    """Add the layer's nodes and return the name of their result.

    Args:
        graph: takes nodes and constants.
        layer: with weights.
        x: batch-major tensor: `[…, n_in]`, or `[B, C, …]` of a convolution.
        dtype: of `x`.
    """
    if layer.geometry is not None:
        return _conv(graph, layer, x, dtype)
    weight = graph.constant(f"{layer.name}/weight", matrix(layer, dtype))
    made = graph.add("MatMul", [x, weight], f"{layer.name}/matmul")
    if layer.bias is None:
        return made
    bias = graph.constant(f"{layer.name}/bias", graph.bias(layer, dtype))
    return graph.add("Add", [made, bias], f"{layer.name}/add")


def _conv(graph: GraphBuilder, layer: Layer, x: str, dtype: np.dtype[Any]) -> str:
    from onnx import TensorProto

    geometry, name = layer.geometry, layer.name
    assert geometry is not None  # noqa: S101  the caller has looked
    narrowed = graph.target == "cpu" and dtype == np.float64
    if narrowed:
        dtype = np.dtype(np.float32)
        x = graph.add("Cast", [x], f"{name}/float32", to=TensorProto.FLOAT)
    weight = matrix(layer, dtype).T.reshape(kernel_shape(layer.pattern.shape, geometry))
    inputs = [x, graph.constant(f"{name}/weight", weight)]
    if layer.bias is not None:
        inputs.append(graph.constant(f"{name}/bias", graph.bias(layer, dtype)))
    made = graph.add("Conv", inputs, f"{name}/conv", **conv_attributes(geometry))
    return graph.add("Cast", [made], f"{name}/float64", to=TensorProto.DOUBLE) if narrowed else made
