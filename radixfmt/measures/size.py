"""`size`: neurons, edges, bytes and arithmetic."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError
from radixfmt.measures import measurement
from radixfmt.measures.ratio import ratio
from radixfmt.model.columns import index_dtype

if TYPE_CHECKING:
    from radixfmt.model.network import Network

VALUE_BYTES = 4
"""Of a float32 weight."""

CONV_WHY = "the places a conv layer's kernel visits depend on the size of the image"
FILE_WHY = "the network does not know its file; pass file_bytes"


@measurement("size", columns={"bytes": "file_bytes"})
def size(network: Network, *, file_bytes: int | None = None) -> dict[str, Any]:
    """Return how large a network is, and how large its dense twin would be.

    A dense twin has the same layers with every edge. Bytes are of weights: float32 values, and for
    sparse ones int32 indices (int64 from 2^31 inputs); pointers and biases are not counted.
    Operations are those of one sample, one vector per application of a layer: a multiplication and
    an addition per edge, an addition per bias; activations are not counted.

    Args:
        network: any network.
        file_bytes: size of its file, if there is one.

    Returns:
        `layers`, `inputs` (neurons before the first layer), `neurons` (outputs of all layers),
        `edges`, `dense_edges`, `biases` (each neuron that has one), `sparse_bytes`, `dense_bytes`,
        `file_bytes`, `flops` and `dense_flops` (per sample; None with `flops_why` if there are
        conv layers), `compression` (dense_bytes / sparse_bytes) and `file_compression`
        (dense_bytes / file_bytes), both `{numerator, denominator, value}`; what needs the file is
        None without it, with `file_why`.
    """
    if file_bytes is not None and (type(file_bytes) is not int or file_bytes < 1):
        raise ParameterError(f"file_bytes: expected an integer of at least 1, got {file_bytes}")
    uses = Counter(node.layer for node in network.graph if node.layer is not None)
    linear = all(kind == "linear" for kind, _ in network.headers)
    edges = dense = biases = sparse_bytes = flops = dense_flops = 0
    for i, layer in enumerate(network.layers):
        shape, nnz = layer.pattern.shape, layer.pattern.nnz
        biased = 0 if layer.bias is None else shape[1]
        edges += nnz
        dense += prod(shape)
        biases += biased
        sparse_bytes += nnz * (index_dtype(shape[0]).itemsize + VALUE_BYTES)
        flops += uses[i] * (2 * nnz + biased)
        dense_flops += uses[i] * (2 * prod(shape) + biased)
    dense_bytes = dense * VALUE_BYTES
    found: dict[str, Any] = {
        "layers": len(network.headers),
        "inputs": network.headers[0][1][0] if network.headers else 0,
        "neurons": sum(shape[1] for _, shape in network.headers),
        "edges": edges,
        "dense_edges": dense,
        "biases": biases,
        "sparse_bytes": sparse_bytes,
        "dense_bytes": dense_bytes,
        "file_bytes": file_bytes,
        "flops": flops if linear else None,
        "dense_flops": dense_flops if linear else None,
        "compression": ratio(dense_bytes, sparse_bytes),
        "file_compression": None if file_bytes is None else ratio(dense_bytes, file_bytes),
    }
    if not linear:
        found["flops_why"] = CONV_WHY
    if file_bytes is None:
        found["file_why"] = FILE_WHY
    return found
