"""Digests that cite content, not bytes on disk (spec §7).

They are the same for CSC and CSR, every index width, chunking, one value or the value repeated,
procedural and explicit. A pattern is hashed block by block, so one block is in memory at a time.
Beyond `EXPANSION_LIMIT` edges the generator record is hashed in place of the edges: such a digest,
and any that rests on it, has the prefix `rx1r:` and never equals an `rx1:`.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.model.canonical import canonical_json
from radixfmt.model.graph import topological_order, typed
from radixfmt.model.hashing import Hashing, raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.graph import Node, Value
    from radixfmt.model.layer import ConvGeometry, Layer, Values
    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

EXPANSION_LIMIT = 2**31
"""Edges of one layer beyond which its recipe is hashed in place of its edges."""

EXACT, RECIPE = "rx1:", "rx1r:"

BLOCK = 1 << 20
"""Pointers or values hashed at a time."""


ARRAYS = ("pattern", "values", "bias", "scale", "zero_point")
"""What a layer's digests are of."""


@dataclass(frozen=True, slots=True)
class LayerDigests:
    """Digests of one layer's arrays, None where there is no such array; equal if these are.

    `name` and `geometry` are the layer's own, which the network's digests cover.
    """

    pattern: str
    values: str | None = None
    bias: str | None = None
    scale: str | None = None
    zero_point: str | None = None
    name: str = field(default="", compare=False)
    geometry: ConvGeometry | None = None

    def as_json(self) -> dict[str, str]:
        """Return the digests that exist."""
        return {name: getattr(self, name) for name in ARRAYS if getattr(self, name)}


@dataclass(frozen=True, slots=True)
class NetworkDigests:
    """The three digests of a network and those of its layers."""

    topology: str
    content: str
    metadata: str
    layers: tuple[LayerDigests, ...]


class PatternHashing:
    """The digest of a pattern whose edges somebody else walks: pointers first, then indices."""

    def __init__(self, pattern: Pattern) -> None:
        self._hashing = Hashing("radixfmt-pattern-1\n")
        self._hashing.update(np.array([*pattern.shape, pattern.nnz], "<u8"))
        for pointers in pointer_blocks(pattern):
            self._hashing.update(pointers)

    def update(self, indices: NDArray[Any]) -> None:
        """Add the next indices."""
        self._hashing.update(indices, "<u8")

    def digest(self) -> str:
        """Return the digest, after all indices."""
        return EXACT + self._hashing.digest()


def pointer_blocks(pattern: Pattern) -> Iterator[NDArray[np.uint64]]:
    """Yield the `n_out + 1` column pointers as u64, a block at a time."""
    last = np.zeros(1, np.uint64)
    yield last
    n_out = pattern.shape[1]
    for start in range(0, n_out, BLOCK):
        degrees = pattern.fan_in(start, min(start + BLOCK, n_out))
        ends = np.cumsum(degrees, dtype=np.uint64) + last[-1]
        yield ends
        last = ends


def pattern_digest(pattern: Pattern) -> str:
    """Return the digest of shape and edges in canonical, by-column order."""
    recipe = recipe_digest(pattern)
    if recipe is not None:
        return recipe
    hashing = PatternHashing(pattern)
    for _, _, block in pattern.blocks():
        hashing.update(block.indices)
    return hashing.digest()


def recipe_digest(pattern: Pattern) -> str | None:
    """Return the digest of the record that stands for the edges, or None while they are hashed.

    Raises:
        UnsupportedError: a pattern beyond `EXPANSION_LIMIT` that has no record.
    """
    if pattern.nnz <= EXPANSION_LIMIT:
        return None
    if pattern.record is None:
        raise UnsupportedError(
            f"a pattern of {pattern.nnz} edges is beyond the expansion limit of "
            f"{EXPANSION_LIMIT} and has no generator record to cite in their place"
        )
    recipe = {"shape": list(pattern.shape), "record": pattern.record}
    return _of_json("radixfmt-recipe-1\n", recipe, recipe=True)


def iso_digest(layer: Layer) -> str | None:
    """Return the digest of one value for all edges, None for other layers."""
    if not layer.iso or layer.dtype is None or layer.weights is None:
        return None
    nnz, name, value = layer.pattern.nnz, layer.dtype.name, layer.weights
    if nnz > EXPANSION_LIMIT:
        recipe = {"dtype": name, "nnz": str(nnz), "value": raw(value).hex()}
        return _of_json("radixfmt-values-recipe-1\n", recipe, recipe=True)
    hashing = values_hashing(name, nnz)
    hashing.repeat(value, nnz)
    return EXACT + hashing.digest()


def values_hashing(dtype: str, nnz: int) -> Hashing:
    """Return the start of a digest of `nnz` values."""
    hashing = Hashing(f"radixfmt-values-1\n{dtype}\n")
    hashing.update(np.array([nnz], "<u8"))
    return hashing


def values_digest(layer: Layer) -> str | None:
    """Return the digest of the weights' (or codes') bits in pattern order; None without any."""
    if layer.stored is None or layer.iso:
        return iso_digest(layer)
    hashing = values_hashing(layer.stored.dtype.name, layer.pattern.nnz)
    for block in value_blocks(layer.stored, layer.pattern.nnz):
        hashing.update(block)
    return EXACT + hashing.digest()


def value_blocks(values: Values, count: int) -> Iterator[NDArray[Any]]:
    """Yield `count` values, a block at a time."""
    for start in range(0, count, BLOCK):
        yield np.asarray(values[start : min(start + BLOCK, count)])


def dense_digest(array: NDArray[Any], *, length: int | None = None) -> str:
    """Return the digest of a dense array; `length` repeats a single value that often."""
    if length is not None and array.size == 1 and length > EXPANSION_LIMIT:
        return dense_digest(array.reshape(1)).replace(EXACT, RECIPE)
    shape = array.shape if length is None else (length,)
    hashing = Hashing(f"radixfmt-dense-1\n{array.dtype.name}\n")
    hashing.update(np.array([len(shape), *shape], "<u8"))
    if length is not None and array.size == 1:
        hashing.repeat(array, length)
    else:
        hashing.update(array)
    return EXACT + hashing.digest()


def text_digest(text: str) -> str:
    """Return the digest of a text."""
    return EXACT + hashlib.sha256(b"radixfmt-text-1\n" + text.encode()).hexdigest()


def layer_digests(layer: Layer, *, pattern: str | None = None) -> LayerDigests:
    """Return the digests of one layer, reading its arrays once.

    Args:
        layer: any layer.
        pattern: its pattern's digest, if that is known already.
    """
    known = pattern or pattern_digest(layer.pattern)
    return with_vectors(layer, known, values_digest(layer))


def vectors(layer: Layer) -> dict[str, NDArray[Any]]:
    """Return a layer's arrays of n_out elements, or of one that stands for all."""
    found = {"bias": layer.bias}
    if layer.quantized is not None:
        found |= {"scale": layer.quantized.scale, "zero_point": layer.quantized.zero_point}
    return {name: vector for name, vector in found.items() if vector is not None}


def with_vectors(layer: Layer, pattern: str, values: str | None) -> LayerDigests:
    """Return the digests of a layer whose edges and weights are hashed already."""
    n_out = layer.pattern.shape[1]
    found = {name: dense_digest(vector, length=n_out) for name, vector in vectors(layer).items()}
    return LayerDigests(pattern, values, **found, name=layer.name, geometry=layer.geometry)


def digests(network: Network, layers: Sequence[LayerDigests] | None = None) -> NetworkDigests:
    """Return all digests of a network.

    Args:
        network: any network; its layers are made one at a time, unless
        layers: already holds their digests.
    """
    found = tuple(layer_digests(layer) for layer in network.layers) if layers is None else layers
    topology = {
        "layers": [
            {"pattern": d.pattern, "shape": list(header[1])}
            for d, header in zip(found, network.headers, strict=True)
        ],
        "feeds": feeds(network.graph),
    }
    content = {
        "layers": [
            d.as_json() | ({} if d.geometry is None else {"geometry": asdict(d.geometry)})
            for d in found
        ],
        "graph": graph_json(network),
        "tensors": {name: dense_digest(np.asarray(t)) for name, t in network.tensors.items()},
    }
    metadata = {
        "metadata": network.metadata.as_json(),
        "names": [d.name for d in found],
        "ext": {
            path: text_digest(value) if isinstance(value, str) else dense_digest(value)
            for path, value in network.ext.items()
        },
    }
    rests_on_recipe = any(
        digest.startswith(RECIPE) for d in found for digest in d.as_json().values()
    )
    topology_recipe = any(d.pattern.startswith(RECIPE) for d in found)
    return NetworkDigests(
        _of_json("radixfmt-topology-1\n", topology, recipe=topology_recipe),
        _of_json("radixfmt-content-1\n", content, recipe=rests_on_recipe),
        _of_json("radixfmt-metadata-1\n", metadata),
        tuple(found),
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
        sources.update({name: reaching for name in node.outputs if name})
    return [list(pair) for pair in sorted(pairs)]


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
