"""Digests that a file declares, held against its content without making generated edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from radixfmt.findings import Finding, refuse
from radixfmt.model.digest import (
    LayerDigests,
    digests,
    layer_digests,
    values_digest,
    with_vectors,
)
from radixfmt.model.network import LazyLayers

if TYPE_CHECKING:
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network
    from radixfmt.storage.header import LayerHeader
    from radixfmt.storage.reader import Reader

CODES = {
    "pattern": "RX8001", "values": "RX8002", "bias": "RX8003", "scale": "RX8003",
    "zero_point": "RX8003",
}  # fmt: skip
"""What another digest of a layer's array is called."""

HINT = (
    "the file was changed after it was written: fetch it again; if you changed it on purpose, "
    "radixfmt.write(NEW, radixfmt.read(OLD)) in Python gives it new digests"
)


def as_declared(layer: Layer, header: LayerHeader) -> LayerDigests:
    """Return a layer's digests, those that rest on generated edges taken from the file."""
    one = header.values["encoding"] == "iso"
    values = header.digests.get("values") if one else values_digest(layer)
    return with_vectors(layer, header.digests["pattern"], values)


def verified(file: Reader, network: Network) -> Network:
    """Return the network, each layer of which is held against its digests as it is read.

    Where a digest is not declared, or rests on edges that a generator makes, nothing is compared.

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
    layers = network.layers

    def make(i: int) -> Layer:
        layer, header = layers[i], headers[i]
        if "pattern" in header.digests:
            procedural = header.pattern["encoding"] == "procedural"
            found = as_declared(layer, header) if procedural else layer_digests(layer)
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
