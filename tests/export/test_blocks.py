"""A transformer block, and rows that depend on each other: what no layer alone computes."""

import numpy as np
import pytest
import torch
from small_graphs import close, linear, network, run, sparse
from torch.nn import functional as F  # noqa: N812  its usual name

import radixfmt as rx
from radixfmt.backends.evidence import evidence
from radixfmt.backends.ort import Session
from radixfmt.export import to_onnx


def transformer(width=16, heads=2):
    """Return a pre-norm block on `[B, T, width]` and its arrays; the last projection is shared."""
    w = {name: sparse((width, width), i) for i, name in enumerate(("q", "k", "v", "o"))}
    layers = [linear(name, array, np.full(width, 0.1, np.float32)) for name, array in w.items()]
    norm = {"scale": np.linspace(0.5, 1.5, width, dtype=np.float32)}
    split, joined = np.array([0, 0, heads, width // heads]), np.array([0, 0, width])
    nodes = [rx.Node("LayerNormalization", ("x", "scale"), ("n",), {"axis": -1})]
    for i, name in enumerate("qkv"):
        order = (0, 2, 3, 1) if name == "k" else (0, 2, 1, 3)
        nodes += [
            rx.Node("SparseLinear", ("n",), (name,), layer=i),
            rx.Node("Reshape", (name, "split"), (f"{name}s",)),
            rx.Node("Transpose", (f"{name}s",), (f"{name}t",), {"perm": order}),
        ]
    nodes += [
        rx.Node("MatMul", ("qt", "kt"), ("scores",)),
        rx.Node("Mul", ("scores", "root"), ("scaled",)),
        rx.Node("Softmax", ("scaled",), ("p",), {"axis": -1}),
        rx.Node("MatMul", ("p", "vt"), ("mixed",)),
        rx.Node("Transpose", ("mixed",), ("back",), {"perm": (0, 2, 1, 3)}),
        rx.Node("Reshape", ("back", "joined"), ("flat",)),
        rx.Node("SparseLinear", ("flat",), ("o",), layer=3),
        rx.Node("Add", ("o", "x"), ("h",)),
        rx.Node("Gelu", ("h",), ("g",)),
        rx.Node("SparseLinear", ("g",), ("last",), layer=3),
        rx.Node("Add", ("last", "h"), ("y",)),
    ]
    root = np.array((width // heads) ** -0.5, np.float32)
    tensors = {**norm, "split": split, "joined": joined, "root": root}
    shape = ("B", "T", width)
    return network(layers, nodes, [("x", shape)], [("y", shape)], tensors), w, norm["scale"]


@pytest.mark.parametrize(("batch", "words"), [(1, 7), (5, 3), (300, 2)])
def test_transformer_block(batch, words):
    net, w, scale = transformer()
    x = np.random.default_rng(9).standard_normal((batch, words, 16)).astype(np.float32)
    t = torch.from_numpy(x)
    n = F.layer_norm(t, (16,), torch.from_numpy(scale))
    q, k, v = ((n @ torch.from_numpy(w[c]) + 0.1).unflatten(-1, (2, 8)).transpose(1, 2)
               for c in "qkv")  # fmt: skip
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    o = torch.from_numpy(w["o"])
    h = mixed @ o + 0.1 + t
    wanted = F.gelu(h) @ o + 0.1 + h
    close(run(net, x)[0], wanted)
    with Session(net, device="cpu") as session:
        close(session.run(x), wanted)
    stored = [item.name for item in to_onnx(net).graph.initializer]
    assert sum(name.startswith("o/weight") for name in stored) == 1


def test_rows_that_depend_on_each_other_are_run_together():
    net = network(
        [],
        [rx.Node("CumSum", ("x", "axis"), ("y",))],
        [("x", ("T", 2))],
        [("y", ("T", 2))],
        {"axis": np.array(0)},
    )
    x = np.ones((1000, 2), np.float32)
    for threads in (1, 2):
        with Session(net, device="cpu", threads=threads, tile=8) as session:
            assert np.array_equal(session.run(x), np.cumsum(x, 0))


def test_batch_is_fixed_where_asked():
    net, _, _ = transformer()
    model = to_onnx(net, batch=2)
    sizes = [
        dim.dim_value or dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim
    ]
    assert sizes == [2, "T", 16]
    assert evidence(net, model, to_onnx, layout="batch-major").max_rel < 1e-4
