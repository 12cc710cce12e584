"""Digests that a file declares, held against its content without making generated edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from radixfmt.findings import Finding, refuse
from radixfmt.model.digest import (
    EXPANSION_LIMIT,
    LayerDigests,
    dense_digest,
    digests,
    layer_digests,
    values_digest,
    vectors,
)
from radixfmt.model.network import LazyLayers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network
    from radixfmt.storage.header import LayerHeader
    from radixfmt.storage.reader import Reader

CODES = {
    "pattern": "RX8001", "values": "RX8002", "bias": "RX8003", "scale": "RX8003",
    "zero_point": "RX8003",
}  # fmt: skip
"""What another digest of a layer's array is called."""

VECTORS = 3
"""Arrays of n_out elements, each of which may be one repeated: bias, scale and zero point."""

HINT = (
    "the file was changed after it was written: fetch it again; if you changed it on purpose, "
    "radixfmt.write(NEW, radixfmt.read(OLD)) in Python gives it new digests"
)


def affordable(headers: Sequence[LayerHeader], budget: float) -> list[bool]:
    """Return of which layers everything is made, the first that fit into the budget.

    Args:
        headers: of all layers.
        budget: elements that may be generated or repeated beyond those that are stored.
    """
    found = []
    for header in headers:
        cost = _cost(header)
        found.append(cost <= budget)
        budget -= cost if found[-1] else 0
    return found


def _cost(header: LayerHeader) -> int:
    """Return how many elements a small header makes a reader hash; stored ones are paid for."""
    if header.pattern["encoding"] != "procedural":
        return 0
    # Beyond the limit a recipe is hashed in place of the elements.
    counts = [header.nnz, *[header.shape[1]] * (1 + VECTORS)]
    return sum(count for count in counts if count <= EXPANSION_LIMIT)


def as_declared(layer: Layer, header: LayerHeader) -> LayerDigests:
    """Return a layer's digests: of what is stored as computed, of what is made as declared."""
    found = dict(header.digests)
    if layer.stored is not None and not layer.iso:
        found["values"] = values_digest(layer) or ""
    found |= {name: dense_digest(v) for name, v in vectors(layer).items() if v.size > 1}
    return LayerDigests(**found, name=header.name, geometry=header.geometry)


def verified(file: Reader, network: Network) -> Network:
    """Return the network, each layer of which is held against its digests as it is read.

    Where a digest is not declared, or rests on generated edges beyond the limit `expand`, nothing
    is compared.

    Raises:
        FormatError: RX8001 to RX8003 when such a layer is read; RX8005 at once for the graph.
    """
    headers = [file.header(i) for i in range(file.count())]
    declared = file.digest("content")
    if declared is not None and all("pattern" in header.digests for header in headers):
        said = [
            LayerDigests(**header.digests, name=header.name, geometry=header.geometry)
            for header in headers
        ]
        _compare(file, "RX8005", "/", declared, digests(network, said).content)
    layers, made = network.layers, affordable(headers, file.guard.limits.expand)

    def make(i: int) -> Layer:
        layer, header = layers[i], headers[i]
        if "pattern" in header.digests:
            found = layer_digests(layer) if made[i] else as_declared(layer, header)
            for name, computed in found.as_json().items():
                said = header.digests.get(name, computed)
                _compare(file, CODES[name], f"/layers/{i:06d}", said, computed)
        return layer

    return replace(network, layers=LazyLayers(network.headers, make, network.geometries))


def _compare(file: Reader, code: str, path: str, declared: str, computed: str) -> None:
    if declared != computed:
        finding = Finding(
            code,
            "the content is not what the digest says",
            path,
            expected=declared[:80],
            actual=computed,
            hint=HINT,
        )
        raise refuse(finding, file=file.guard.file)
