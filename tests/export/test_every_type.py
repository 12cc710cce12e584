"""Weights, activations and tensors of every type of the format, exported and run."""

import ml_dtypes
import numpy as np
import pytest
import torch
from onnx import numpy_helper
from small_graphs import close, conv, linear, network, run, sparse
from torch.nn import functional as F  # noqa: N812  its usual name

import radixfmt as rx
from radixfmt.backends.evidence import evidence
from radixfmt.backends.ort import Session
from radixfmt.errors import UnsupportedError
from radixfmt.export import export, to_onnx


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "int64", "uint8"])
def test_weights_of_every_type_meet_float32(dtype):
    dtype = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    w = np.round(3 * np.abs(sparse((8, 6)))) + np.eye(8, 6, dtype=np.float32)
    bias = np.arange(6).astype(dtype)
    for shape in (("B", 8), ("B", 2, 8)):
        net = network(
            [linear("fc", w, bias, dtype)],
            [rx.Node("SparseLinear", ("x",), ("y",), layer=0)],
            [("x", shape)],
            [("y", (*shape[:-1], 6))],
        )
        x = np.random.default_rng(0).standard_normal((3, *shape[1:])).astype(np.float32)
        (y,) = run(net, x)
        assert y.dtype == np.float32
        close(y, x @ w + np.arange(6))


def test_quantized_weights():
    w = sparse((8, 6))
    pattern = linear("fc", w).pattern
    codes = np.random.default_rng(0).integers(-9, 9, pattern.nnz).astype(np.int8)
    scale, zero = np.linspace(0.1, 0.6, 6, dtype=np.float32), np.arange(6, dtype=np.int8)
    layer = rx.Layer("fc", pattern, rx.Quantized(codes, scale, zero))
    dense = pattern.to_scipy(codes - np.repeat(zero, pattern.fan_in())).toarray() * scale
    net = network(
        [layer],
        [rx.Node("SparseLinear", ("x",), ("y",), layer=0)],
        [("x", ("B", 8))],
        [("y", ("B", 6))],
    )
    x = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    close(run(net, x)[0], x @ dense)


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16"])
def test_activations_of_other_types(kind):
    """A convolution, a linear layer of rank 3 and one of rank 2, and a tensor, all of one type."""
    dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else kind)
    c = conv("c", sparse((4, 2, 3)), strides=(1,), pads=(1, 1), dilations=(1,))
    w = sparse((6, 6), 1)
    add = np.full((4, 1), 0.5).astype(dtype)
    flat = linear("head", sparse((24, 2), 2))
    to = {"float16": 10, "float64": 11, "bfloat16": 16}[kind]
    net = network(
        [c, linear("fc", w), flat],
        [
            rx.Node("Cast", ("x",), ("i",), {"to": to}),
            rx.Node("SparseConv", ("i",), ("a",), layer=0),
            rx.Node("SparseLinear", ("a",), ("b",), layer=1),
            rx.Node("Add", ("b", "add"), ("d",)),
            rx.Node("Flatten", ("d",), ("e",)),
            rx.Node("SparseLinear", ("e",), ("y",), layer=2),
        ],
        [("x", ("B", 2, 6))],
        [("y", ("B", 2))],
        {"add": add},
    )
    x = np.random.default_rng(0).standard_normal((3, 2, 6)).astype(np.float32)
    a = F.conv1d(torch.from_numpy(x), torch.from_numpy(sparse((4, 2, 3))), padding=1).numpy()
    wanted = (a @ w + 0.5).reshape(3, -1) @ sparse((24, 2), 2)
    model = to_onnx(net)
    with Session(model, device="cpu", threads=1) as session:
        y = session.run(x)
    assert y.dtype == np.float32  # as the output declares
    close(y, wanted, 5e-2 if kind == "float16" else 1e-4)
    assert evidence(net, model, to_onnx, layout="batch-major").weakness is None
    if kind == "float64":
        assert "float32" in export(net).layers[0].why


def test_several_inputs_and_outputs_of_several_types():
    """Tokens through an embedding, a mask, a float64 input that keeps its type."""
    table = np.random.default_rng(0).standard_normal((10, 8)).astype(np.float32)
    w = sparse((8, 4))
    net = network(
        [linear("fc", w)],
        [
            rx.Node("Gather", ("table", "ids"), ("e",)),
            rx.Node("SparseLinear", ("e",), ("z",), layer=0),
            rx.Node("Where", ("mask", "z", "low"), ("y",)),
            rx.Node("Identity", ("ids",), ("same",)),
            rx.Node("Sqrt", ("scale",), ("root",)),
            rx.Node("Clip", ("ids", "zero", "two"), ("few",)),
        ],
        [("ids", ("B", "T"), "int64"), ("mask", ("B", "T", 1), "bool"), ("scale", (), "float64")],
        [("y", ("B", "T", 4)), ("same", ("B", "T"), "int64"), ("root", (), "float64"),
         ("few", ("B", "T"), "int64"), ("table", (10, 8)), ("mask", ("B", "T", 1), "bool")],
        {"table": table, "low": np.array(-9, np.float32), "zero": np.array(0), "two": np.array(2)},
    )  # fmt: skip
    ids, mask = np.array([[1, 9, 3], [0, 0, 7]]), np.array([[1, 1, 0], [1, 0, 0]], bool)[..., None]
    y, same, root, few, rows, again = run(net, ids, mask, np.array(2.0))
    close(y, np.where(mask, table[ids] @ w, -9))
    assert np.array_equal(same, ids)
    assert np.array_equal(few, np.clip(ids, 0, 2))
    assert root.dtype == np.float64
    assert root == np.sqrt(2)
    assert np.array_equal(rows, table)
    assert np.array_equal(again, mask)


def test_dense_tensors_keep_name_type_and_rank():
    rng = np.random.default_rng(0)
    kinds = ["float16", "float32", "float64", "bool", "int8", "uint8", "int16", "uint16", "int32",
             "uint32", "int64", "uint64"]  # fmt: skip
    tensors = {f"t.{kind}": rng.integers(0, 2, (1,) * (i % 9)).astype(kind)
               for i, kind in enumerate(kinds)}  # fmt: skip
    tensors["twin"] = tensors["t.float32"].copy()
    nodes = [rx.Node("Cast", (name,), (f"c.{name}",), {"to": 1}) for name in tensors]
    nodes.append(rx.Node("Sum", ("x", *(f"c.{name}" for name in tensors)), ("y",)))
    net = network([], nodes, [("x", ("B",))], [("y", (*(1,) * 7, "B"))], tensors)
    model = to_onnx(net)
    stored = {item.name: item for item in model.graph.initializer}
    for name, array in tensors.items():
        found = numpy_helper.to_array(stored[name])
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)


def test_weights_beyond_a_type_are_refused():
    layer = linear("fc", np.eye(2) * 1e6, dtype=np.float64)
    for name in ("dense", "blocked"):
        net = network(
            [layer],
            [rx.Node("SparseLinear", ("x",), ("y",), layer=0)],
            [("x", ("B", 2), "float16")],
            [("y", ("B", 2), "float16")],
        )
        with pytest.raises(UnsupportedError, match=r"fc: weights: .* float16 .* 1e\+06"):
            to_onnx(net, lowering=name)
