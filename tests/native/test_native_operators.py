"""Compiled kernels and the operators' own definitions agree with float64, and with each other."""

from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from native_cases import drawn, holds_on
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator

import radixfmt as rx
from radixfmt import native
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.model.tiling import tiling
from radixfmt.native import functions
from radixfmt.native.choice import blocks_cost, chosen
from radixfmt.native.nodes import linear, model_of, stack
from radixfmt.native.packed import pack

compiled = pytest.mark.skipif(native.library() is None, reason=native.MISSING)

TYPES = (np.float32, np.float16, ml_dtypes.bfloat16, np.int8)
KINDS = ("random", "empty outputs", "full outputs", "zero edges", "groups", "full")
BATCHES = (0, 1, 3, 4, 15, 17, 33, 64, 100)  # alone, in tiles of each size, and tiles cut short


def layer(kind, n_in, n_out, rng, dtype=np.float32, name="layer"):
    """Return a layer of one kind with a bias, and its matrix in float64."""
    mask = rng.random((n_in, n_out)) < 0.2
    if kind == "empty outputs":
        mask[:, ::2] = False
    elif kind == "full outputs":
        mask[:, ::3] = True
    elif kind == "zero edges":
        mask[:] = False
    elif kind == "groups":
        mask = np.repeat(rng.random((n_in, -(-n_out // 5))) < 0.3, 5, axis=1)[:, :n_out]
        mask = mask[:, rng.permutation(n_out)]
    elif kind == "full":
        mask[:] = True
    columns, rows = np.nonzero(mask.T)
    indptr = np.concatenate([[0], np.cumsum(mask.sum(0))])
    pattern = rx.Pattern.explicit((n_in, n_out), indptr, rows)
    matrix = np.zeros((n_in, n_out))
    weights, matrix[rows, columns] = drawn(columns, n_out, rng, dtype)
    return rx.Layer(name, pattern, weights, bias=rng.normal(size=n_out).astype(np.float32)), matrix


def packed(made, form, **bounds):
    """Return the layer in the form asked for."""
    return pack(made, tiling(made.pattern, blocks_cost) if form == "blocks" else None, **bounds)


def session(model, *, registered, threads=1):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if registered:
        native.register(options)
    return ort.InferenceSession(model.SerializeToString(), options)


def run(model, x, **how):
    return session(model, **how).run(None, {"x": x})[0]


def close(found, wanted, magnitude):
    """Compare with what float32 may lose in sums of terms of this magnitude."""
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6 * max(1.0, magnitude))


@given(
    kind=st.sampled_from(KINDS),
    form=st.sampled_from(["rows", "blocks"]),
    dtype=st.sampled_from(TYPES),
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    batch=st.sampled_from(BATCHES),
    bounds=st.sampled_from([{}, {"low": 0.0}, {"low": -0.5, "high": 0.25}, {"high": 1.0}]),
    seed=st.integers(0, 9),
)
def test_one_layer(kind, form, dtype, sizes, batch, bounds, seed):
    rng = np.random.default_rng(seed)
    made, matrix = layer(kind, *sizes, rng, dtype)
    model = model_of([linear(packed(made, form, **bounds), "x", "y", "layer")], *sizes)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    wanted = np.clip(
        x.astype(np.float64) @ matrix + made.bias, bounds.get("low"), bounds.get("high")
    )
    onnx.checker.check_model(model, full_check=True)
    for registered in (True, False):
        close(run(model, x, registered=registered), wanted, np.abs(matrix).sum())


@given(
    forms=st.lists(st.sampled_from(["rows", "blocks"]), min_size=1, max_size=4),
    dtype=st.sampled_from(TYPES),
    batch=st.sampled_from(BATCHES),
    seed=st.integers(0, 9),
)
def test_a_stack(forms, dtype, batch, seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 80, len(forms) + 1).tolist()
    x = rng.normal(size=(batch, widths[0])).astype(np.float32)
    wanted, magnitude, parts = x.astype(np.float64), 1.0, []
    for i, form in enumerate(forms):
        kind = KINDS[rng.integers(len(KINDS))]
        made, matrix = layer(kind, widths[i], widths[i + 1], rng, dtype)
        parts.append(packed(made, form, low=-2.0, high=2.0 if i % 2 else np.inf))
        wanted = np.clip(wanted @ matrix + made.bias, -2.0, 2.0 if i % 2 else None)
        magnitude *= max(1.0, np.abs(matrix).sum(0).max())
    model = model_of([stack(parts, "x", "y", "stack")], widths[0], widths[-1])
    for registered in (True, False):
        close(run(model, x, registered=registered), wanted, magnitude)


def two_layers(rng):
    """Return a stack of blocks and rows, wide enough for several threads, and its matrices."""
    first, one = layer("groups", 90, 200, rng)
    second, other = layer("random", 200, 60, rng)
    parts = [packed(first, "blocks", low=0.0), packed(second, "rows")]
    return (
        model_of([stack(parts, "x", "y", "stack")], 90, 60),
        (one, first.bias),
        (other, second.bias),
    )


@compiled
def test_numbers_depend_neither_on_threads_nor_on_the_tile():
    rng = np.random.default_rng(0)
    model, *_ = two_layers(rng)
    x = rng.normal(size=(333, 90)).astype(np.float32)
    ours = session(model, registered=True)
    whole = ours.run(None, {"x": x})[0]
    for threads in (2, 3):
        assert (run(model, x, registered=True, threads=threads) == whole).all()
    for start, stop in ((0, 5), (3, 40), (100, 333), (60, 200)):
        assert (ours.run(None, {"x": x[start:stop]})[0] == whole[start:stop]).all()


@compiled
def test_one_session_serves_many_callers_at_once():
    rng = np.random.default_rng(7)
    model, *_ = two_layers(rng)
    ours = session(model, registered=True, threads=2)
    samples = [rng.normal(size=(size, 90)).astype(np.float32) for size in (1, 40, 70, 333) * 8]
    wanted = [ours.run(None, {"x": x})[0] for x in samples]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: ours.run(None, {"x": x})[0], samples))
    assert all((one == other).all() for one, other in zip(found, wanted, strict=True))


@compiled
def test_other_runtimes_run_the_definition(openvino):
    rng = np.random.default_rng(1)
    model, *_ = two_layers(rng)
    x = rng.normal(size=(7, 90)).astype(np.float32)
    wanted = run(model, x, registered=True)
    found = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    plain = inline_local_functions(model)
    assert {node.domain for node in plain.graph.node} == {""}
    np.testing.assert_allclose(openvino(plain, x), wanted, rtol=1e-4, atol=1e-4)


@compiled
def test_the_kernel_is_what_runs_and_knows_its_shape(tmp_path):
    rng = np.random.default_rng(2)
    model, *_ = two_layers(rng)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.onnx")
    options.log_severity_level = 4
    assert native.register(options)
    assert native.register(options)  # once is enough, and twice is no harm
    made = ort.InferenceSession(model.SerializeToString(), options)
    assert made.get_outputs()[0].shape == ["B", 60]
    kept = onnx.load(tmp_path / "model.onnx").graph.node
    assert [node.op_type for node in kept] == ["SparseStack"]


@compiled
@pytest.mark.parametrize("instructions", ["generic", "avx2", "avx512"])
def test_every_instruction_set(tmp_path, instructions):
    rng = np.random.default_rng(3)
    model, (one, low), (other, high) = two_layers(rng)
    x = rng.normal(size=(70, 90)).astype(np.float32)
    y = np.maximum(x @ one + low, 0) @ other + high
    cases = [(x[:batch], y[:batch]) for batch in (1, 2, 70)]
    holds_on(instructions, model, cases, tmp_path)


def test_no_numbers_and_infinities_stay_what_they_are():
    rng = np.random.default_rng(4)
    for form in ("rows", "blocks"):
        made, _ = layer("full", 5, 6, rng)
        model = model_of([linear(packed(made, form, low=0.0), "x", "y", "a")], 5, 6)
        x = np.ones((6, 5), np.float32)
        x[2, 1], x[4, 3] = np.nan, np.inf
        for batch in (x, x[2:5]):
            found = run(model, batch, registered=native.library() is not None)
            at = 2 if batch is x else 0
            assert np.isnan(found[at]).all()
            assert np.isin(found[at + 2], [0, np.inf]).all()


def test_layers_take_the_form_that_suits_them():
    network = rx.generate("radix-net", systems=[[2] * 5], widths=[16] * 6, weights="he")
    assert {chosen(made).form for made in network.layers} == {"blocks"}
    made, _ = layer("random", 64, 64, np.random.default_rng(5))
    assert chosen(made).form == "rows"


def test_what_cannot_be_packed_is_refused(monkeypatch):
    rng = np.random.default_rng(6)
    made, _ = layer("random", 20, 30, rng)
    with pytest.raises(UnsupportedError, match="expected weights"):
        pack(rx.Layer("bare", made.pattern))
    with pytest.raises(ParameterError, match="read 30 neurons"):
        stack([pack(made), pack(made)], "x", "y", "a")
    with pytest.raises(ParameterError, match="weights of one type"):
        stack([], "x", "y", "a")
    monkeypatch.setattr(functions, "LARGEST_BODY", 2399)
    with pytest.raises(UnsupportedError, match="2400 bytes as dense"):
        linear(pack(made), "x", "y", "a")
