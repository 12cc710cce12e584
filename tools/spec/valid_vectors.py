"""The valid vectors: together they use every feature of the format at least once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from valid_edits import by_rows, newer_minor, other_text_types, stored_in_every_way, wider_indices
from vector_networks import (
    chain,
    conv,
    generated,
    graph,
    layer,
    linear,
    numbers,
    pattern,
    quantized,
    said,
)

import radixfmt as rx
from radixfmt.generators.permuted import permuted
from radixfmt.model.dtypes import TENSOR_TYPES, VALUE_TYPES, dtype_of

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
    return {
        **_edges(),
        **_values(),
        **_generators(),
        **_graphs(),
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
            "Weights and biases of type bfloat16, each edge its own and one for all.",
            chain(
                "bfloat16",
                [
                    layer("each", 4, 3, "bfloat16", "bfloat16"),
                    rx.Layer("one", pattern(3, 5), numbers(1, "bfloat16"), numbers(1, "bfloat16")),
                ],
            ),
        ),
        "iso-types": Valid(
            "One value for all edges, of each type of level core.",
            chain(
                "iso-types", [rx.Layer(name, pattern(3, 3), numbers(1, name)) for name in core]
            ),
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


def _generators() -> dict[str, Valid]:
    nets = {"systems": [[2, 3], [3, 2]], "widths": [1, 2, 2, 3, 1]}
    one_bias = np.array([0.5], np.float32)

    def single(name: str, about: str, *patterns: rx.Pattern, bias: Any = None) -> Valid:
        layers = [rx.Layer(f"layer{i}", p, 0.25, bias) for i, p in enumerate(patterns)]
        return Valid(about, chain(name, layers))

    base = generated("radix-net", **nets, direction=-1, index=2)
    n_in, n_out = base.shape
    turned, swapped = np.roll(np.arange(n_in), 5), np.arange(n_out) ^ 1
    square = generated("radix-net", systems=[[4, 4]], widths=[1, 1, 1], direction=-1, index=1)
    huge = {"systems": [[16] * 9 + [2]], "widths": [1] * 11, "direction": -1}
    return {
        "radix-net": Valid(
            "radix-net/1: the four layers of a RadiX-Net, both directions, with weights.",
            chain(
                "radix-net",
                [
                    rx.Layer(f"layer{i}", p, numbers(p.nnz), numbers(p.shape[1]))
                    for i, p in enumerate(
                        generated("radix-net", **nets, direction=(-1, 1)[i % 2], index=i)
                        for i in range(4)
                    )
                ],
            ),
        ),
        "graph-challenge": Valid(
            "graph-challenge/1: layers 1 and 13 of 1024 neurons, weights 1/16, Clip(0, 32).",
            rx.chain(
                [
                    rx.Layer(f"layer{k}", p, 1 / 16, -0.3)
                    for k, p in (
                        (k, generated("graph-challenge", neurons=1024, layer=k)) for k in (1, 13)
                    )
                ],
                clip=(0.0, 32.0),
                metadata=said("graph-challenge"),
            ),
        ),
        "dense": single("dense", "dense/1.", generated("dense", inputs=3, outputs=5)),
        "identity": single("identity", "identity/1.", generated("identity", size=6)),
        "permuted": single(
            "permuted",
            "permuted/1 with a permutation of the inputs, of the outputs, and of both.",
            permuted(square, np.roll(np.arange(16), 5), None),
            permuted(square, None, np.arange(16) ^ 5),
            permuted(square, np.arange(16)[::-1], np.roll(np.arange(16), 3)),
        ),
        "permuted-wide": Valid(
            "permuted/1 of a rectangular layer, with a weight for each edge in canonical order.",
            chain(
                "permuted-wide",
                [rx.Layer("layer", permuted(base, turned, swapped), numbers(base.nnz))],
            ),
        ),
        "recipe-radix-net": single(
            "recipe-radix-net",
            "radix-net/1 with 2^37 neurons and 2^41 edges: digests are of the recipe.",
            generated("radix-net", **huge, index=0),
            bias=one_bias,
        ),
        "recipe-dense": single(
            "recipe-dense",
            "dense/1 with 2^40 edges before identity/1 with 2^38: digests are of the recipe.",
            generated("dense", inputs=4, outputs=2**38),
            generated("identity", size=2**38),
            bias=one_bias,
        ),
    }


def _graphs() -> dict[str, Valid]:
    lengths = [
        rx.ConvGeometry((3,), (1,), (1, 1), (1,), 2),
        rx.ConvGeometry((2, 2), (2, 1), (1, 0, 1, 1), (1, 2)),
        rx.ConvGeometry((2, 1, 2), (1, 1, 2), (0, 0, 1, 0, 0, 1), (1, 1, 1), 2),
    ]
    sizes = [("B", 4, 8), ("B", 2, 6, 6), ("B", 2, 3, 3, 3)]
    convs = graph(
        "conv",
        [conv(f"{len(s) - 2}d", 4, g, int(s[1])) for g, s in zip(lengths, sizes, strict=True)],
        [rx.Node("SparseConv", (f"x{i}",), (f"y{i}",), layer=i) for i in range(3)],
        [rx.Value(f"x{i}", shape) for i, shape in enumerate(sizes)],
        [rx.Value("y0", ("B", 4, 8)), rx.Value("y1", ("B", 4, 4, 5)),
         rx.Value("y2", ("B", 4, 2, 3, 2))],
    )  # fmt: skip
    return {
        "conv": Valid("Convolutions of rank 1, 2 and 3; two of them with groups.", convs),
        "graph": Valid(
            "Skips, a shared layer, several inputs and outputs, inputs left out, attributes of "
            "every kind, symbolic sizes; nodes stand in reverse order.",
            _block(),
        ),
        "tensors": Valid("Dense tensors of every type, of ranks 0 to 8, and an empty one.", _tensors()),
    }  # fmt: skip


def _block() -> rx.Network:
    """Return a graph with what a transformer, a recurrent net and exporters ask of one."""
    node = rx.Node
    nodes = [
        node("LayerNormalization", ("x", "scale", "shift"), ("n",), {"axis": -1, "epsilon": 1e-5}),
        linear("n", "up", 0),
        node("Gelu", ("up",), ("act",), {"approximate": "tanh"}),
        linear("act", "down", 1),
        node("Add", ("x", "down"), ("sum",)),
        linear("sum", "once", 2),
        node("Clip", ("once", "", "six"), ("kept",)),
        linear("kept", "twice", 2),
        node("Concat", ("sum", "twice"), ("both",), {"axis": 2}),
        node("Split", ("both",), ("left", "right"), {"axis": -1, "num_outputs": 2}),
        node("Transpose", ("left",), ("turned",), {"perm": (1, 0, 2)}),
        node(
            "LSTM",
            ("turned", "w", "r", "", "", "h"),
            ("", "last"),
            {
                "activations": ("HardSigmoid", "Tanh", "Tanh"),
                "activation_alpha": (0.25,),
                "activation_beta": (0.5,),
                "direction": "forward",
                "hidden_size": 2,
            },
        ),
        node("Constant", (), ("floats",), {"value_floats": (0.1, 1e-7, 16777216.0, 3e38, -1.5)}),
        node("ReduceMin", ("floats",), ("least",), {"keepdims": 0}),
        node("Constant", (), ("axes",), {"value_ints": ()}),
        node("ReduceSum", ("right", "axes"), ("same",), {"noop_with_empty_axes": 1}),
        node("Add", ("same", "least"), ("y",)),
        node("Not", ("flag",), ("flip",)),
        node("Where", ("flip", "y", "right"), ("z",)),
    ]
    tensors = {
        "scale": numbers(8),
        "shift": numbers(8, start=3),
        "six": np.array(6, np.float32),
        "w": numbers(64).reshape(1, 8, 8),
        "r": numbers(16).reshape(1, 8, 2),
    }
    return graph(
        "graph",
        [layer("up", 8, 12), layer("down", 12, 8), layer("shared", 8, 8, bias=None)],
        nodes[::-1],
        [rx.Value("x", ("batch", "time", 8)), rx.Value("h", (1, "batch", 2)),
         rx.Value("flag", ("batch", "time", 1), "bool")],
        [rx.Value("y", ("batch", "time", 8)), rx.Value("last", (1, "batch", 2)),
         rx.Value("z", ("batch", "time", 8))],
        tensors=tensors,
    )  # fmt: skip


def _tensors() -> rx.Network:
    """Return a graph that adds tensors of all types to the output of a layer."""
    shapes = [(), (4,), (1, 4), (3, 1, 4), (2, 1, 1, 4), (1,) * 7 + (4,), (2, 2), (4,)]
    tensors: dict[str, Any] = {}
    nodes = [linear("x", "z", 0)]
    for i, name in enumerate(TENSOR_TYPES):
        shape = shapes[i % len(shapes)] if name != "bool" else (4,)
        values = numbers(int(np.prod(shape)), "uint8").reshape(shape)
        tensors[name] = (values % 2 == 0) if name == "bool" else values.astype(dtype_of(name))
    tensors["none"] = np.empty((0, 3), np.float32)
    for name in tensors:
        nodes.append(rx.Node("Cast", (name,), (f"{name} as float",), {"to": 1}))
        nodes.append(rx.Node("ReduceSum", (f"{name} as float",), (f"sum of {name}",)))
    nodes.append(rx.Node("Sum", ("z", *(f"sum of {name}" for name in tensors)), ("y",)))
    return graph(
        "tensors",
        [layer("only", 3, 4)],
        nodes,
        [rx.Value("x", ("B", 3))],
        [rx.Value("y", ("B", "*", "*", "*", "*", "*", "*", "N"))],
        tensors=tensors,
    )


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
    ext = {
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
        "metadata": Valid("All metadata, numbers of every spelling.", replace(small, metadata=full)),
        "ext": Valid(
            "Arrays and a text under /ext.", replace(small, metadata=said("ext"), ext=ext)
        ),
        "text": Valid("Names and texts beyond ASCII; a null-terminated ASCII attribute.", unicode,
                      other_text_types),
        "newer-minor": Valid(
            "Version 1.7 with optional members that 1.0 does not name.",
            chain("newer-minor", [layer("first", 4, 3), layer("second", 3, 4)]),
            newer_minor,
        ),
    }  # fmt: skip


def _storage() -> dict[str, Valid]:
    wide = [layer("wide", 24, 40), layer("deep", 40, 24)]
    grid = numbers(15 * 11, "int16").reshape(15, 11)
    cube = numbers(5 * 4 * 3, "float64").reshape(5, 4, 3)
    plain = chain("storage", [*wide, layer("last", 24, 6)])
    mixed = replace(plain, ext={"org.example.radixfmt/grid": grid, "org.example.radixfmt/cube": cube})
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
            settings={"compat": "1.8"},
        ),
    }  # fmt: skip
