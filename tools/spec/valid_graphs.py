"""Valid vectors of graphs: convolutions, what networks other than chains need, dense tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from valid_vectors import Valid
from vector_networks import conv, graph, layer, linear, numbers

import radixfmt as rx
from radixfmt.model.dtypes import TENSOR_TYPES, dtype_of


def graphs() -> dict[str, Valid]:
    """Return them by name."""
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
        "tensors": Valid(
            "Dense tensors of every type, of ranks 0 to 8, and an empty one.", _tensors()
        ),
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
        [rx.Value("y", (1, 1, 1, 1, 1, 1, "B", 4))],
        tensors=tensors,
    )
