"""The comparison that `radixfmt export` makes can fail where it should."""

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.evidence import UncheckedError, evidence
from radixfmt.backends.parity import weakness
from radixfmt.backends.samples import probes
from radixfmt.backends.scipy import reference
from radixfmt.errors import ParityError, UnsupportedError
from radixfmt.export import to_onnx


@pytest.fixture(scope="module")
def saturating():
    return rx.generate("graph-challenge", neurons=1024, layers=24)


def typed(net, kind):
    (x,), (y,) = net.inputs, net.outputs
    return rx.Network(
        net.layers, net.graph, (rx.Value(x.name, x.shape, kind),),
        (rx.Value(y.name, y.shape, kind),), net.tensors,
    )  # fmt: skip


def worse(model):
    """Return the model with the first 2D or larger weights 1 % larger."""
    from onnx import numpy_helper

    made = type(model)()
    made.CopyFrom(model)
    for item in made.graph.initializer:
        if "weight" in item.name:
            array = numpy_helper.to_array(item)
            item.CopyFrom(numpy_helper.from_array((array * 1.01).astype(array.dtype), item.name))
            return made
    raise AssertionError


def test_probes_are_of_three_kinds():
    x = probes(1024, np.dtype("float32"))
    assert x.shape == (24, 1024)
    ones = x[8:16]
    assert set(np.unique(ones)) == {0, 1}
    shares = ones.mean(axis=1)
    assert shares[0] == pytest.approx(0.02, abs=0.015)
    assert shares[-1] == pytest.approx(0.5, abs=0.06)
    assert x[:8].max() > 0.99
    assert x[16:].max() <= 0.1
    assert probes(3, np.dtype("float32")).any(axis=1).all()
    assert probes(0, np.dtype("float32")).shape == (24, 0)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([[0, 32], [32, 0]], "all 0 or 32"),
        ([[5]], "all 5"),
        ([[1, 2, 3], [1, 2, 3]], "the same for every sample"),
        (np.zeros((3, 0)), "no outputs"),
        ([[1, 2, 3], [1, 2, 4]], None),
    ],
)
def test_says_when_outputs_tell_little(outputs, said):
    found = weakness(outputs)
    assert found is None if said is None else said in found


def test_a_network_that_saturates_is_checked_where_it_does_not(saturating):
    model = to_onnx(saturating)
    found = evidence(saturating, model, to_onnx, layout="batch-major")
    assert found.weakness is not None
    assert 1 <= found.prefix <= 12
    assert 0 < found.max_rel < 1e-4
    with pytest.raises(ParityError):
        evidence(saturating, model, lambda part: worse(to_onnx(part)), layout="batch-major")


@pytest.mark.parametrize("layout", ["batch-major", "feature-major"])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_element_types_have_their_own_tolerance(kind, layout):
    net = rx.generate(
        "radix-net", systems=[[4, 4]] * 4, widths=[4] * 9, weights="he", activation="relu"
    )
    net = typed(net, kind)
    model = to_onnx(net, layout=layout)
    found = evidence(net, model, to_onnx, layout=layout)
    assert found.weakness is None
    assert found.max_rel < {"float16": 2e-2, "float32": 1e-5, "float64": 1e-12}[kind]
    if kind != "float16":
        with pytest.raises(ParityError):
            evidence(net, worse(model), to_onnx, layout=layout)


def graph(*nodes, tensors=None, shape=("B", 2), out=("B", 2), kind="float32"):
    layer = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 0.5)
    return rx.Network(
        [layer],
        (rx.Node("SparseLinear", ("x",), ("a",), layer=0), *nodes),
        (rx.Value("x", shape),),
        (rx.Value("y", out, kind),),
        tensors or {},
    )


@pytest.mark.parametrize("layout", ["batch-major", "feature-major"])
def test_graphs_that_are_no_chains_are_checked(layout):
    net = graph(
        rx.Node("Shape", ("x",), ("s",)),
        rx.Node("ConstantOfShape", ("s",), ("zeros",)),  # float32, whatever the others are
        rx.Node("Sum", ("a", "x", "zeros"), ("y",)),
    )
    model = to_onnx(net, layout=layout)
    found = evidence(net, model, to_onnx, layout=layout)
    assert found.max_rel < 1e-6
    assert (found.weakness, found.prefix) == (None, 0)
    with pytest.raises(ParityError):
        evidence(net, worse(model), to_onnx, layout=layout)


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (graph(rx.Node("RandomNormalLike", ("a",), ("y",))), "RandomNormalLike is random"),
        (
            graph(rx.Node("Neg", ("a",), ("b",)), rx.Node("Log", ("b",), ("c",)),
                  rx.Node("Log", ("a",), ("d",)), rx.Node("Add", ("c", "d"), ("y",))),
            "not all finite",
        ),
        (graph(rx.Node("Cast", ("a",), ("y",), {"to": 7}), kind="int64"), "no floats"),
        (
            graph(
                rx.Node("Tile", ("a", "much"), ("y",)),
                tensors={"much": np.array([10**6, 10**6])}, out=("C", 2 * 10**6),
            ),
            "too large for the float64 reference",
        ),
        (
            graph(
                rx.Node("Reshape", ("a", "shape"), ("b",)),
                rx.Node("Resize", ("b", "", "scales"), ("y",)),
                tensors={"shape": np.array([1, 1, -1, 2]),
                         "scales": np.array([1, 1, 2000, 1000], np.float32)},
                out=(1, 1, "D", "E"),
            ),
            "would take minutes",
        ),
    ],
)  # fmt: skip
def test_says_why_nothing_was_compared(net, why):
    with pytest.raises(UncheckedError, match=why):
        evidence(net, to_onnx(net), to_onnx, layout="batch-major")


def test_open_sizes_are_tried_until_the_graph_takes_them():
    """Only 32 places and no others can be cut into rows of 32."""
    net = graph(
        rx.Node("Reshape", ("a", "shape"), ("b",)),
        rx.Node("Add", ("b", "row"), ("y",)),
        tensors={"shape": np.array([0, 2, 32]), "row": np.ones(32, np.float32)},
        shape=("B", "T", 2), out=("B", 2, 32),
    )  # fmt: skip
    assert evidence(net, to_onnx(net), to_onnx, layout="batch-major").weakness is None


def test_topology_alone_is_refused_with_a_hint():
    net = rx.generate("radix-net", systems=[[2, 2]])
    for use in (to_onnx, lambda n: reference(n, np.ones((1, 4)))):
        with pytest.raises(UnsupportedError, match="no weights") as caught:
            use(net)
        assert "radixfmt convert IN OUT --weights he --seed S" in caught.value.hint
