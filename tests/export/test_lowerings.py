"""Every registered lowering agrees with the float64 reference on every kind of pattern."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx.checker import check_model

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.errors import UnsupportedError
from radixfmt.export import to_onnx
from radixfmt.export.lowerings import lowering
from radixfmt.model.graph import ACTIVATIONS

NAMES = [*lowering, "auto"]
KINDS = (
    "random", "empty columns", "empty rows", "full columns", "full rows", "ragged", "one edge",
    "zero edges", "groups", "band", "full",
)  # fmt: skip
TOLERANCES = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-6}  # attributes are float32


def pattern(kind, n_in, n_out, rng):
    """Return a boolean W of one kind."""
    random = rng.random((n_in, n_out))
    columns, rows = np.arange(n_out), np.arange(n_in)[:, None]
    mask = random < 0.3
    return {
        "random": mask,
        "empty columns": mask & (columns % 2 > 0),
        "empty rows": mask & (rows % 2 > 0),
        "full columns": mask | (columns % 3 == 0),
        "full rows": mask | (rows % 3 == 0),
        "ragged": random < rng.random(n_out) ** 3,
        "one edge": random == random.max(),
        "zero edges": random < 0,
        "groups": mask[:, rng.integers(0, n_out, n_out) // 3 % n_out],
        "band": (rows - columns * n_in // n_out) % n_in < 4,
        "full": random >= 0,
    }[kind]


@st.composite
def chains(draw):
    """Return a chain of one to three layers of random kinds, and its generator of numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from([*TOLERANCES]))
    widths = draw(st.lists(st.just(1) | st.integers(1, 40), min_size=2, max_size=4))
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        mask = pattern(draw(st.sampled_from(KINDS)), n_in, n_out, rng)
        edges = rx.Pattern.from_scipy(sp.csc_array(mask))
        weights = draw(st.sampled_from(["one", "many"]))
        values = rng.standard_normal(edges.nnz) / np.sqrt(n_in)
        values = 0.5 if weights == "one" else values.astype(kind)
        bias = draw(st.sampled_from([None, 0.25, "many"]))
        bias = rng.standard_normal(n_out).astype(kind) if bias == "many" else bias
        layers.append(rx.Layer(f"layer{i}", edges, values, bias))
    activations = sorted(ACTIVATIONS) if kind == "float32" else ["Relu", "Sigmoid", "Tanh"]
    activation = draw(st.sampled_from([None, "clip", *activations]))  # others: float32 at best
    clip = (-1.0, 2.0) if activation == "clip" else None
    made = rx.chain(layers, activation=None if clip else activation, clip=clip)
    ends = (rx.Value("x", ("B", widths[0]), kind), rx.Value("y", ("B", widths[-1]), kind))
    return rx.Network(made.layers, made.graph, ends[:1], ends[1:], made.tensors), rng


@pytest.mark.parametrize("name", NAMES)
@given(
    made=chains(),
    rows=st.integers(1, 9),
    fixed=st.booleans(),
    target=st.sampled_from(["cpu", "cuda"]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_agrees_with_reference(name, made, rows, fixed, target):
    network, rng = made
    kind = network.inputs[0].dtype
    x = rng.standard_normal((rows, network.headers[0][1][0])).astype(kind)
    wanted = reference(network, x)
    batch = rows if fixed else None
    if name == "native" and kind != "float32":
        with pytest.raises(UnsupportedError, match="cannot be lowered as native"):
            to_onnx(network, lowering=name)
        return
    for layout in ("batch-major", "feature-major"):
        model = to_onnx(network, lowering=name, target=target, layout=layout, batch=batch)
        check_model(model, full_check=not model.graph.sparse_initializer)
        with Session(model, device="cpu", threads=1) as session:
            found = session.run(x.T).T if layout == "feature-major" else session.run(x)
        assert found.dtype == kind
        # absolute where a sample's outputs are all tiny: sums cancel
        rounding = TOLERANCES[kind]
        np.testing.assert_allclose(
            found, wanted, rtol=rounding, atol=rounding * (1 + abs(wanted).max())
        )


@pytest.mark.parametrize("name", sorted({*NAMES} - {"native"}))
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_follows_the_input_dtype(name, dtype):
    network = rx.generate("radix-net", systems=[[4, 4]], widths=[3, 3, 3], weights="he", bias=0.1)
    value = rx.Value("x", ("B", 48), dtype)
    last = rx.Value("y", ("B", 48), dtype)
    network = rx.Network(network.layers, network.graph, (value,), (last,))
    x = np.random.default_rng(0).standard_normal((5, 48)).astype(dtype)
    with Session(network, lowering=name, device="cpu", threads=1) as session:
        y = session.run(x)
    assert y.dtype == dtype
    check(y, reference(network, x), tolerance=1e-12 if dtype == "float64" else 5e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [None, 1, 7])
def test_batch_is_open_or_fixed(name, batch):
    network = rx.generate("graph-challenge", neurons=1024, layers=2)
    model = to_onnx(network, lowering=name, batch=batch)
    size = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert (size.dim_value or size.dim_param) == (batch or "B")
    x = (np.random.default_rng(1).random((16, 1024)) < 0.2).astype(np.float32)
    with Session(model, device="cpu", threads=1) as session:
        np.testing.assert_allclose(session.run(x), reference(network, x), atol=1e-4)


def random_layer(name, n_in, fan_in, seed=0):
    """Return a layer without structure whose outputs have these fan-ins."""
    rng = np.random.default_rng(seed)
    inputs = [np.sort(rng.choice(n_in, k, replace=False)) for k in fan_in]
    edges = rx.Pattern.explicit(
        (n_in, len(inputs)), np.cumsum([0, *fan_in]), np.concatenate([np.zeros(0, int), *inputs])
    )
    weights = rng.standard_normal(edges.nnz).astype(np.float32)
    return rx.Layer(name, edges, weights, rng.standard_normal(len(inputs)).astype(np.float32))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 5, 256])
def test_layers_large_enough_to_be_cut(name, batch):
    fan_in = np.random.default_rng(1).zipf(1.5, 1000).clip(0, 900)
    fan_in[::7] = 0
    layers = [random_layer("a", 1000, fan_in), random_layer("b", 1000, [20] * 300)]
    network = rx.chain(layers, activation="Relu")
    x = np.random.default_rng(2).standard_normal((batch, 1000)).astype(np.float32)
    for target in ("cpu", "cuda"):
        with Session(
            to_onnx(network, lowering=name, batch=batch, target=target), device="cpu", threads=1
        ) as session:
            check(session.run(x), reference(network, x))


def test_gather_pads_little_and_stays_in_cache():
    fan_in = np.random.default_rng(1).integers(1, 60, 4096)
    network = rx.chain([random_layer("wide", 4096, fan_in)])
    model = to_onnx(network, lowering="gather")
    sizes = [i.dims[0] for i in model.graph.initializer if i.name.endswith("/rows")]
    assert sum(sizes) < 1.05 * fan_in.sum()
    assert len(sizes) > 16
    (tile,) = (int(p.value) for p in model.metadata_props if p.key == "radixfmt.tile")
    assert max(sizes) * tile * 4 <= 2**19


def test_gather_is_chosen_where_random_edges_are_few():
    network = rx.chain([random_layer("few", 4096, [8] * 4096)])
    for batch, ops in ((1, {"Mul", "ReduceSum"}), (64, {"Gather", "Conv"})):
        model = to_onnx(network, batch=batch)
        assert ops <= {node.op_type for node in model.graph.node}
        assert "gather" in {p.value for p in model.metadata_props if p.key.endswith("lowering")}
