"""Layers outside all lowerings: one dense MatMul of any rank, or a convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.export.convolutions import emission
from radixfmt.export.convolutions.choice import choose
from radixfmt.export.lowerings import lowering
from radixfmt.export.lowerings.dense import matrix
from radixfmt.export.shapes import float_of, leading, rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.export.graph import GraphBuilder
    from radixfmt.export.lowerings import Estimate, Setting
    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


class Cause(NamedTuple):
    """Why a layer stands apart.

    Attributes:
        why: for a person; empty for most convolutions, of which all stand apart.
        size: of the spatial axes that a convolution reads, None where one is open; None if their
            number is not known.
        float32: whether that is what it reads.
    """

    why: str
    size: tuple[int | None, ...] | None = None
    float32: bool = True


def reasons(
    network: Network,
    nodes: Sequence[Node],
    types: Mapping[str, onnx.TypeProto],
    dtype: np.dtype[Any],
    target: str,
) -> dict[int, Cause]:
    """Return why layers stand apart, by index; the others are fed `[…, n_in]` of `dtype`.

    Args:
        network: any network.
        nodes: its graph.
        types: of its tensors, as far as they are known.
        dtype: of the model.
        target: "cpu" or "cuda".
    """
    found: dict[int, Cause] = {}
    for node in nodes:
        if node.layer is None:
            continue
        source = types.get(node.inputs[0])
        kind = float_of(source) or dtype
        if network.headers[node.layer][0] == "conv":
            why = ""
            if kind == np.float64 and target == "cpu":
                why = "on CPU in float32, for onnxruntime's Conv has no other there"
        elif (rank(source) or 0) < 2:
            why = "its input is not known to have rank 2 or more: dense MatMul"
        elif target == "cuda" and source is not None and not leading(source):
            # the nodes that would ask for its shape at run time cannot be placed on CUDA
            why = "its input has several open sizes: dense MatMul"
        elif kind != dtype:
            why = f"its input is {kind} in a model of {dtype}: dense MatMul"
        else:
            continue
        found.setdefault(node.layer, Cause(why, _spatial(source), kind == np.float32))
    return found


def estimate(
    layer: Layer, cause: Cause, setting: Setting, wanted: str, *, compiled: bool = False
) -> tuple[str, Estimate]:
    """Return the lowering of a layer that stands apart, and its estimate.

    Args:
        layer: with weights.
        cause: why it stands apart.
        setting: batch, target and costs.
        wanted: "auto", or the name of a lowering; `dense` stands in for what cannot be had.
        compiled: let "auto" choose compiled operators, which take float32.
    """
    if layer.geometry is not None:
        if wanted == "native" and not cause.float32:
            wanted = "dense"
        compiled = compiled and cause.float32
        name, found = choose(layer, cause.size, setting, wanted, compiled=compiled)
    else:
        name, offer = "dense", lowering["dense"]().estimate(layer.pattern, setting)
        assert offer is not None  # noqa: S101  dense expresses every pattern
        found = offer
    return name, found._replace(why="; ".join(filter(None, (cause.why, found.why))))


def emit(graph: GraphBuilder, layer: Layer, form: Any, x: str, dtype: np.dtype[Any]) -> str:
    """Add the layer's nodes and return the name of their result.

    Args:
        graph: takes nodes and constants.
        layer: with weights.
        form: of the estimate.
        x: batch-major tensor: `[…, n_in]`, or `[B, C, …]` of a convolution.
        dtype: of `x`.
    """
    if layer.geometry is not None:
        return emission.emit(graph, layer, form, x, dtype)
    weight = graph.constant(f"{layer.name}/weight", matrix(layer, dtype))
    made = graph.add("MatMul", [x, weight], f"{layer.name}/matmul")
    if layer.bias is None:
        return made
    bias = graph.constant(f"{layer.name}/bias", graph.bias(layer, dtype))
    return graph.add("Add", [made, bias], f"{layer.name}/add")


def _spatial(kind: onnx.TypeProto | None) -> tuple[int | None, ...] | None:
    """Return the sizes of all axes but the first two, None where one is open."""
    if rank(kind) is None:
        return None
    assert kind is not None  # noqa: S101  it has a rank
    dims = kind.tensor_type.shape.dim[2:]
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
