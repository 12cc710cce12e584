"""Tests of the operators on tensor cores, on a GPU that is emulated; started by emulated_gpu.py."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
from emulated_gpu import GPU
from hypothesis import given, settings
from hypothesis import strategies as st

from radixfmt import native
from radixfmt.native.nodes import linear, model_of, stack
from radixfmt.native.packed import Packed

TILES = (2, 232448, 50 << 20)
"""A GPU that is fastest with tiles: of 28 samples up to 56, then of 64."""


def started(model, tf32="1"):
    """Return a session on that GPU."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    GPU.library.emulate(*TILES)
    if tf32 is not None:
        options.add_session_config_entry(native.TF32, tf32)
    options.register_custom_ops_library(GPU.path)
    return ort.InferenceSession(model.SerializeToString(), options)


def tensor_calls():
    return GPU.calls("tensor_28") + GPU.calls("tensor_64")


def rounded(values):
    """Return float32 values with 10 bits of mantissa, halves away from zero."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    kept = ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isnan(values), values, kept).astype(np.float32)


def fills(layer):
    """Return whether weights fill at least half of a tensor core's steps."""
    _, m, k = layer.weights.shape
    return 2 * m * k >= -(-m // 16) * 16 * -(-k // 16) * 16


def blocks(groups, m, k, n_in, rng, *, exact=False, low=-np.inf, high=np.inf):
    """Return a layer of groups, with outputs in disorder and rows that are nobody's."""
    weights = rng.normal(size=(groups, m, k)) / np.sqrt(k)
    n_out = groups * m - rng.integers(0, min(groups * m, 5))
    bias = rng.normal(size=n_out)
    if exact:
        weights, bias = rng.integers(-2, 3, (groups, m, k)) / 2, rng.integers(-3, 4, n_out)
    return Packed(
        "blocks",
        n_in,
        weights.astype(np.float32),
        rng.integers(0, n_in, (groups, k)).astype(np.int32),
        rng.permutation(groups * m)[:n_out].astype(np.int32),
        bias.astype(np.float32),
        np.ones(1, np.float32),
        low,
        high,
    )


def rows(n_in, n_out, rng, **bounds):
    """Return a layer of two inputs for each output."""
    inputs = np.sort([rng.permutation(n_in)[:2] for _ in range(n_out)], axis=1)
    return Packed(
        "rows",
        n_in,
        rng.integers(-2, 3, inputs.size).astype(np.float32),
        inputs.reshape(-1).astype(np.int32),
        (np.arange(n_out + 1) * 2).astype(np.int32),
        rng.integers(-3, 4, n_out).astype(np.float32),
        np.ones(1, np.float32),
        **bounds,
    )


def computed(layer, x, change=np.float64):
    """Return what a layer makes of samples in float64; `change` is done to both factors."""
    weights, x = change(layer.weights).astype(np.float64), change(x).astype(np.float64)
    if layer.form == "rows":
        sums = (weights * x[:, layer.inputs]).reshape(len(x), -1, 2).sum(2)
    else:
        groups = [x[:, i] @ w.T for i, w in zip(layer.inputs, weights, strict=True)]
        sums = np.concatenate(groups, axis=1)[:, layer.outputs]
    return np.clip(sums + layer.bias, layer.low, layer.high)


@settings(max_examples=60)
@given(
    groups=st.integers(1, 7),
    m=st.sampled_from([1, 7, 8, 9, 15, 16, 17, 31, 32, 40]),
    k=st.sampled_from([1, 3, 7, 8, 12, 16, 17, 31, 32, 33, 50]),
    batch=st.sampled_from([1, 5, 28, 29, 56, 57, 64, 100]),
    seed=st.integers(0, 9),
)
def test_a_layer(groups, m, k, batch, seed):
    rng = np.random.default_rng(seed)
    layer = blocks(groups, m, k, 60, rng)
    x = rng.normal(size=(batch, 60)).astype(np.float32)
    before = tensor_calls()
    found = started(model_of([linear(layer, "x", "y", "a")], 60, layer.n_out)).run(None, {"x": x})
    assert tensor_calls() - before == fills(layer)
    change = rounded if fills(layer) else np.float64
    np.testing.assert_allclose(found[0], computed(layer, x, change), rtol=1e-5, atol=4e-6)
    np.testing.assert_allclose(found[0], computed(layer, x), rtol=1e-2, atol=1e-2)


@settings(max_examples=40)
@given(
    forms=st.lists(st.sampled_from(["rows", "tensor", "float32"]), min_size=1, max_size=4),
    batch=st.sampled_from([1, 27, 56, 60, 100]),
    seed=st.integers(0, 9),
)
def test_a_stack_of_numbers_that_need_no_rounding(forms, batch, seed):
    rng = np.random.default_rng(seed)
    n_in = width = int(rng.integers(20, 70))
    wanted = x = rng.integers(-8, 9, (batch, n_in)).astype(np.float32)
    layers = []
    for form in forms:
        if form == "rows":
            made = rows(width, int(rng.integers(20, 70)), rng, low=-9.0, high=9.0)
        else:
            m, k = (13, int(rng.choice([11, 16, 21, 39]))) if form == "tensor" else (5, 5)
            made = blocks(6, m, k, width, rng, exact=True, low=-9.0, high=9.0)
            assert fills(made) == (form == "tensor")
        layers.append(made)
        wanted, width = computed(made, wanted), made.n_out
    before = tensor_calls()
    session = started(model_of([stack(layers, "x", "y", "a")], n_in, width))
    assert (session.run(None, {"x": x})[0] == wanted).all()
    assert tensor_calls() - before == ("tensor" in forms)


@pytest.mark.parametrize("batch", [28, 64])
def test_activations_are_rounded_between_layers(batch):
    rng = np.random.default_rng(0)
    layers = [rows(50, 60, rng, low=0.1)]
    for groups, m, k, bounds in (
        (3, 16, 20, (0.0,)),
        (2, 24, 30, (-2.0, 0.7)),
        (5, 16, 32, (0.3,)),
    ):
        low, high = (*bounds, np.inf)[:2]
        layers.append(blocks(groups, m, k, layers[-1].n_out, rng, low=low, high=high))
    x = rng.normal(size=(batch, 50)).astype(np.float32)
    near = wanted = computed(layers[0], x)
    for layer in layers[1:]:
        near, wanted = computed(layer, near.astype(np.float32), rounded), computed(layer, wanted)
    session = started(model_of([stack(layers, "x", "y", "a")], 50, layers[-1].n_out))
    found = session.run(None, {"x": x})[0]
    # an activation between two numbers may go to either
    assert np.quantile(np.abs(found - near), 0.9) < 1e-5
    np.testing.assert_allclose(found, near, atol=2e-3)
    np.testing.assert_allclose(found, wanted, atol=1e-2)
    assert found.min() == np.float32(0.3), "what leaves the stack is not rounded"


@pytest.mark.parametrize("asked", [None, "0"])
def test_a_session_that_does_not_ask_computes_in_float32(asked):
    rng = np.random.default_rng(1)
    layer = blocks(4, 16, 32, 60, rng)
    model = model_of([linear(layer, "x", "y", "a")], 60, layer.n_out)
    x = rng.normal(size=(40, 60)).astype(np.float32)
    started(model).run(None, {"x": x})
    before = tensor_calls()
    found = started(model, tf32=asked).run(None, {"x": x})[0]
    assert tensor_calls() == before
    np.testing.assert_allclose(found, computed(layer, x), rtol=1e-5, atol=4e-6)


@pytest.mark.parametrize("k", [16, 21])
@pytest.mark.parametrize("batch", [30, 64])
def test_no_numbers_and_infinities_stay_where_they_are(batch, k):
    rng = np.random.default_rng(2)
    layer = blocks(5, 13, k, 60, rng, low=-3.0)
    x = rng.normal(size=(batch, 60)).astype(np.float32)
    x[2, 1], x[9, 3], x[20, :4] = np.nan, np.inf, -np.inf
    found = started(model_of([linear(layer, "x", "y", "a")], 60, layer.n_out)).run(None, {"x": x})
    with np.errstate(invalid="ignore"):
        wanted = computed(layer, x, rounded)
    assert not np.isfinite(wanted).all()
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=4e-6)


def test_outputs_whose_weights_are_of_any_size():
    rng = np.random.default_rng(3)
    layer = blocks(6, 16, 24, 60, rng)
    size = 10.0 ** rng.integers(-35, 36, (6, 16, 1))
    size[0, 0], size[0, 1] = 0, 1e-40
    weights = (np.abs(layer.weights) * size).astype(np.float32)
    weights[1, 3, 4], weights[1, 5, 6] = np.inf, np.nan
    weights[2, 7, 0] = weights[2, 7].max() * 2**22  # what it reads is nothing but zero
    size[2, 7] = 0  # no bias that would hide the others
    bias = (np.abs(layer.bias) * size.reshape(-1)[layer.outputs]).astype(np.float32)
    layer = replace(layer, weights=weights, bias=bias)
    x = np.abs(rng.normal(size=(33, 60))).astype(np.float32)
    x[:, layer.inputs[2, 0]] = 0
    found = started(model_of([linear(layer, "x", "y", "a")], 60, layer.n_out)).run(None, {"x": x})
    with np.errstate(invalid="ignore"):
        wanted = computed(layer, x)
    assert np.isinf(wanted).any(axis=0).sum() == np.isnan(wanted).any(axis=0).sum() == 1
    np.testing.assert_allclose(found[0], wanted, rtol=1e-2, atol=0)


@pytest.mark.parametrize("size", [1.0, 2.0**-116])
def test_small_weights_beside_a_large_one_keep_their_bits(size):
    rng = np.random.default_rng(4)
    layer = blocks(2, 16, 16, 16, rng)
    inputs = np.tile(np.arange(16, dtype=np.int32), (2, 1))
    small = rounded(rng.uniform(1, 2, layer.weights.shape)) * 2.0**-22
    small[:, :, 0] = 1  # and reads zero
    x = np.eye(16, dtype=np.float32) / np.float32(size)
    x[0] = 0
    layer = replace(layer, inputs=inputs, bias=np.zeros_like(layer.bias))

    def outputs(weights):
        made = replace(layer, weights=(weights * size).astype(np.float32))
        model = model_of([linear(made, "x", "y", "a")], 16, layer.n_out)
        return started(model).run(None, {"x": x})[0], computed(made, x)

    found, wanted = outputs(small)
    np.testing.assert_array_equal(found, wanted.astype(np.float32))
    found, _ = outputs(np.where(small == 1, 1, 3 * 2.0**-33))
    assert np.unique(found[1:]).tolist() == [
        2.0**-31
    ]  # multiples of 2^-32 are kept, a half goes up


def test_sums_stay_finite_up_to_their_bound():
    layer = blocks(1, 16, 16, 16, np.random.default_rng(5))
    layer = replace(
        layer,
        weights=np.ones((1, 16, 16), np.float32),
        inputs=np.arange(16, dtype=np.int32)[None],
        bias=np.zeros_like(layer.bias),
    )
    x = np.full((3, 16), 2.0**114, np.float32)
    model = model_of([linear(layer, "x", "y", "a")], 16, layer.n_out)
    assert np.unique(started(model).run(None, {"x": x})[0]).tolist() == [2.0**118]
