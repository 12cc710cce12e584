"""Graphs from strangers: every way to run them answers or refuses in our own words."""

import time
from itertools import pairwise

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends import backend
from radixfmt.backends.ort import Session
from radixfmt.backends.scipy import reference
from radixfmt.errors import FormatError, InputError, ParameterError, RadixfmtError, UnsupportedError
from radixfmt.export import to_onnx
from radixfmt.export.lowerings import lowering as LOWERINGS  # noqa: N812  a table of them

EYE = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 1.0)


def network(*nodes, kind="float32", shape=("B", 2), tensors=None, layers=(EYE,), out=("B", 2)):
    return rx.Network(
        list(layers),
        nodes,
        (rx.Value("x", shape, kind),),
        (rx.Value("y", out, kind),),
        tensors or {},
    )


def linear(source="x", made="y", layer=0):
    return rx.Node("SparseLinear", (source,), (made,), layer=layer)


def refuse(net):
    for run in (to_onnx, lambda n: Session(n, device="cpu"), lambda n: reference(n, [[1, 2]])):
        with pytest.raises(UnsupportedError):
            run(net)


@pytest.mark.parametrize(
    "kind", ["object; drop", "V9", "float128", "not-a-type", "", "f4,", "complex64"]
)
def test_element_types(kind):
    refuse(network(linear(), kind=kind))


@pytest.mark.parametrize("inputs", [(), ("",), ("a", "x")])
def test_elementwise_nodes_without_their_input(inputs):
    nodes = (linear(made="a"), rx.Node("Relu", inputs, ("b",)), rx.Node("Add", ("a", "b"), ("y",)))
    refuse(network(*nodes))


def test_a_layer_without_its_input():
    with pytest.raises(FormatError, match="RX6008"):
        network(
            linear("", "a"), rx.Node("Relu", ("x",), ("b",)), rx.Node("Add", ("a", "b"), ("y",))
        )


def test_computed_bounds_run_where_they_can():
    nodes = (
        linear(made="a"),
        rx.Node("ReduceMax", ("a",), ("top",), {"keepdims": 0}),
        rx.Node("Clip", ("a", "", "top"), ("y",)),
    )
    with Session(network(*nodes), device="cpu") as session:
        assert session.run([[1, 2]]).tolist() == [[1, 2]]
    bound = (linear(made="a"), rx.Node("Relu", ("a",), ("b",)), rx.Node("Clip", ("a", "b"), ("y",)))
    with pytest.raises(RadixfmtError):  # not a scalar
        Session(network(*bound), device="cpu").run([[1, 2]])


def test_dense_tensors_in_the_place_of_samples():
    tensors = {"t": np.ones((1, 2), np.float32)}
    nodes = (linear("t", "a"), rx.Node("Add", ("x", "a"), ("y",)))
    with Session(network(*nodes, tensors=tensors), device="cpu") as session:
        assert session.run([[1, 2]]).tolist() == [[2, 3]]
    assert reference(network(*nodes, tensors=tensors), [[1, 2]]).tolist() == [[2, 3]]


@pytest.mark.parametrize(
    "node",
    [
        rx.Node("LeakyRelu", ("a",), ("y",), {"alpha": "x"}),
        rx.Node("Elu", ("a",), ("y",), {"alpha": (1, 2)}),
    ],
)
def test_attributes_of_another_type(node):
    refuse(network(linear(made="a"), node))


def test_names_that_no_file_can_hold():
    refuse(network(linear(made="\ud800"), rx.Node("Relu", ("\ud800",), ("y",))))


def test_layers_fed_with_integers():
    with pytest.raises(UnsupportedError, match="expected floats, got int64") as caught:
        to_onnx(network(linear(), kind="int64"))
    assert "Cast" in caught.value.hint


def test_outputs_of_another_kind_than_they_are_made():
    net = network(linear(), kind="float32")
    wrong = rx.Network(net.layers, net.graph, net.inputs, (rx.Value("y", ("B", 2), "int64"),))
    with pytest.raises(UnsupportedError, match="output 'y': expected float32.*, got int64"):
        to_onnx(wrong)


def test_symbolic_and_empty_shapes():
    open_ended = network(linear(), shape=("B", "n"))
    assert reference(open_ended, [[1, 2]]).tolist() == [[1, 2]]
    with pytest.raises(InputError, match="n_in = 2"):
        reference(open_ended, [[1, 2, 3]])
    with Session(open_ended, device="cpu") as session:
        assert session.run([[1, 2]]).tolist() == [[1, 2]]
        with pytest.raises(RadixfmtError):
            session.run([[1, 2, 3]])
    with pytest.raises(FormatError, match="RX6005"):
        network(linear(), shape=(), out=())


def test_a_batch_that_the_network_fixes():
    fixed = network(linear(), shape=(3, 2), out=(3, 2))
    to_onnx(fixed, batch=3)
    with pytest.raises(ParameterError, match="expected 3, as the network's input 'x' says, got 4"):
        to_onnx(fixed, batch=4)


def test_the_checker_has_the_last_word():
    bad = network(linear(made="a"), rx.Node("Concat", ("a", "x"), ("y",)))  # it lacks its axis
    with pytest.raises(UnsupportedError, match="ONNX's checker refuses the model") as caught:
        to_onnx(bad)
    assert "defect" in caught.value.hint


@pytest.mark.parametrize("lowering", ["auto", *LOWERINGS])
@pytest.mark.parametrize("sides", [(2, 0), (0, 2), (0, 0)])
def test_sides_of_no_neurons(sides, lowering):
    none = np.zeros(0, int)
    layer = rx.Layer("none", rx.Pattern.explicit(sides, np.zeros(sides[1] + 1, int), none), 1.0)
    net = network(linear(), layers=[layer], shape=("B", sides[0]), out=("B", sides[1]))
    assert reference(net, np.ones((3, sides[0]))).shape == (3, sides[1])
    if lowering not in ("auto", "dense"):
        with pytest.raises(UnsupportedError, match=f"none: cannot be lowered as {lowering}"):
            to_onnx(net, lowering=lowering)
        return
    for layout in ("batch-major", "feature-major"):
        to_onnx(net, lowering=lowering, layout=layout)
    with Session(net, lowering=lowering, device="cpu") as session:
        y = session.run(np.ones((3, sides[0])))
    assert y.shape == (3, sides[1])
    assert not y.any()


@pytest.mark.parametrize("lowering", list(LOWERINGS))
def test_a_layer_applied_often_is_stored_once(lowering):
    base = rx.generate("radix-net", systems=[[4, 4]], widths=[4, 4, 4], weights="he", bias=0.1)
    often = 2000
    names = ["x", *(f"a{i}" for i in range(often - 1)), "y"]
    net = network(
        *(linear(a, b) for a, b in pairwise(names)),
        layers=[base.layers[0]], shape=("B", 64), out=("B", 64),
    )  # fmt: skip
    began = time.monotonic()
    model = to_onnx(net, lowering=lowering)
    assert time.monotonic() - began < 20  # quadratic names and copied weights took minutes
    stored = [item.name for item in model.graph.initializer]
    stored += [item.values.name for item in model.graph.sparse_initializer]
    assert len([name for name in stored if "weight" in name]) <= 2  # its inputs lie in two orders
    assert len(stored) < 12


def test_closed_sessions_say_so():
    for name in backend:
        if name == "torch":
            pytest.importorskip("torch")
        runner = backend[name](network(linear()))
        runner.close()
        with pytest.raises(ParameterError, match="closed"):
            runner.run([[1, 2]])
