"""The ONNX nodes of a convolution in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.export.shapes import conv_attributes

if TYPE_CHECKING:
    from radixfmt.export.convolutions.form import Form
    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.layer import Layer


def emit(graph: GraphBuilder, layer: Layer, form: Form, x: str, dtype: np.dtype[Any]) -> str:
    """Add Gather, Conv, Gather and Add, as far as the form needs them; return the result's name.

    Args:
        graph: takes nodes and constants.
        layer: with weights.
        form: of the layer.
        x: tensor `[B, C, …]`.
        dtype: of `x`.
    """
    from onnx import TensorProto

    geometry, name = layer.geometry, layer.name
    assert geometry is not None  # noqa: S101  only convolutions have a form
    narrowed = graph.target == "cpu" and dtype == np.float64
    if narrowed:
        dtype = np.dtype(np.float32)
        x = graph.add("Cast", [x], f"{name}/float32", to=TensorProto.FLOAT)
    channels = layer.pattern.shape[0] // int(np.prod(geometry.kernel_shape)) * geometry.group
    if form.gathered(channels):
        # what meets only zeros reads what its group reads anyhow
        read = np.where(form.channels < 0, np.maximum(form.channels[:, :1], 0), form.channels)
        index = graph.constant(f"{name}/channels", read.reshape(-1))
        x = graph.add("Gather", [x, index], f"{name}/gather", axis=1)
    inputs = [x, graph.constant(f"{name}/weight", form.weight(layer, dtype))]
    bias = None if layer.bias is None else graph.bias(layer, dtype)
    if bias is not None and not form.late:
        inputs.append(graph.constant(f"{name}/bias", form.bias(bias)))
    attributes = conv_attributes(form.geometry(geometry))
    made = graph.add("Conv", inputs, f"{name}/conv", **attributes)
    if form.restored:
        index = graph.constant(f"{name}/filters", form.place)
        made = graph.add("Gather", [made, index], f"{name}/restored", axis=1)
    if bias is not None and form.late:
        column = bias.reshape(-1, *[1] * len(geometry.kernel_shape))
        made = graph.add("Add", [made, graph.constant(f"{name}/bias", column)], f"{name}/add")
    return graph.add("Cast", [made], f"{name}/float64", to=TensorProto.DOUBLE) if narrowed else made
