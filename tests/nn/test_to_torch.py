"""rx.to_torch: the same numbers as the reference, trainable, and back to a file."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import scipy.sparse as sp
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import radixfmt as rx
from radixfmt.backends.scipy import reference
from radixfmt.model.graph import ACTIVATIONS
from radixfmt.nn.operators import KNOWN
from radixfmt.nn.spatial import SPATIAL

SAMPLES = np.random.default_rng(0).standard_normal((5, 12)).astype(np.float32)


def networks():
    yield rx.generate("erdos-renyi", widths=[12, 30, 7], density=0.3, seed=2, weights="he",
                      bias=0.1, activation="tanh")  # fmt: skip
    yield rx.generate("radix-net", systems=[[2, 2, 3]], weights="constant=0.3", activation="Gelu")
    layers = rx.generate("erdos-renyi", widths=[12, 9], density=0.5, weights="normal").layers
    yield rx.chain(list(layers), clip=(0, 1))


@pytest.mark.parametrize("net", list(networks()), ids=repr)
def test_equals_the_reference_and_comes_back(net, tmp_path):
    module = rx.to_torch(net)
    made = module(torch.from_numpy(SAMPLES)).detach().numpy()
    np.testing.assert_allclose(made, reference(net, SAMPLES), rtol=1e-5, atol=1e-6)
    back = module.to_network()
    rx.write(tmp_path / "back.rx.h5", back)
    again = rx.to_torch(rx.read(tmp_path / "back.rx.h5"))
    assert torch.equal(again(torch.from_numpy(SAMPLES)), module(torch.from_numpy(SAMPLES)))
    assert [layer.name for layer in back.layers] == [layer.name for layer in net.layers]


def node_network(op, inputs, arrays, *, attributes=None, made=(("A", "B"),), shape=(3, 4)):
    """A graph of one node on x, whose outputs have the shapes `made`; others are dense tensors."""
    outputs = tuple(rx.Value(name, size) for name, size in zip("yz", made, strict=False))
    node = rx.Node(op, inputs, tuple(value.name for value in outputs), attributes or {})
    tensors = {name: np.asarray(array) for name, array in arrays.items()}
    return rx.Network((), (node,), (rx.Value("x", shape),), outputs, tensors)


def onnx_answer(op, inputs, arrays, x, attributes, outputs):
    node = helper.make_node(op, list(inputs), list(outputs), **(attributes or {}))
    make = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [make("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [make(name, onnx.TensorProto.UNDEFINED, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return ReferenceEvaluator(model).run(None, {"x": x})


f32, i64 = np.float32, np.int64
V4, ONE = np.array([1, -2, 0.5, 3], f32), np.ones(4, f32)
IMAGE = (2, 4, 5, 6)
CASES = [
    *[(op, ("x",), {}, {}, (3, 4)) for op in sorted(ACTIVATIONS)],
    ("Gelu", ("x",), {}, {"approximate": "tanh"}, (3, 4)),
    ("Celu", ("x",), {}, {"alpha": 2.0}, (3, 4)),
    ("Selu", ("x",), {}, {"alpha": 2.0, "gamma": 0.5}, (3, 4)),
    ("Clip", ("x", "", "b"), {"b": f32(0.5)}, {}, (3, 4)),
    ("Clip", ("x", "b"), {"b": f32(0.5)}, {}, (3, 4)),
    ("PRelu", ("x", "b"), {"b": V4}, {}, (3, 4)),
    *[(op, ("x", "b"), {"b": V4}, {}, (3, 4)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")],
    ("Pow", ("x", "b"), {"b": f32(2)}, {}, (3, 4)),
    ("Gemm", ("x", "w", "b"), {"w": np.ones((5, 4), f32), "b": f32([1, 2, 3, 4, 5])},
     {"transB": 1, "alpha": 0.5, "beta": 2.0}, (3, 4)),
    ("MatMul", ("x", "w"), {"w": np.arange(8, dtype=f32).reshape(4, 2)}, {}, (2, 3, 4)),
    ("Softmax", ("x",), {}, {"axis": 0}, (3, 4)),
    ("LogSoftmax", ("x",), {}, {}, (3, 4)),
    ("LayerNormalization", ("x", "s", "b"), {"s": V4, "b": ONE}, {"epsilon": 0.01}, (2, 3, 4)),
    ("BatchNormalization", ("x", "s", "b", "m", "v"),
     {"s": V4, "b": ONE, "m": V4, "v": np.abs(V4)}, {"epsilon": 0.01}, IMAGE),
    ("GroupNormalization", ("x", "s", "b"), {"s": V4, "b": ONE}, {"num_groups": 2}, IMAGE),
    ("InstanceNormalization", ("x", "s", "b"), {"s": V4, "b": ONE}, {}, IMAGE),
    ("Conv", ("x", "w"), {"w": np.arange(36, dtype=f32).reshape(2, 2, 3, 3)},
     {"group": 2, "pads": (1, 0, 0, 1), "strides": (2, 1)}, IMAGE),
    ("MaxPool", ("x",), {}, {"kernel_shape": (2, 3), "pads": (1, 0, 0, 1)}, IMAGE),
    ("MaxPool", ("x",), {}, {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1,) * 4}, IMAGE),
    ("AveragePool", ("x",), {}, {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}, IMAGE),
    ("GlobalAveragePool", ("x",), {}, {}, IMAGE),
    ("GlobalMaxPool", ("x",), {}, {}, IMAGE),
    ("Flatten", ("x",), {}, {"axis": 2}, IMAGE),
    ("Transpose", ("x",), {}, {"perm": (0, 2, 1)}, (2, 3, 4)),
    ("Reshape", ("x", "s"), {"s": i64([0, -1])}, {}, (2, 3, 4)),
    ("Squeeze", ("x", "s"), {"s": i64([1])}, {}, (2, 1, 4)),
    ("Unsqueeze", ("x", "s"), {"s": i64([-1, 0])}, {}, (3, 4)),
    ("Concat", ("x", "b"), {"b": np.ones((1, 4), f32)}, {"axis": 0}, (3, 4)),
    ("Expand", ("x", "s"), {"s": i64([2, 3, 1])}, {}, (3, 4)),
    ("Gather", ("b", "x"), {"b": np.arange(12, dtype=f32).reshape(4, 3)}, {}, "indices"),
    ("Slice", ("x", "a", "b", "c", "d"),
     {"a": i64([-1, 0]), "b": i64([-99, 99]), "c": i64([0, -1]), "d": i64([-2, 3])}, {}, (5, 4)),
    ("Split", ("x", "s"), {"s": i64([1, 3])}, {"axis": 1}, (3, 4)),
    ("Pad", ("x", "p", "v"), {"p": i64([1, 0, 0, 2]), "v": f32(7)}, {}, (3, 4)),
    ("ReduceMean", ("x", "s"), {"s": i64([-1])}, {"keepdims": 0}, (2, 3, 4)),
    ("ReduceSum", ("x",), {}, {"noop_with_empty_axes": 1}, (3, 4)),
    ("ReduceMax", ("x",), {}, {}, (3, 4)),
    ("Cast", ("x",), {}, {"to": 7}, (3, 4)),
    ("Shape", ("x",), {}, {"start": 1}, (2, 3, 4)),
    ("Where", ("c", "x", "b"), {"c": V4 > 0, "b": ONE}, {}, (3, 4)),
    ("Einsum", ("x", "x"), {}, {"equation": "ij,kj->ik"}, (3, 4)),
    ("Erf", ("x",), {}, {}, (3, 4)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "inputs", "arrays", "attributes", "shape"), CASES, ids=[c[0] for c in CASES]
)
def test_operators_are_onnx_operators(op, inputs, arrays, attributes, shape):
    if shape == "indices":
        x = np.array([[0, -1], [2, 1]])
    else:
        x = (3 * np.random.default_rng(1).standard_normal(shape)).astype(f32)
    outputs = ("y", "z") if op == "Split" else ("y",)
    wanted = onnx_answer(op, inputs, arrays, x, attributes, outputs)
    sizes = [array.shape for array in wanted]
    net = node_network(op, inputs, arrays, attributes=attributes, made=sizes, shape=x.shape)
    made = rx.to_torch(net)(torch.from_numpy(x))
    made = made if isinstance(made, tuple) else (made,)
    for ours, theirs in zip(made, wanted, strict=True):
        assert ours.detach().numpy().dtype == theirs.dtype
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-5)


def test_every_spatial_operator_is_compared():
    assert set(SPATIAL) | {"BatchNormalization"} <= {case[0] for case in CASES}


def block():
    """Convolution, batch norm, a skip, pooling, a sparse layer: what a residual net is made of."""
    rng = np.random.default_rng(3)
    geometry = rx.ConvGeometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))
    mask = rx.Pattern.from_scipy(sp.csc_array(rng.random((27, 3)) < 0.5))
    last = rx.Pattern.from_scipy(sp.csc_array(rng.random((3, 4)) < 0.8))
    layers = [
        rx.Layer("conv", mask, rng.standard_normal(mask.nnz).astype(f32), kind="conv",
                 geometry=geometry),
        rx.Layer("fc", last, rng.standard_normal(last.nnz).astype(f32), 0.5),
    ]  # fmt: skip
    nodes = (
        rx.Node("SparseConv", ("x",), ("a",), layer=0),
        rx.Node("BatchNormalization", ("a", "s", "b", "m", "v"), ("c",)),
        rx.Node("Relu", ("c",), ("d",)),
        rx.Node("Add", ("d", "x"), ("e",)),
        rx.Node("GlobalAveragePool", ("e",), ("f",)),
        rx.Node("Flatten", ("f",), ("g",)),
        rx.Node("SparseLinear", ("g",), ("y",), layer=1),
    )
    tensors = {"s": np.ones(3, f32), "b": np.zeros(3, f32), "m": np.zeros(3, f32),
               "v": np.ones(3, f32)}  # fmt: skip
    image = (rx.Value("x", ("B", 3, 6, 6)),)
    return rx.Network(layers, nodes, image, (rx.Value("y", ("B", 4)),), tensors)


def test_a_residual_block_trains_and_its_norm_follows():
    module = rx.to_torch(block())
    assert not module.training
    torch.manual_seed(0)
    x, y = torch.randn(32, 3, 6, 6), torch.randint(4, (32,))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    module.train()
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    back = module.to_network()
    assert not np.array_equal(back.tensors["s"], np.ones(3))
    assert not np.array_equal(back.tensors["m"], np.zeros(3))
    again = rx.to_torch(back)
    assert torch.equal(again(x), module.eval()(x))


def test_a_topology_is_trained_after_weights_are_drawn():
    net = rx.generate("radix-net", systems=[[2, 2, 3]], activation="Relu")
    with pytest.raises(rx.RadixfmtError, match="no weights") as caught:
        rx.to_torch(net)
    assert 'weights="he"' in caught.value.hint
    results = []
    for _ in range(2):
        module = rx.to_torch(net, weights="he", seed=5)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
        x = torch.from_numpy(SAMPLES)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = (module(x) - 1).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < losses[0]
        results.append(losses)
    assert results[0] == results[1]


def test_to_network_keeps_moved_edges_and_a_generators_record():
    net = rx.generate("radix-net", systems=[[3, 4]], weights="he")
    module = rx.to_torch(net)
    assert module.to_network().layers[0].pattern.record == net.layers[0].pattern.record
    rx.nn.rewire_(module, seed=1)
    moved = module.to_network().layers[0].pattern
    assert moved.record is None
    assert moved.nnz == net.layers[0].pattern.nnz


def test_state_dict_of_a_whole_network():
    net = rx.generate("erdos-renyi", widths=[12, 30, 7], density=0.3, seed=2, weights="he")
    a, b = rx.to_torch(net), rx.to_torch(net)
    rx.nn.prune_(a, 0.9)
    b.load_state_dict(a.state_dict())
    x = torch.from_numpy(SAMPLES)
    assert torch.equal(a(x), b(x))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rx.to_torch(node_network("Resize", ("x",), {})), "operators Resize are not among"),
        (lambda: rx.to_torch(block())(torch.zeros(1), torch.zeros(1)), r"expected 1 \(x\)"),
        (lambda: rx.to_torch(block())(torch.zeros(1, 5, 6, 6)), r"SparseConv2d: expected an input"),
        (
            lambda: rx.to_torch(node_network("Reshape", ("x", "s"), {"s": i64([5, 5])}))(
                torch.zeros(3, 4)
            ),
            "node Reshape → 'y': torch refuses it",
        ),
        (
            lambda: rx.to_torch(node_network("Softmax", ("x",), {}, attributes={"axis": "a"}))(
                torch.zeros(3, 4)
            ),
            "node Softmax → 'y': torch refuses it",
        ),
        (
            lambda: rx.to_torch(
                node_network("Conv", ("x", "w"), {"w": V4}, attributes={"auto_pad": "SAME_UPPER"})
            )(torch.zeros(3, 4)),
            "expected explicit pads",
        ),
        (
            lambda: rx.to_torch(node_network("Add", ("x", "b"), {"b": np.array(["a"])})),
            "tensor|b: expected an element type",
        ),
    ],
)  # fmt: skip
def test_what_torch_cannot_run_is_told(call, message):
    with pytest.raises(rx.RadixfmtError, match=message):
        call()


def test_the_activations_of_the_format_are_all_known():
    assert ACTIVATIONS | {"Clip"} <= KNOWN
