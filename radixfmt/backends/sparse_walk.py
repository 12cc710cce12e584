"""Running a network layer by layer on `[n, B]` arrays, whoever does the products."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends import activations
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.export.accepts import check_graph, check_weights
from radixfmt.model.graph import ELEMENTWISE, topological_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

    Product = Callable[[int, Any], Any]
    Activation = Callable[[Node, Any, Mapping[str, NDArray[Any]], bool], Any]


def check(network: Network) -> None:
    """Refuse a network that is not made of linear layers and elementwise operators.

    Raises:
        UnsupportedError: another operator, not one input and one output of rank 2, or a dense
            tensor where samples are expected.
    """
    check_graph(network)
    for node in network.graph:
        if node.op != "SparseLinear" and node.op not in ELEMENTWISE:
            raise UnsupportedError(
                f"operator {node.op}: only linear layers and elementwise operators run here",
                hint="use Session, which runs every ONNX operator",
            )
    ranks = [len(value.shape) for value in (*network.inputs, *network.outputs)]
    if ranks != [2, 2]:
        raise UnsupportedError("expected one input and one output of shape [B, n]")
    for name in (*(node.inputs[0] for node in network.graph), network.outputs[0].name):
        if name in network.tensors:
            raise UnsupportedError(
                f"tensor {name!r}: only Clip's bounds may be dense tensors here",
                hint="use Session, which runs every ONNX operator",
            )


def _activated(node: Node, x: Any, tensors: Mapping[str, NDArray[Any]], last: bool) -> Any:
    return activations.apply(node, x if last else x.copy(), tensors)


def walk(network: Network, x: Any, product: Product, activation: Activation = _activated) -> Any:
    """Return the network's output, `[n_out, B]`, for `x`, `[n_in, B]`.

    Args:
        network: that `check` accepts.
        x: samples in columns; not changed.
        product: returns layer i applied to an array `[n, B]`, as a new array.
        activation: returns a node applied to each element of an array, which it may overwrite if
            the last argument says that nobody reads it any more.

    Raises:
        InputError: samples of another width than the layer that reads them.
    """
    nodes = [network.graph[i] for i in topological_order(network.graph) or ()]
    uses = Counter(node.inputs[0] for node in nodes)
    target = network.outputs[0].name
    uses[target] += 1
    uses[network.inputs[0].name] += 1  # the caller keeps x
    made = {network.inputs[0].name: x}
    headers = network.headers
    for node in nodes:
        source = node.inputs[0]
        uses[source] -= 1
        last = uses[source] == 0
        array = made.pop(source) if last else made[source]
        if node.layer is not None:
            n_in = headers[node.layer][1][0]
            if array.shape[0] != n_in:
                raise InputError(f"input: expected n_in = {n_in} values, got {array.shape[0]}")
            made[node.outputs[0]] = product(node.layer, array)
        else:
            made[node.outputs[0]] = activation(node, array, network.tensors, last)
    return made[target]


def transposed(layer: Layer, dtype: np.dtype[Any]) -> tuple[sp.csr_array, NDArray[Any] | None]:
    """Return Wᵀ, `[n_out, n_in]`, and the bias as a column `[n_out, 1]`, both of `dtype`.

    Raises:
        UnsupportedError: a layer without weights.
    """
    import scipy.sparse as sp

    check_weights(layer)
    assert layer.weights is not None  # noqa: S101  so the check says
    n_in, n_out = layer.pattern.shape
    data = np.broadcast_to(layer.weights.astype(dtype), (layer.pattern.nnz,))
    # grouped by output, a pattern is the CSR of Wᵀ as it stands
    matrix = sp.csr_array(
        (np.ascontiguousarray(data), layer.pattern.indices, layer.pattern.indptr),
        shape=(n_out, n_in),
    )
    bias = None
    if layer.bias is not None:
        bias = np.broadcast_to(layer.bias.astype(dtype), (n_out,))[:, None]
    return matrix, bias
