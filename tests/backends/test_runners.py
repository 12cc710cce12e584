"""Every registered backend agrees with the float64 reference and treats samples alike."""

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends import backend
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import ScipySession, reference
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.export.tiled import tile_for
from radixfmt.model.graph import ACTIVATIONS


@pytest.fixture(scope="module", params=list(backend))
def make(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return backend[request.param]


def network(activation="relu", **more):
    return rx.generate(
        "radix-net",
        systems=[[4, 4], [2, 2]],
        widths=[2, 3, 1, 2, 4],
        weights="he",
        bias=0.05,
        activation=activation,
        **more,
    )


def samples(rows, width=32):
    return np.random.default_rng(rows).standard_normal((rows, width)).astype(np.float32)


@pytest.mark.parametrize("activation", [None, *sorted(ACTIVATIONS)])
def test_agrees_with_reference(make, activation):
    net, x = network(activation), samples(9)
    with make(net) as runner:
        y = runner.run(x)
        assert runner.provider
    assert y.dtype == np.float32
    check(y, reference(net, x), tolerance=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 16, 17])
def test_tiles_meet(make, rows):
    net, x = network(), samples(rows)
    before = x.copy()
    with make(net, tile=8) as runner:
        y = runner.run(x)
    assert y.shape == (rows, 64)
    assert np.array_equal(x, before)
    check(y, reference(net, x))


@pytest.mark.parametrize(
    ("width", "rows"), [(1, 256), (512, 256), (1024, 128), (4096, 32), (65536, 32)]
)
def test_tiles_of_wide_layers_are_short(width, rows):
    assert tile_for(width) == rows


def test_takes_any_real_dtype_and_memory_order(make):
    net = network()
    with make(net) as runner:
        for dtype in ("bool", "uint8", "int64", "float64", ">f4"):
            x = (samples(6) > 0).astype(dtype)
            check(runner.run(np.asfortranarray(x)), reference(net, x))


def test_refuses_other_inputs(make):
    with make(network()) as runner:
        with pytest.raises(InputError, match="expected n_in = 32 values per row, got 31"):
            runner.run(samples(3, 31))
        with pytest.raises(InputError, match="expected 2 axes") as caught:
            runner.run(samples(3)[0])
        assert "x[None, :]" in caught.value.hint
        with pytest.raises(InputError, match="expected numbers, got dtype complex"):
            runner.run(samples(3).astype(complex))


def test_refuses_topology_only(make):
    with pytest.raises(UnsupportedError, match="layer0: it has no weights"):
        make(rx.generate("radix-net", systems=[[2, 2]]))


def test_clip_bounds_may_be_left_out(make):
    pattern = rx.Pattern.explicit((2, 1), [0, 2], [0, 1])
    cases = {("low",): [[1, 9]], ("", "high"): [[-4, 2]], ("low", "high"): [[1, 2]]}
    tensors = {"low": np.float32(1), "high": np.float32(2)}
    for bounds, wanted in cases.items():
        net = rx.Network(
            [rx.Layer("sum", pattern, 1.0)],
            (
                rx.Node("SparseLinear", ("x",), ("z",), layer=0),
                rx.Node("Clip", ("z", *bounds), ("y",)),
            ),
            (rx.Value("x", ("B", 2)),),
            (rx.Value("y", ("B", 1)),),
            {name: tensors[name] for name in bounds if name},
        )
        with make(net) as runner:
            assert runner.run([[-2, -2], [4, 5]]).T.tolist() == wanted


def test_chains_alone_run_on_csr_and_the_reference_runs_more():
    net = rx.Network(
        network().layers[:1],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Softmax", ("a",), ("y",)),
        ),
        (rx.Value("x", ("B", 32)),),
        (rx.Value("y", ("B", 48)),),
    )
    layer, x = net.layers[0], samples(2)
    z = np.exp(x @ layer.pattern.to_scipy(layer.weights) + layer.bias)
    np.testing.assert_allclose(reference(net, x), z / z.sum(axis=1, keepdims=True), rtol=1e-5)
    with pytest.raises(UnsupportedError, match="operator Softmax"):
        ScipySession(net)


def test_reference_keeps_a_tensor_that_is_used_again():
    layer = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 1.0)
    net = rx.Network(
        [layer, layer],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Relu", ("a",), ("b",)),
            rx.Node("SparseLinear", ("a",), ("y",), layer=1),
            rx.Node("SparseLinear", ("b",), ("z",), layer=1),
        ),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", ("B", 2)), rx.Value("z", ("B", 2))),
    )
    with pytest.raises(UnsupportedError, match="one input and one output"):
        reference(net, [[-1, 1]])
