"""The comparison that `radixfmt export` makes can fail where it should."""

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.evidence import UncheckedError, evidence
from radixfmt.backends.parity import weakness
from radixfmt.backends.samples import probes
from radixfmt.errors import ParityError
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


def test_networks_beyond_the_reference_are_not_checked():
    layer = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 1.0)
    net = rx.Network(
        [layer],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Add", ("a", "x"), ("y",)),
        ),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", ("B", 2)),),
    )
    with pytest.raises(UncheckedError, match="operator Add"):
        evidence(net, to_onnx(net), to_onnx, layout="batch-major")
