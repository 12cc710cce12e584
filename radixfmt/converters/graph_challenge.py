"""`graph-challenge`: a folder of `n<N>-l<k>.tsv` files, one per layer, k from 1.

Biases and activations are not in such files. For the four published sizes they follow from the
challenge's rules and are added on reading; other sizes get none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters import converter
from radixfmt.converters.triples import format_triples, read_triples
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.files import replacing_folder
from radixfmt.model.digest import EXPANSION_LIMIT
from radixfmt.model.entries import widened
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.model.pattern import Pattern
from radixfmt.topologies.graph_challenge import BIAS, CLIP

if TYPE_CHECKING:
    from pathlib import Path

    from radixfmt.model.digest import NetworkDigests

NAME = re.compile(r"n(\d{1,10})-l(\d{1,7})\.tsv")


class GraphChallenge:
    """Reads and writes challenge folders."""

    suffixes = ()
    read_options = ()
    options = ()

    def read(self, path: Path) -> tuple[Network, list[str]]:
        """Return the network; each file is read when its layer is asked for.

        Raises:
            InputError: no layer files, a gap in their numbers, two sizes, or (on use) a bad line.
        """
        if not path.is_dir():
            raise InputError(f"{path}: expected a folder of n<N>-l<k>.tsv files, got a file")
        neurons, depth = _survey(path)
        bias, clip = BIAS.get(neurons), CLIP if neurons in BIAS else None

        def make(i: int) -> Layer:
            return _read_layer(path / f"n{neurons}-l{i + 1}.tsv", i, neurons, bias)

        layers = LazyLayers([("linear", (neurons, neurons))] * depth, make)
        assumed = []
        if bias is not None:
            assumed.append(
                f"bias {bias} and Clip{CLIP} come from the challenge's rules for "
                f"{neurons} neurons, not from the files"
            )
        return chain(layers, clip=clip, metadata=Metadata(name=path.resolve().name)), assumed

    def write(
        self,
        path: Path,
        network: Network,
        *,
        overwrite: bool,
        options: dict[str, Any],  # noqa: ARG002  this format has none
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write one file per layer; weights of a topology-only layer are written as 1.

        Raises:
            UnsupportedError: layers that are not square and of one size, or too large for text; a
                weight that is not finite as float32.
        """
        headers = network.headers
        sizes = {size for _, shape in headers for size in shape}
        if len(sizes) != 1 or any(kind != "linear" for kind, _ in headers):
            raise UnsupportedError(
                "graph-challenge: expected linear layers of one size throughout, got "
                + ", ".join(f"{a} → {b}" for _, (a, b) in headers[:4]),
                hint="matrix-market holds one layer of any shape (--layer N --to matrix-market)",
            )
        neurons = sizes.pop()
        losses = {"names and metadata", "the graph: activations and the order of layers"}
        with replacing_folder(path, overwrite=overwrite, ours=NAME) as folder:
            for i, layer in enumerate(network.layers):
                if layer.pattern.nnz > EXPANSION_LIMIT:
                    raise UnsupportedError(
                        f"graph-challenge: {layer.name} has {layer.pattern.nnz} edges; text files "
                        f"are written for at most {EXPANSION_LIMIT}"
                    )
                if layer.bias is not None:
                    losses.add("biases")
                plain, lost = widened(layer)
                losses.update(lost)
                if plain.dtype is None:
                    losses.add("that there are no weights (written as 1)")
                elif plain.dtype != np.float32:
                    losses.add(f"weight type {plain.dtype.name} (read back as float32)")
                (folder / f"n{neurons}-l{i + 1}.tsv").write_bytes(_format_layer(plain))
        return sorted(losses), None


def _survey(path: Path) -> tuple[int, int]:
    """Return (neurons, layers) after checking that the folder holds one whole network."""
    found = [match for entry in path.iterdir() if (match := NAME.fullmatch(entry.name))]
    if not found:
        raise InputError(
            f"{path}: expected files named n<N>-l<k>.tsv, got none",
            hint="graph-challenge reads a folder of layer files",
        )
    sizes = sorted({int(match[1]) for match in found})
    if len(sizes) > 1:
        raise InputError(f"{path}: expected layers of one size, got {sizes[0]} and {sizes[1]}")
    numbers = {int(match[2]) for match in found}
    missing = set(range(1, len(numbers) + 1)) - numbers
    if missing:
        raise InputError(
            f"{path}: expected layers 1 to {len(numbers)} without a gap; "
            f"n{sizes[0]}-l{min(missing)}.tsv is missing"
        )
    return sizes[0], len(numbers)


def _read_layer(path: Path, i: int, neurons: int, bias: float | None) -> Layer:
    entries = read_triples(path, (neurons, neurons))
    matrix = entries.tocsc()
    if matrix.nnz != entries.nnz or not matrix.has_canonical_format:
        matrix.sum_duplicates()
        if matrix.nnz != entries.nnz:
            raise InputError(
                f"{path}: expected every edge once, got {entries.nnz - matrix.nnz} repeated"
            )
    weights = matrix.data.astype(np.float32)
    iso = weights.size > 0 and bool((weights == weights[0]).all())
    return Layer(f"layer{i}", Pattern.from_scipy(matrix), weights[:1] if iso else weights, bias)


def _format_layer(layer: Layer) -> bytes:
    """Return one layer's lines, by column and then by row, as the published files are."""
    parts = []
    for start, stop, (columns, weights) in layer.blocks():
        destinations = np.repeat(np.arange(start, stop), np.diff(columns.indptr))
        values = np.ones(1) if weights is None else weights
        parts.append(
            format_triples(
                columns.indices,
                destinations,
                np.broadcast_to(values, columns.indices.shape),
                what=f"graph-challenge: {layer.name}",
            )
        )
    return b"".join(parts)


converter("graph-challenge")(GraphChallenge())
