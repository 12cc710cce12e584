"""The lowering `native`: what is fused into one operator, who is given it, what it refuses."""

import numpy as np
import pytest
import scipy.sparse as sp
from small_graphs import conv, run, sparse
from small_graphs import network as images

import radixfmt as rx
from radixfmt import native
from radixfmt.backends import binding, ort
from radixfmt.backends.ort import Session
from radixfmt.backends.runtime import loadable
from radixfmt.backends.scipy import reference
from radixfmt.errors import UnsupportedError
from radixfmt.export import export, exporter, to_onnx

compiled = pytest.mark.skipif(native.library() is None, reason=native.MISSING)


def layer(name, n_in=48, n_out=48, seed=0):
    rng = np.random.default_rng(seed)
    edges = rx.Pattern.from_scipy(sp.csc_array(rng.random((n_in, n_out)) < 0.1))
    weights = rng.standard_normal(edges.nnz).astype(np.float32)
    return rx.Layer(name, edges, weights, rng.standard_normal(n_out).astype(np.float32))


def linear(i, source, made):
    return rx.Node("SparseLinear", (source,), (made,), layer=i)


def network(layers, nodes, *outputs, **tensors):
    ends = [rx.Value(name, ("B", 48)) for name in ("x", *outputs)]
    return rx.Network(layers, nodes, ends[:1], ends[1:], tensors)


def same(made, **options):
    """Return the operators of a model that gives the reference's numbers."""
    model = to_onnx(made, lowering="native", **options)
    x = np.random.default_rng(9).standard_normal((5, 48)).astype(np.float32)
    with Session(model, device="cpu", threads=1) as session:
        found = session.run_named({"x": x})
    wanted = reference(made, x) if len(made.outputs) == 1 else None
    if wanted is not None:
        np.testing.assert_allclose(found["y"], wanted, rtol=1e-5, atol=1e-4)
    return [node.op_type for node in model.graph.node]


def test_a_chain_with_bounds_is_one_operator():
    layers = [layer(f"layer{i}", seed=i) for i in range(3)]
    nodes = (
        linear(0, "x", "a"),
        rx.Node("Relu", ("a",), ("b",)),
        rx.Node("Clip", ("b", "", "most"), ("c",)),
        linear(1, "c", "d"),
        linear(2, "d", "e"),
        rx.Node("Clip", ("e", "least", "most"), ("y",)),
    )
    made = network(layers, nodes, "y", least=np.float32(-1), most=np.float32(2))
    assert same(made) == ["SparseStack"]


def test_what_is_read_twice_is_made():
    layers = [layer(f"layer{i}", seed=i) for i in range(3)]
    nodes = (
        linear(0, "x", "a"),
        rx.Node("Relu", ("a",), ("b",)),
        linear(1, "b", "c"),
        linear(2, "c", "d"),
        rx.Node("Add", ("d", "b"), ("y",)),
    )
    assert same(network(layers, nodes, "y")) == ["SparseLinear", "SparseStack", "Add"]
    # a bounded tensor whose unbounded one is an output too
    nodes = (linear(0, "x", "a"), rx.Node("Relu", ("a",), ("b",)), linear(1, "b", "y"))
    assert same(network(layers[:2], nodes, "y", "a")) == ["SparseLinear", "Relu", "SparseLinear"]


@pytest.mark.parametrize(
    "bound", [np.array([np.nan], np.float32), np.zeros(0, np.float32), np.float32(-9)]
)
def test_bounds_that_are_none_stay_as_they_are(bound):
    nodes = (linear(0, "x", "a"), rx.Node("Clip", ("a", "least", "most"), ("y",)))
    made = network([layer("only")], nodes, "y", least=np.float32(0), most=bound)
    ops = [node.op_type for node in to_onnx(made, lowering="native").graph.node]
    assert ops == ["SparseLinear", "Clip"]


def test_two_chains_are_one_stack_and_single_operators():
    layers = [layer(f"layer{i}", seed=i) for i in range(5)]
    nodes = (
        linear(0, "x", "a"),
        linear(1, "a", "b"),
        rx.Node("Sigmoid", ("b",), ("c",)),
        linear(2, "c", "d"),
        linear(3, "d", "e"),
        linear(4, "e", "y"),
    )
    ops = same(network(layers, nodes, "y"))
    assert ops == ["SparseLinear", "SparseLinear", "Sigmoid", "SparseStack"]


@compiled
def test_only_a_session_chooses_it_unasked():
    made = rx.chain([layer(f"layer{i}", 512, 512, seed=i) for i in range(2)], activation="Relu")
    assert "native" not in {choice.lowering for choice in export(made).layers}
    with Session(made, device="cpu") as session:
        kept = session._session.get_modelmeta().custom_metadata_map["radixfmt.lowering"]
    assert kept == "native"


@compiled
def test_without_kernels_a_session_cuts_tiles(monkeypatch):
    model = to_onnx(rx.chain([layer("only", 512, 512)]), lowering="native")
    monkeypatch.setattr(ort.Session, "_call", lambda _, x: rows.append(len(x)) or x)
    x = np.zeros((700, 512), np.float32)
    for kernels, wanted in ((True, [700]), (False, [256, 256, 188])):
        monkeypatch.setattr(binding, "has_kernels", lambda _, there=kernels: there)
        rows = []
        with Session(model, device="cpu", threads=1) as session:
            session.run(x)
        assert rows == wanted


def test_definitions_that_fill_memory_are_refused(monkeypatch):
    made = rx.chain([layer(f"layer{i}", seed=i) for i in range(3)])
    monkeypatch.setattr(exporter, "LARGEST_EXPANDED", 2 * 48 * 48 * 4)
    with pytest.raises(UnsupportedError, match="27648 so far"):
        to_onnx(made, lowering="native")
    to_onnx(made, lowering="native", allow_dense=True)


@compiled
@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_definitions_that_are_not_run_may_be_large_on_cuda(monkeypatch, precision):
    made = rx.chain([layer(f"layer{i}", seed=i) for i in range(3)])
    monkeypatch.setattr(exporter, "LARGEST_EXPANDED", 2 * 48 * 48 * 4)
    model = loadable(made, lowering="native", target="cuda", precision=precision)
    assert [node.op_type for node in model.graph.node] == ["SparseStack"]


def test_convolutions_with_their_bounds():
    places = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
    shapes = ((8, 3, 3, 3), (8, 8, 3, 3))
    layers = [conv(f"conv{i}", sparse(shape, seed=i), **places) for i, shape in enumerate(shapes)]
    nodes = [
        rx.Node("SparseConv", ("x",), ("a",), layer=0),
        rx.Node("Relu", ("a",), ("b",)),
        rx.Node("SparseConv", ("b",), ("c",), layer=1),
        rx.Node("Clip", ("c", "", "most"), ("y",)),
    ]
    most = {"most": np.float32(1)}
    net = images(layers, nodes, [("x", ("B", 3, 9, 9))], [("y", ("B", 8, 9, 9))], most)
    ops = [node.op_type for node in to_onnx(net, lowering="native").graph.node]
    assert ops == ["SparseConv", "SparseConv"]
    run(net, np.random.default_rng(0).random((2, 3, 9, 9), np.float32), lowering="native")
    # of an image of any size, and on CUDA, nothing is known
    net = images(layers, nodes, [("x", ("B", 3, "H", "W"))], [("y", ("B", 8, "H", "W"))], most)
    assert export(net, lowering="native").layers[0].lowering == "dense"
