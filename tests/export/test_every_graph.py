"""Every node kind of the format, exported and run, against what torch computes."""

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from onnx.checker import check_model
from torch.nn import functional as F  # noqa: N812  its usual name

import radixfmt as rx
from radixfmt.backends.evaluator import evaluate
from radixfmt.backends.evidence import evidence
from radixfmt.backends.ort import Session
from radixfmt.errors import UnsupportedError
from radixfmt.export import export, to_onnx


def sparse(shape, seed=0, density=0.4):
    """Return a float32 array, most of it zeros."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * (rng.random(shape) < density)).astype(np.float32)


def linear(name, w, bias=None, dtype=np.float32):
    """Return the layer of W `[n_in, n_out]`."""
    pattern = rx.Pattern.from_scipy(sp.csc_array(w))
    return rx.Layer(name, pattern, w.T[w.T != 0].astype(dtype), bias)


def conv(name, weight, bias=None, *, strides, pads, dilations, group=1):
    """Return the layer of a weight `[C_out, C_in / group, …]`."""
    flat = linear(name, weight.reshape(weight.shape[0], -1).T)
    geometry = rx.ConvGeometry(weight.shape[2:], strides, pads, dilations, group)
    return rx.Layer(name, flat.pattern, flat.weights, bias, kind="conv", geometry=geometry)


def network(layers, nodes, inputs, outputs, tensors=None):
    def values(given):
        return tuple(v if isinstance(v, rx.Value) else rx.Value(*v) for v in given)

    return rx.Network(layers, tuple(nodes), values(inputs), values(outputs), tensors or {})


def run(net, *arrays, **options):
    """Return the outputs of onnxruntime, after the checker and the float64 reference agree."""
    model = to_onnx(net, **options)
    check_model(model, full_check=True)
    evidence(net, model, to_onnx, layout="batch-major")
    feeds = {value.name: x for value, x in zip(net.inputs, arrays, strict=True)}
    with Session(model, device="cpu", threads=1) as session:
        found = session.run_named(feeds)
    wanted = evaluate(net, feeds)
    for name, y in found.items():
        np.testing.assert_allclose(y, wanted[name], rtol=1e-3, atol=1e-3)
    return [found[value.name] for value in net.outputs]


def close(found, wanted, tolerance=1e-4):
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=tolerance, atol=tolerance)


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))
    group = draw(st.sampled_from([1, 2, 3]))
    each = st.integers(1, 3)
    sizes = draw(st.lists(st.integers(5, 7), min_size=rank, max_size=rank))
    return {
        "group": group,
        "channels": group * draw(st.integers(1, 2)),
        "outputs": group * draw(st.integers(1, 2)),
        "kernel": draw(st.lists(each, min_size=rank, max_size=rank)),
        "strides": draw(st.lists(each, min_size=rank, max_size=rank)),
        "dilations": draw(st.lists(st.integers(1, 2), min_size=rank, max_size=rank)),
        "pads": draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank)),
        "sizes": sizes,
        "bias": draw(st.booleans()),
        "batch": draw(st.sampled_from([1, 5])),
    }


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_convolutions_of_every_geometry(case):
    rank, channels = len(case["kernel"]), case["channels"]
    weight = sparse((case["outputs"], channels // case["group"], *case["kernel"]))
    weight.flat[0] = 1
    bias = np.arange(case["outputs"], dtype=np.float32) if case["bias"] else None
    moves = {name: tuple(case[name]) for name in ("strides", "pads", "dilations")}
    layer = conv("stem", weight, bias, **moves, group=case["group"])
    open_sizes = [f"D{i}" for i in range(rank)]
    net = network(
        [layer],
        [rx.Node("SparseConv", ("x",), ("y",), layer=0)],
        [("x", ("B", channels, *open_sizes))],
        [("y", ("B", case["outputs"], *(f"E{i}" for i in range(rank))))],
    )
    x = np.random.default_rng(1).standard_normal((case["batch"], channels, *case["sizes"]))
    x = x.astype(np.float32)
    before, after = case["pads"][:rank], case["pads"][rank:]
    around = [n for pair in zip(before[::-1], after[::-1], strict=True) for n in pair]
    wanted = (F.conv1d, F.conv2d, F.conv3d)[rank - 1](
        F.pad(torch.from_numpy(x), around),
        torch.from_numpy(weight),
        None if bias is None else torch.from_numpy(bias),
        stride=case["strides"],
        dilation=case["dilations"],
        groups=case["group"],
    )
    with Session(net, device="cpu", threads=1) as session:
        close(session.run(x), wanted)
    close(evaluate(net, {"x": x})["y"], wanted)


def test_convolution_says_that_it_is_dense():
    weight = sparse((4, 2, 3, 3))
    layer = conv("stem", weight, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1))
    net = network(
        [layer],
        [rx.Node("SparseConv", ("x",), ("y",), layer=0)],
        [("x", ("B", 2, 8, 8))],
        [("y", ("B", 4, 8, 8))],
    )
    for name in ("auto", "blocked"):
        (choice,) = export(net, lowering=name).layers
        assert choice.lowering == "dense"
        assert "scattered into a dense Conv" in choice.why


def test_residual_convolutional_net():
    """Depthwise and pointwise convolutions, batch norm, a skip, pooling, a dense node, a head."""
    depthwise = conv(
        "deep", sparse((4, 1, 3, 3), 1), np.ones(4, np.float32),
        strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), group=4,
    )  # fmt: skip
    pointwise = conv(
        "point", sparse((4, 4, 1, 1), 2), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)
    )
    head = linear("head", sparse((36, 3), 3), np.zeros(1, np.float32))
    rng = np.random.default_rng(4)
    norm = {name: rng.random(4).astype(np.float32) + 0.5 for name in ("s", "b", "m", "v")}
    dense = rng.standard_normal((5, 4, 1, 1)).astype(np.float32)
    net = network(
        [depthwise, pointwise, head],
        [
            rx.Node("SparseConv", ("x",), ("a",), layer=0),
            rx.Node("BatchNormalization", ("a", "s", "b", "m", "v"), ("n",), {"epsilon": 1e-3}),
            rx.Node("Relu", ("n",), ("r",)),
            rx.Node("SparseConv", ("r",), ("c",), layer=1),
            rx.Node("Add", ("c", "x"), ("d",)),
            rx.Node("Conv", ("d", "dense"), ("e",)),
            rx.Node("Concat", ("d", "e"), ("f",), {"axis": 1}),
            rx.Node("MaxPool", ("f",), ("p",), {"kernel_shape": (4, 4), "strides": (4, 4)}),
            rx.Node("Flatten", ("p",), ("g",)),
            rx.Node("SparseLinear", ("g",), ("y",), layer=2),
        ],
        [("x", ("B", 4, 8, 8))],
        [("y", ("B", 3)), ("d", ("B", 4, 8, 8))],
        {**norm, "dense": dense},
    )
    for batch in (1, 5):
        x = rng.standard_normal((batch, 4, 8, 8)).astype(np.float32)
        t = {name: torch.from_numpy(array) for name, array in (*norm.items(), ("x", x))}
        a = F.conv2d(t["x"], torch.from_numpy(sparse((4, 1, 3, 3), 1)), padding=1, groups=4) + 1
        r = F.relu(F.batch_norm(a, t["m"], t["v"], t["s"], t["b"], eps=1e-3))
        d = F.conv2d(r, torch.from_numpy(sparse((4, 4, 1, 1), 2))) + t["x"]
        f = torch.cat([d, F.conv2d(d, torch.from_numpy(dense))], 1)
        y = F.max_pool2d(f, 4).flatten(1) @ torch.from_numpy(sparse((36, 3), 3))
        found = run(net, x)
        close(found[0], y)
        close(found[1], d)


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


def test_batch_is_fixed_where_asked():
    net, _, _ = transformer()
    model = to_onnx(net, batch=2)
    sizes = [
        dim.dim_value or dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim
    ]
    assert sizes == [2, "T", 16]
    assert evidence(net, model, to_onnx, layout="batch-major").max_rel < 1e-4


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
