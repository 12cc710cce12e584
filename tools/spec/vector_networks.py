"""Small networks that vectors are made of, without random numbers: they never change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import radixfmt as rx
from radixfmt.model.dtypes import dtype_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def said(name: str, **more: Any) -> rx.Metadata:
    """Return metadata that leave nothing to say about a file for exchange."""
    facts: dict[str, Any] = {
        "license": "CC0-1.0",
        "authors": ({"name": "The radixfmt authors"},),
        "provenance": ({"activity": "generate", "tool": "tools/spec/make_vectors.py"},),
    }
    return rx.Metadata(name, **(facts | more))


def pattern(n_in: int, n_out: int) -> rx.Pattern:
    """Return an irregular pattern in which every neuron has an edge."""
    import scipy.sparse as sp

    i, j = np.arange(n_in)[:, None], np.arange(n_out)[None, :]
    edges = (7 * i + 3 * j + i * j % 5) % 4 == 0
    edges |= (i == j % n_in) | (j == i % n_out)
    return rx.Pattern.from_scipy(sp.csc_array(edges))


def numbers(count: int, dtype: str = "float32", *, start: int = 1) -> Any:
    """Return numbers that every type of the format holds exactly, none of them 0, not all equal."""
    k = np.arange(start, start + count)
    whole = k * 5 % 9 + 1
    if dtype == "uint8":
        return whole.astype(np.uint8)
    signed = np.where(k % 3 == 0, -whole, whole)
    return (signed if dtype.startswith("int") else signed / 4).astype(dtype_of(dtype))


def layer(
    name: str, n_in: int, n_out: int, dtype: str = "float32", bias: str | None = "float32"
) -> rx.Layer:
    """Return a linear layer with weights of its own for each edge, and a bias for each output."""
    edges = pattern(n_in, n_out)
    weights = numbers(edges.nnz, dtype, start=n_in)
    return rx.Layer(name, edges, weights, None if bias is None else numbers(n_out, bias))


def chain(name: str, layers: Sequence[rx.Layer], **settings: Any) -> rx.Network:
    """Return a chain with metadata."""
    return rx.chain(list(layers), metadata=said(name), **settings)


def graph(
    name: str,
    layers: Sequence[rx.Layer],
    nodes: Sequence[rx.Node],
    inputs: Sequence[rx.Value],
    outputs: Sequence[rx.Value],
    **more: Any,
) -> rx.Network:
    """Return a network of any graph, with metadata unless `more` has some."""
    facts = {"metadata": said(name)} | more
    return rx.Network(tuple(layers), tuple(nodes), tuple(inputs), tuple(outputs), **facts)


def linear(source: str, target: str, index: int) -> rx.Node:
    """Return a node that applies linear layer `index`."""
    return rx.Node("SparseLinear", (source,), (target,), layer=index)


def plain() -> rx.Network:
    """Return the network that most invalid vectors break: two layers with Relu."""
    return chain("plain", [layer("first", 6, 5), layer("second", 5, 4)], activation="Relu")


def conv(name: str, n_out: int, geometry: rx.ConvGeometry, channels: int) -> rx.Layer:
    """Return a conv layer of `channels` input channels."""
    n_in = channels // geometry.group * int(np.prod(geometry.kernel_shape))
    edges = pattern(n_in, n_out)
    return rx.Layer(name, edges, numbers(edges.nnz), numbers(n_out), kind="conv", geometry=geometry)


def conv_1d(kernel: int = 3) -> rx.Network:
    """Return one conv layer of rank 1."""
    geometry = rx.ConvGeometry((kernel,), (1,), (1, 1), (1,))
    return graph(
        "conv",
        [conv("conv", 3, geometry, 2)],
        [rx.Node("SparseConv", ("x",), ("y",), layer=0)],
        [rx.Value("x", ("B", 2, 8))],
        [rx.Value("y", ("B", 3, "L"))],
    )


def quantized(name: str, n_in: int, n_out: int, dtype: str, each: int) -> rx.Layer:
    """Return a layer of codes with `each` scales and zero points."""
    edges = pattern(n_in, n_out)
    codes = numbers(edges.nnz, dtype, start=2)
    zero = np.full(each, 128, np.uint8) if dtype == "uint8" else np.arange(each, dtype=np.int8) - 1
    codes = codes + (120 if dtype == "uint8" else 0)
    scale = (np.arange(1, each + 1) / 8).astype(np.float32)
    return rx.Layer(name, edges, rx.Quantized(codes.astype(dtype), scale, zero), numbers(n_out))


def generated(name: str, **parameters: Any) -> rx.Pattern:
    """Return the pattern of a generator of version 1."""
    from radixfmt.generators import from_record

    return from_record({"generator": f"{name}/1", "parameters": parameters})


def permuted_identity() -> rx.Network:
    """Return one topology-only layer of five neurons in another order."""
    from radixfmt.generators.permuted import permuted

    edges = permuted(generated("identity", size=5), np.array([3, 1, 4, 0, 2]))
    return chain("permuted", [rx.Layer("permuted", edges)])
