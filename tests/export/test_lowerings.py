"""Every registered lowering agrees with the float64 reference on every kind of pattern."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.export import to_onnx
from radixfmt.export.lowerings import lowering
from radixfmt.model.graph import ACTIVATIONS

NAMES = [*lowering, "auto"]
KINDS = ("random", "empty columns", "full columns", "zero edges", "groups", "band", "full")


def pattern(kind, n_in, n_out, rng):
    """Return a boolean W of one kind."""
    mask = rng.random((n_in, n_out)) < 0.3
    if kind == "empty columns":
        mask[:, ::2] = False
    elif kind == "full columns":
        mask[:, ::3] = True
    elif kind == "zero edges":
        mask[:] = False
    elif kind == "groups":
        mask = mask[:, rng.integers(0, n_out, n_out) // 3 % n_out]
    elif kind == "band":
        at = np.arange(n_out)[None, :] * n_in // n_out
        mask = (np.arange(n_in)[:, None] - at) % n_in < 4
    elif kind == "full":
        mask[:] = True
    return mask


@st.composite
def chains(draw):
    """Return a chain of one to three layers of random kinds, and its generator of numbers."""
    import scipy.sparse as sp

    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    widths = draw(st.lists(st.integers(1, 40), min_size=2, max_size=4))
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        mask = pattern(draw(st.sampled_from(KINDS)), n_in, n_out, rng)
        edges = rx.Pattern.from_scipy(sp.csc_array(mask))
        weights = draw(st.sampled_from(["one", "many"]))
        values = 0.5 if weights == "one" else rng.standard_normal(edges.nnz).astype(np.float32)
        bias = draw(st.sampled_from([None, 0.25, "many"]))
        bias = rng.standard_normal(n_out).astype(np.float32) if bias == "many" else bias
        layers.append(rx.Layer(f"layer{i}", edges, values, bias))
    activation = draw(st.sampled_from([None, "clip", *sorted(ACTIVATIONS)]))
    clip = (-1.0, 2.0) if activation == "clip" else None
    return rx.chain(layers, activation=None if clip else activation, clip=clip), rng


@pytest.mark.parametrize("name", NAMES)
@given(made=chains(), rows=st.integers(1, 9), target=st.sampled_from(["cpu", "cuda"]))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_agrees_with_reference(name, made, rows, target):
    from onnx.checker import check_model

    network, rng = made
    x = rng.standard_normal((rows, network.headers[0][1][0])).astype(np.float32)
    wanted = reference(network, x)
    for layout in ("batch-major", "feature-major"):
        model = to_onnx(network, lowering=name, target=target, layout=layout)
        check_model(model, full_check=True)
        with Session(model, device="cpu", threads=1) as session:
            found = session.run(x.T).T if layout == "feature-major" else session.run(x)
        # absolute where a sample's outputs are all tiny: sums cancel
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * (1 + abs(wanted).max()))


@pytest.mark.parametrize("name", NAMES)
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
