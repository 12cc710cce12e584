"""Graphs that are no chains: skips, ranks above two, operators passed through."""

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.backends.scipy import reference
from radixfmt.errors import UnsupportedError
from radixfmt.export import export, to_onnx
from radixfmt.export.lowerings import lowering

NAMES = [*lowering, "auto"]


def layers(count, n=64):
    """Return wired-alike layers of n neurons that `blocked` likes."""
    base = rx.generate(
        "radix-net", systems=[[2, 2]] * count, widths=[n // 4] * (2 * count + 1), weights="he"
    )
    return list(base.layers)[:count]


def matrices(made):
    return [layer.pattern.to_scipy(layer.weights).toarray() for layer in made]


def run(network, name, x, **options):
    from onnx.checker import check_model

    model = to_onnx(network, lowering=name, **options)
    check_model(model, full_check=not model.graph.sparse_initializer)
    with Session(model, device="cpu", threads=1) as session:
        return session.run(x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", ["batch-major", "feature-major"])
@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_skip_connections(name, layout, target):
    made = layers(3)
    network = rx.Network(
        made,
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Relu", ("a",), ("b",)),
            rx.Node("SparseLinear", ("b",), ("c",), layer=1),
            rx.Node("Add", ("c", "b"), ("d",)),
            rx.Node("Concat", ("d", "x"), ("e",), {"axis": 1}),
            rx.Node("Slice", ("e", "from", "to", "axis"), ("f",)),
            rx.Node("SparseLinear", ("f",), ("g",), layer=2),
            rx.Node("LeakyRelu", ("g",), ("y",), {"alpha": 1}),
        ),
        (rx.Value("x", ("B", 64)),),
        (rx.Value("y", ("B", 64)),),
        {"from": np.array([32]), "to": np.array([96]), "axis": np.array([1])},
    )
    w = matrices(made)
    x = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)
    b = np.maximum(x @ w[0], 0)
    e = np.concatenate([b @ w[1] + b, x], axis=1)
    wanted = e[:, 32:96] @ w[2]
    turned = layout == "feature-major"
    found = run(network, name, x.T if turned else x, layout=layout, target=target)
    np.testing.assert_allclose(found.T if turned else found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_inputs_of_rank_three(name, target):
    made = layers(1)
    made[0] = rx.Layer("token", made[0].pattern, made[0].weights, 0.5)
    network = rx.Network(
        made,
        (rx.Node("SparseLinear", ("x",), ("y",), layer=0),),
        (rx.Value("x", ("B", 3, 64)),),
        (rx.Value("y", ("B", 3, 64)),),
    )
    x = np.random.default_rng(0).standard_normal((2, 3, 64)).astype(np.float32)
    found = run(network, name, x, target=target)
    np.testing.assert_allclose(found, x @ matrices(made)[0] + 0.5, atol=1e-5)


@pytest.mark.parametrize("words", ["T", 5])
def test_wide_structured_layers_of_rank_three_are_blocked(words):
    base = rx.generate("radix-net", systems=[[16, 16]], widths=[4, 4, 4], weights="he", bias=0.1)
    made = list(base.layers)[:1] * 2
    network = rx.Network(
        made,
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Gelu", ("a",), ("b",)),
            rx.Node("SparseLinear", ("b",), ("c",), layer=1),
            rx.Node("Add", ("c", "x"), ("y",)),
        ),
        (rx.Value("x", ("B", words, 1024)),),
        (rx.Value("y", ("B", words, 1024)),),
    )
    assert [choice.lowering for choice in export(network).layers] == ["blocked"] * 2
    elsewhere = export(network, target="cuda", lowering="blocked").model
    assert "Shape" not in [node.op_type for node in elsewhere.graph.node]
    x = np.random.default_rng(0).standard_normal((2, 5, 1024)).astype(np.float32)
    np.testing.assert_allclose(run(network, "auto", x), reference(network, x), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_used_twice_and_an_input_passed_on(name):
    made = layers(1)
    network = rx.Network(
        made,
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("SparseLinear", ("a",), ("b",), layer=0),
            rx.Node("Mul", ("b", "scale"), ("y",)),
        ),
        (rx.Value("x", ("B", 64)),),
        (rx.Value("y", ("B", 64)),),
        {"scale": np.array([2], np.float32)},
    )
    w = matrices(made)[0]
    x = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
    np.testing.assert_allclose(run(network, name, x), 2 * x @ w @ w, rtol=1e-4, atol=1e-4)


def test_transposes_count_against_blocked():
    made = layers(1)
    nodes = (
        rx.Node("SparseLinear", ("x",), ("a",), layer=0),
        rx.Node("Softmax", ("a",), ("y",)),
    )
    network = rx.Network(made, nodes, (rx.Value("x", ("B", 64)),), (rx.Value("y", ("B", 64)),))
    assert [node.op_type for node in to_onnx(network).graph.node] == ["Gemm", "Softmax"]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (rx.Node("Blend", ("a",), ("y",)), "node 1: expected an operator of opset 21.*'Blend'"),
        (rx.Node("If", ("a",), ("y",)), "node 1: .* without subgraphs, got 'If'"),
        (rx.Node("Scatter", ("a", "a", "a"), ("y",)), "node 1: .* no longer one"),
        (rx.Node("Relu", ("a",), ("y",), {"alpha": 1.0}), "Relu has no attribute 'alpha'"),
    ],
)
def test_unknown_operators_and_attributes(node, message):
    network = rx.Network(
        layers(1),
        (rx.Node("SparseLinear", ("x",), ("a",), layer=0), node),
        (rx.Value("x", ("B", 64)),),
        (rx.Value("y", ("B", 64)),),
    )
    with pytest.raises(UnsupportedError, match=message):
        to_onnx(network)
