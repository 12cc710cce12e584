"""Sparse convolutions: kernel and definition agree with float64, and with each other."""

from concurrent.futures import ThreadPoolExecutor
from math import prod

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from native_cases import holds_on
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator
from small_convolutions import convolved, geometry, layer

from radixfmt import native
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.model.tiling import tiling
from radixfmt.native import functions
from radixfmt.native.choice import blocks_cost, convolution_gain
from radixfmt.native.nodes import convolution, model_of
from radixfmt.native.packed import pack

compiled = pytest.mark.skipif(native.library() is None, reason=native.MISSING)

TYPES = (np.float32, np.float16, ml_dtypes.bfloat16, np.int8)


def model(made, channels, **bounds):
    shape = made.geometry
    node = convolution(pack(made, **bounds), shape, "x", "y", "conv")
    return model_of([node], channels, made.pattern.shape[1], rank=len(shape.kernel_shape))


def session(made, *, registered, threads=1):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if registered:
        native.register(options)
    return ort.InferenceSession(made.SerializeToString(), options)


def run(made, x, **how):
    return session(made, **how).run(None, {"x": x})[0]


def check(made, dense, x, **bounds):
    """Compare kernel and definition with float64."""
    wanted = np.clip(convolved(x, dense, made), bounds.get("low"), bounds.get("high"))
    checked = model(made, x.shape[1], **bounds)
    onnx.checker.check_model(checked, full_check=True)
    for registered in (True, False):
        found = run(checked, x, registered=registered)
        assert found.shape == wanted.shape
        magnitude = max(1.0, np.abs(dense).reshape(len(dense), -1).sum(1).max(initial=0))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=3e-6 * magnitude)


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))

    def numbers(count, least, most):
        return tuple(draw(st.integers(least, most)) for _ in range(count))

    return geometry(
        numbers(rank, 1, 5 if rank < 3 else 3),
        stride=numbers(rank, 1, 3),
        pad=numbers(2 * rank, 0, 3),
        dilation=draw(st.sampled_from([1, 2, numbers(rank, 1, 20)])),
        group=draw(st.integers(1, 3)),
    )


@given(
    shape=geometries(),
    channels=st.integers(1, 9),
    filters=st.integers(1, 6),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    dtype=st.sampled_from(TYPES),
    batch=st.sampled_from([0, 1, 2, 5, 18]),
    bounds=st.sampled_from([{}, {"low": 0.0}, {"low": -0.5, "high": 0.25}]),
    seed=st.integers(0, 9),
)
def test_any_geometry(shape, channels, filters, density, dtype, batch, bounds, seed):
    rng = np.random.default_rng(seed)
    rank, group = len(shape.kernel_shape), shape.group
    made, dense = layer(shape, filters * group, channels * group, rng, density=density, dtype=dtype)
    size = []
    for axis in range(rank):
        reach = shape.dilations[axis] * (shape.kernel_shape[axis] - 1) + 1
        least = max(1, reach - shape.pads[axis] - shape.pads[axis + rank])
        size.append(least + int(rng.integers(0, (70, 20, 5)[rank - 1])))
    x = rng.normal(size=(batch, channels * group, *size)).astype(np.float32)
    check(made, dense, x, **bounds)


@pytest.mark.parametrize(
    ("shape", "channels", "size", "batch"),
    [
        pytest.param(geometry((3, 3), pad=1), 100, (9, 7), 1, id="several blocks of planes"),
        pytest.param(geometry((3, 3), pad=1), 70, (2, 2), 40, id="several images in a tile"),
        pytest.param(geometry((3, 3), pad=1), 30, (12, 600), 2, id="several tiles in a row"),
        pytest.param(geometry((3, 3), pad=1, stride=2), 40, (33, 301), 2, id="phases"),
        pytest.param(geometry((1, 1)), 90, (23, 17), 3, id="pointwise"),
        pytest.param(geometry((1, 1), stride=3), 9, (23, 17), 3, id="pointwise, thinned"),
        pytest.param(geometry((3, 2), pad=(60, 40, 60, 40), dilation=(60, 40)), 5, (50, 50), 1,
                     id="taps far apart"),
        pytest.param(geometry((2, 2), stride=70, dilation=3), 3, (150, 220), 1, id="long strides"),
        pytest.param(geometry((41,), pad=20), 4, (3000,), 1, id="a long kernel"),
        pytest.param(geometry((3, 3), pad=1, group=64), 64, (20, 20), 2, id="depthwise"),
        pytest.param(geometry((2, 3, 3), pad=(1, 1, 1, 0, 1, 1)), 60, (5, 9, 8), 2, id="volumes"),
    ],
)  # fmt: skip
def test_every_way_to_cut_it(shape, channels, size, batch):
    rng = np.random.default_rng(1)
    made, dense = layer(shape, 64, channels, rng)
    check(made, dense, rng.normal(size=(batch, channels, *size)).astype(np.float32), low=0.0)


def example(rng):
    """Return a model of two convolutions, for images of 3 channels, and what makes its numbers."""
    first, one = layer(geometry((5, 5), pad=2), 40, 3, rng, density=0.5)
    second, other = layer(geometry((3, 3), stride=2, pad=1), 150, 40, rng, density=0.3)
    nodes = [
        convolution(pack(first, low=0.0), first.geometry, "x", "h", "first"),
        convolution(pack(second), second.geometry, "h", "y", "second"),
    ]

    def wanted(x):
        return convolved(np.maximum(convolved(x, one, first), 0), other, second)

    return model_of(nodes, 3, 150, rank=2), wanted


@compiled
def test_numbers_depend_neither_on_threads_nor_on_the_batch():
    rng = np.random.default_rng(0)
    made, _ = example(rng)
    for side in (4, 21):
        x = rng.normal(size=(33, 3, side, side)).astype(np.float32)
        ours = session(made, registered=True)
        whole = ours.run(None, {"x": x})[0]
        for threads in (2, 3):
            assert (run(made, x, registered=True, threads=threads) == whole).all()
        for start, stop in ((0, 1), (3, 20), (32, 33)):
            assert (ours.run(None, {"x": x[start:stop]})[0] == whole[start:stop]).all()


@compiled
def test_one_session_serves_many_callers_and_sizes_at_once():
    rng = np.random.default_rng(7)
    made, _ = example(rng)
    ours = session(made, registered=True, threads=2)
    samples = [rng.normal(size=(2, 3, side, side)).astype(np.float32) for side in (4, 9, 30) * 8]
    wanted = [ours.run(None, {"x": x})[0] for x in samples]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: ours.run(None, {"x": x})[0], samples))
    assert all((one == other).all() for one, other in zip(found, wanted, strict=True))


@compiled
def test_other_runtimes_run_the_definition():
    openvino = pytest.importorskip("openvino")
    rng = np.random.default_rng(1)
    made, _ = example(rng)
    x = rng.normal(size=(2, 3, 11, 8)).astype(np.float32)
    wanted = run(made, x, registered=True)
    found = ReferenceEvaluator(made).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    plain = inline_local_functions(made)
    assert {node.domain for node in plain.graph.node} == {""}
    core = openvino.Core()
    read = core.read_model(plain.SerializeToString())
    found = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@compiled
def test_the_kernel_is_what_runs_and_knows_its_shape(tmp_path):
    made, _ = example(np.random.default_rng(2))
    made.graph.output[0].type.tensor_type.ClearField("shape")
    sizes = made.graph.input[0].type.tensor_type.shape.dim
    sizes[2].dim_value, sizes[3].dim_value = 21, 30
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.onnx")
    options.log_severity_level = 4
    assert native.register(options)
    loaded = ort.InferenceSession(made.SerializeToString(), options)
    assert loaded.get_outputs()[0].shape == ["B", 150, 11, 15]
    kept = onnx.load(tmp_path / "model.onnx").graph.node
    assert [node.op_type for node in kept] == ["SparseConv"] * 2


@compiled
@pytest.mark.parametrize("instructions", ["generic", "avx2", "avx512"])
def test_every_instruction_set(tmp_path, instructions):
    rng = np.random.default_rng(3)
    made, wanted = example(rng)
    x = rng.normal(size=(9, 3, 23, 23)).astype(np.float32)
    parts = [np.ascontiguousarray(x[:, :, :side, :side]) for side in (1, 6, 23)]
    holds_on(instructions, made, [(part, wanted(part)) for part in parts], tmp_path)


@compiled
def test_no_numbers_and_infinities_reach_what_reads_them_alone():
    rng = np.random.default_rng(4)
    made, dense = layer(geometry((3, 3), pad=1), 20, 2, rng, density=0.3)
    x = rng.normal(size=(3, 2, 6, 5)).astype(np.float32)
    clean = run(model(made, 2), x, registered=True)
    for value in (np.nan, np.inf):
        x[1, 1, 2, 3] = value
        found = run(model(made, 2), x, registered=True)
        reached = np.zeros_like(x)
        reached[1, 1, 2, 3] = 1
        reads = (convolved(reached, dense != 0, made) - made.bias.reshape(-1, 1, 1)) > 0.5
        assert (~np.isfinite(found) == reads).all()
        assert (found[~reads] == clean[~reads]).all()


def test_the_rule_takes_what_is_sparse_enough():
    rng = np.random.default_rng(5)
    shape = geometry((3, 3), pad=1)
    gains = [
        convolution_gain(layer(shape, 64, 64, rng, density=density)[0], (28, 28))
        for density in (1.0, 0.5, 0.1, 0.02)
    ]
    assert gains == sorted(gains)
    assert gains[1] < 1
    assert gains[2] > 2
    depthwise = layer(geometry((3, 3), pad=1, group=64), 64, 64, rng)[0]
    assert convolution_gain(depthwise, (28, 28)) < 1


def test_what_cannot_be_a_node_is_refused(monkeypatch):
    rng = np.random.default_rng(6)
    made, dense = layer(geometry((3, 3)), 8, 4, rng)
    shape = made.geometry
    blocks = pack(made, tiling(made.pattern, blocks_cost))
    with pytest.raises(ParameterError, match="a layer in rows"):
        convolution(blocks, shape, "x", "y", "a")
    with pytest.raises(ParameterError, match="multiple of the kernel's 25 cells"):
        convolution(pack(made), geometry((5, 5)), "x", "y", "a")
    monkeypatch.setattr(functions, "LARGEST_BODY", 4 * prod(dense.shape) - 1)
    with pytest.raises(UnsupportedError, match="1152 bytes as dense"):
        convolution(pack(made), shape, "x", "y", "a")
