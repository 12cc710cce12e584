"""The valid vectors: together they use every feature of the format at least once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from valid_edits import (
    by_rows,
    newer_minor,
    other_spelling,
    other_text_types,
    small_chunks,
    stored_in_every_way,
    wider_indices,
)
from vector_networks import (
    chain,
    graph,
    layer,
    linear,
    numbers,
    pattern,
    quantized,
    said,
)

import radixfmt as rx
from radixfmt.model.dtypes import VALUE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Valid:
    """One valid vector.

    Attributes:
        about: one sentence.
        network: what a reader has to find.
        edit: what is done to the open file after the package wrote it.
        settings: of `radixfmt.write`.
    """

    about: str
    network: rx.Network
    edit: Callable[[Any], None] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def vectors() -> dict[str, Valid]:
    """Return all valid vectors by name."""
    from valid_graphs import graphs
    from valid_patterns import generators

    return {
        **_edges(),
        **_values(),
        **generators(),
        **graphs(),
        **_descriptions(),
        **_storage(),
    }


def _edges() -> dict[str, Valid]:
    three = [layer("first", 6, 5), layer("second", 5, 7), layer("third", 7, 4)]
    one = rx.Layer("one value", pattern(4, 6), 0.5)
    bare = rx.Layer("edges alone", pattern(6, 3))
    none = np.empty(0, np.float32)

    def empty(n_in: int, n_out: int) -> rx.Layer:
        edges = rx.Pattern.explicit((n_in, n_out), np.zeros(n_out + 1, int), none.astype(int))
        return rx.Layer(f"{n_in} to {n_out}", edges, none)

    return {
        "chain": Valid(
            "A chain of two explicit layers with float32 weights and Relu: the least there is.",
            chain("chain", three[:2], activation="Relu"),
        ),
        "indices": Valid(
            "Explicit CSC layers with indices of each type: u16, u32, u64.",
            chain("indices", three),
            wider_indices,
        ),
        "csr": Valid(
            "Explicit layers stored by rows: array, iso, topology-only and quantized values.",
            chain("csr", [three[2], one, bare, quantized("codes", 3, 5, "int8", 5)]),
            by_rows,
        ),
        "iso": Valid("One value for all edges, float32.", chain("iso", [one])),
        "topology-only": Valid("Edges without weights.", chain("topology-only", [bare])),
        "empty": Valid(
            "Layers without edges, without inputs, without outputs, and without either.",
            chain("empty", [empty(3, 2), empty(2, 0), empty(0, 0), empty(0, 3)]),
        ),
    }


def _values() -> dict[str, Valid]:
    core = [name for name in VALUE_TYPES if name != "bfloat16"]
    return {
        "value-types": Valid(
            "Weights and a bias of each type of level core.",
            chain("value-types", [layer(name, 4, 4, name, name) for name in core]),
        ),
        "bfloat16": Valid(
            "Weights and biases of type bfloat16, each edge its own and one for all; input and "
            "output too.",
            replace(
                chain(
                    "bfloat16",
                    [
                        layer("each", 4, 3, "bfloat16", "bfloat16"),
                        rx.Layer("one", pattern(3, 5), *[numbers(1, "bfloat16")] * 2),
                    ],
                ),
                inputs=(rx.Value("x", ("B", 4), "bfloat16"),),
                outputs=(rx.Value("y", ("B", 5), "bfloat16"),),
            ),
        ),
        "iso-types": Valid(
            "One value for all edges, of each type of level core.",
            chain("iso-types", [rx.Layer(name, pattern(3, 3), numbers(1, name)) for name in core]),
        ),
        "bits": Valid(
            "Zeros of both signs, infinity, two NaNs, a subnormal: digests are of bits.", _bits()
        ),
        "bias": Valid(
            "A bias for each output, one for all, and none.",
            chain(
                "bias",
                [
                    layer("each", 4, 5),
                    layer("one", 5, 3).replace(bias=0.25),
                    layer("none", 3, 4).replace(bias=None),
                ],
            ),
        ),
        "quantized": Valid(
            "Codes with a scale and a zero point for each output (int8) and for all (uint8).",
            chain(
                "quantized",
                [quantized("each", 5, 4, "int8", 4), quantized("one", 4, 6, "uint8", 1)],
            ),
        ),
    }


def _descriptions() -> dict[str, Valid]:
    small = chain("", [layer("only", 4, 3)])
    full = said(
        "metadata",
        description="Every member of metadata, and one that this version does not name.",
        license="CC-BY-4.0 OR Apache-2.0",
        authors=(
            {"name": "Josiah Carberry", "orcid": "0000-0002-1825-0097"},
            {"name": "Nobody Else"},
        ),
        citation=(
            {"doi": "10.48550/arXiv.1905.00416"},
            {"url": "https://graphchallenge.mit.edu"},
            {"text": "A talk, 2030."},
        ),
        created="2030-12-31T23:59:59Z",
        provenance=(
            {"activity": "generate", "tool": "a generator 1.0", "parameters": {"n": 4}, "seed": 7},
            {"activity": "train", "tool": "a trainer 2.1", "used": ["rx1:" + "0" * 64]},
        ),
        training={
            "epochs": 3,
            "loss": [2.5, 0.1, 1e-7, 1.5e300, 1e21, 5e-324, -0.001],
            "steps": 9007199254740991,
            "restarted": False,
            "scheduler": None,
        },
        other={"org.example.note": {"kept": [1, "two", 3.5]}},
    )
    ext: dict[str, Any] = {
        "org.example.radixfmt/matrix": np.arange(12, dtype=np.float64).reshape(3, 4) / 8,
        "org.example.radixfmt/deep/er/count": np.array(7, np.int16),
        "org.example.radixfmt/note": "Any text.",
    }
    name = "Netz „Größe“ — 网络 🕸"
    unicode = graph(
        name,
        [layer("Schicht 1: ß, é, 層", 3, 4)],
        [linear("входъ", "ausgabe→", 0)],
        [rx.Value("входъ", ("größe", 3))],
        [rx.Value("ausgabe→", ("größe", 4))],
        metadata=said(name, authors=({"name": "Émile Šimůnek"},), other={"ключ": "λόγος"}),
        ext={"org.example.radixfmt/text": "ἀρχή\nsecond line"},
    )
    return {
        "bare": Valid("No metadata at all.", replace(small, metadata=rx.Metadata())),
        "metadata": Valid(
            "All metadata, numbers of every spelling.", replace(small, metadata=full)
        ),
        "ext": Valid(
            "Arrays and a text under /ext.", replace(small, metadata=said("ext"), ext=ext)
        ),
        "text": Valid("Names and texts beyond ASCII; a null-terminated ASCII attribute.", unicode,
                      other_text_types),
        "spelling": Valid(
            "JSON that is not in RFC 8785 form: blanks, an escape, floats that no shortest decimal "
            "spells, empty attributes. Tensors whose names sort by their UTF-16 units.",
            _spelt(),
            other_spelling,
        ),
        "newer-minor": Valid(
            "Version 1.7 with optional members that 1.0 does not name.",
            chain("newer-minor", [layer("first", 4, 3), layer("second", 3, 4)]),
            newer_minor,
        ),
    }  # fmt: skip


def _spelt() -> rx.Network:
    """Return a graph with what `other_spelling` looks for."""
    nodes = [
        linear("é", "z", 0),
        rx.Node("Relu", ("z",), ("a",)),
        rx.Node("LeakyRelu", ("a",), ("b",), {"alpha": 0.1}),
        rx.Node("Elu", ("b",), ("c",), {"alpha": 1.0}),
        rx.Node("Sum", ("c", "\ufe6b", "🕸", "a\nb\x01"), ("y",)),
    ]
    tensors = {name: numbers(3, start=i) for i, name in enumerate(("\ufe6b", "🕸", "a\nb\x01"))}
    return graph(
        "spelling",
        [layer("only", 4, 3)],
        nodes,
        [rx.Value("é", ("B", 4))],
        [rx.Value("y", ("B", 3))],
        tensors=tensors,
    )


def _bits() -> rx.Network:
    """Return layers with elements that are equal, or none, to arithmetic and not to digests."""
    edges = pattern(15, 15)
    found = []
    for name in ("float32", "float16", "float64"):
        values = numbers(edges.nnz, name)
        values[:4] = -0.0, 0.0, np.inf, np.nan
        bits = values.view(f"u{values.itemsize}")
        bits[4:6] = bits[3] + 1, 1
        found.append(rx.Layer(name, edges, values, values[:1]))
    return chain("bits", found)


def _storage() -> dict[str, Valid]:
    wide = [layer("wide", 24, 40), layer("deep", 40, 24)]
    grid = numbers(15 * 11, "int16").reshape(15, 11)
    cube = numbers(5 * 4 * 3, "float64").reshape(5, 4, 3)
    plain = chain("storage", [*wide, layer("last", 24, 6)])
    mixed = replace(
        plain,
        ext={
            "org.example.radixfmt/grid": grid,
            "org.example.radixfmt/cube": cube,
            "org.example.radixfmt/early": numbers(10, "int32"),
        },
    )
    return {
        "storage": Valid(
            "Contiguous, compact and chunked arrays; shuffle, deflate and fletcher32 in every "
            "combination, chunks cut at the end, chunks of rank 2 and 3.",
            mixed,
            stored_in_every_way,
        ),
        "small": Valid(
            "Deflate on every array of 4 KiB or more.",
            chain("small", [layer("wide", 64, 96)]),
            settings={"small": True},
        ),
        "superblock-2": Valid(
            "Superblock of version 2, as HDF5 1.8 writes and reads it.",
            chain("superblock-2", wide, activation="Relu"),
            small_chunks,
            {"compat": "1.8"},
        ),
    }  # fmt: skip
