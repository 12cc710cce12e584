"""Digests that cite content, not bytes on disk (spec §7).

They are the same for CSC and CSR, every index width, chunking, one value or the value repeated,
procedural and explicit. A pattern is hashed block by block, so one block is in memory at a time.
Beyond `EXPANSION_LIMIT` edges the generator record is hashed in place of the edges: such a digest,
and any that rests on it, has the prefix `rx1r:` and never equals an `rx1:`.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.model.canonical import canonical_json
from radixfmt.model.graph import topological_order, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.graph import Node, Value
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

EXPANSION_LIMIT = 2**31
"""Edges of one layer beyond which its recipe is hashed in place of its edges."""

EXACT, RECIPE = "rx1:", "rx1r:"


@dataclass(frozen=True, slots=True)
class LayerDigests:
    """Digests of one layer's arrays; None where there is no such array."""

    pattern: str
    values: str | None = None
    bias: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the digests that exist."""
        return {name: digest for name, digest in asdict(self).items() if digest}


@dataclass(frozen=True, slots=True)
class NetworkDigests:
    """The three digests of a network and those of its layers."""

    topology: str
    content: str
    metadata: str
    layers: tuple[LayerDigests, ...]


def pattern_digest(pattern: Pattern) -> str:
    """Return the digest of shape and edges in canonical, by-column order."""
    n_in, n_out = pattern.shape
    if pattern.nnz > EXPANSION_LIMIT:
        if pattern.record is None:
            raise UnsupportedError(
                f"a pattern of {pattern.nnz} edges is beyond the expansion limit of "
                f"{EXPANSION_LIMIT} and has no generator record to cite in their place"
            )
        return _of_json(
            "radixfmt-recipe-1\n",
            {"shape": list(pattern.shape), "record": pattern.record},
            recipe=True,
        )
    state = hashlib.sha256(b"radixfmt-pattern-1\n")
    state.update(_raw(np.array([n_in, n_out, pattern.nnz], "<u8")))
    last = 0
    state.update(_raw(np.zeros(1, "<u8")))
    for start in range(0, n_out, 1 << 20):
        ends = last + np.cumsum(pattern.fan_in(start, min(start + (1 << 20), n_out)))
        state.update(_raw(ends.astype("<u8")))
        last = int(ends[-1])
    for _, _, block in pattern.blocks():
        state.update(_raw(block.indices.astype("<u8")))
    return EXACT + state.hexdigest()


def values_digest(layer: Layer) -> str | None:
    """Return the digest of the weights' bits in pattern order; None for topology only."""
    if layer.dtype is None:
        return None
    nnz, name = layer.pattern.nnz, layer.dtype.name
    weights = layer.weights
    assert weights is not None  # noqa: S101  dtype says so
    if layer.iso and nnz > EXPANSION_LIMIT:
        recipe = {"dtype": name, "nnz": str(nnz), "value": _raw(weights).hex()}
        return _of_json("radixfmt-values-recipe-1\n", recipe, recipe=True)
    state = hashlib.sha256(f"radixfmt-values-1\n{name}\n".encode())
    state.update(_raw(np.array([nnz], "<u8")))
    if layer.iso:
        _repeat(state, bytes(_raw(weights)), nnz)
    else:
        state.update(_raw(weights))
    return EXACT + state.hexdigest()


def bias_digest(layer: Layer) -> str | None:
    """Return the digest of the bias, expanded to `[n_out]`; None where there is none."""
    if layer.bias is None:
        return None
    if layer.bias.size == 1 and layer.pattern.shape[1] > EXPANSION_LIMIT:
        return dense_digest(layer.bias).replace(EXACT, RECIPE)
    return dense_digest(layer.bias, length=layer.pattern.shape[1])


def dense_digest(array: NDArray[Any], *, length: int | None = None) -> str:
    """Return the digest of a dense array; `length` repeats a single value that often."""
    shape = array.shape if length is None else (length,)
    state = hashlib.sha256(f"radixfmt-dense-1\n{array.dtype.name}\n".encode())
    state.update(_raw(np.array([len(shape), *shape], "<u8")))
    if length is not None and array.size == 1:
        _repeat(state, bytes(_raw(array)), length)
    else:
        state.update(_raw(array))
    return EXACT + state.hexdigest()


def layer_digests(layer: Layer) -> LayerDigests:
    """Return the digests of one layer, reading its arrays once."""
    return LayerDigests(pattern_digest(layer.pattern), values_digest(layer), bias_digest(layer))


def digests(network: Network, layers: Sequence[LayerDigests] | None = None) -> NetworkDigests:
    """Return all digests of a network.

    Args:
        network: any network; its layers are made one at a time, unless
        layers: already holds their digests.
    """
    found = tuple(layers or (layer_digests(layer) for layer in network.layers))
    headers = network.headers
    topology = {
        "layers": [
            {"pattern": d.pattern, "shape": list(shape)}
            for d, (_, shape) in zip(found, headers, strict=True)
        ],
        "feeds": feeds(network.graph),
    }
    geometries = {
        i: asdict(network.layers[i].geometry)  # type: ignore[arg-type]
        for i, (kind, _) in enumerate(headers)
        if kind == "conv"
    }
    content = {
        "layers": [
            d.as_json() | ({"geometry": geometries[i]} if i in geometries else {})
            for i, d in enumerate(found)
        ],
        "graph": graph_json(network),
        "tensors": {name: dense_digest(np.asarray(t)) for name, t in network.tensors.items()},
    }
    rests_on_recipe = any(
        digest.startswith(RECIPE) for d in found for digest in d.as_json().values()
    )
    return NetworkDigests(
        _of_json("radixfmt-topology-1\n", topology, recipe=rests_on_recipe),
        _of_json("radixfmt-content-1\n", content, recipe=rests_on_recipe),
        _of_json("radixfmt-metadata-1\n", network.metadata.as_json()),
        found,
    )


def graph_json(network: Network) -> dict[str, Any]:
    """Return the graph as the manifest stores it (spec §5)."""
    return {
        "inputs": [_value_json(value) for value in network.inputs],
        "outputs": [_value_json(value) for value in network.outputs],
        "nodes": [_node_json(node) for node in network.graph],
    }


def feeds(nodes: Sequence[Node]) -> list[list[int]]:
    """Return the sorted pairs [i, j] where layer i's output reaches layer j with none between."""
    sources: dict[str, frozenset[int]] = {}
    pairs: set[tuple[int, int]] = set()
    for i in topological_order(nodes) or ():
        node = nodes[i]
        reaching = frozenset().union(*(sources.get(name, frozenset()) for name in node.inputs))
        if node.layer is not None:
            pairs |= {(source, node.layer) for source in reaching}
            reaching = frozenset({node.layer})
        sources.update(dict.fromkeys(node.outputs, reaching))
    return [list(pair) for pair in sorted(pairs)]


def _raw(array: NDArray[Any]) -> memoryview:
    """Return the elements' little-endian bytes in C order."""
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return ordered.reshape(-1).view(np.uint8).data


def _repeat(state: Any, element: bytes, count: int) -> None:
    block = element * min(count, 1 << 16)
    while count > 0:
        step = min(count, 1 << 16)
        state.update(block[: step * len(element)])
        count -= step


def _of_json(domain: str, value: Any, *, recipe: bool = False) -> str:
    text = domain + canonical_json(value)
    return (RECIPE if recipe else EXACT) + hashlib.sha256(text.encode()).hexdigest()


def _value_json(value: Value) -> dict[str, Any]:
    return {"name": value.name, "shape": list(value.shape), "dtype": value.dtype}


def _node_json(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {
        "op": node.op,
        "inputs": list(node.inputs),
        "outputs": list(node.outputs),
    }
    if node.attributes:
        found["attributes"] = {name: typed(value) for name, value in node.attributes.items()}
    if node.layer is not None:
        found["layer"] = node.layer
    return found
