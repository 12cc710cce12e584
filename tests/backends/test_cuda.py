"""What CUDA asks of a session, as far as it shows without a GPU."""

import json
from contextlib import suppress

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import radixfmt as rx
from radixfmt import native
from radixfmt.backends import binding, device, ort
from radixfmt.backends.binding import Bound, cuda_tile
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check
from radixfmt.backends.placement import Placement, parsed, placement
from radixfmt.backends.precision import TOLERANCES, narrowed
from radixfmt.backends.scipy import reference
from radixfmt.errors import DeviceError, InputError, ParameterError, UnsupportedError
from radixfmt.export import to_onnx


@pytest.fixture(scope="module")
def net():
    return rx.generate(
        "radix-net", systems=[[4, 4]], widths=[4, 4, 2], weights="he", bias=0.1, activation="relu"
    )


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((37, 64), dtype=np.float32)


@pytest.fixture
def cuda(monkeypatch):
    """Sessions take the way of CUDA, with host memory for the GPU's; returns options of starts."""
    started, start = [], ort.start

    def on_host(model, kind, **options):
        started.append((kind, options))
        return start(model, "cpu")

    def bound(session, kind, shape, **more):
        assert kind == "cuda"
        started.append(("bound", {"shape": shape, **more}))
        return Bound(session, "cpu", shape, **more)

    monkeypatch.setattr(ort, "resolve", lambda _: "cuda")
    monkeypatch.setattr(ort, "start", on_host)
    monkeypatch.setattr(ort, "Bound", bound)
    return started


def test_a_provider_gets_its_options(net, monkeypatch):
    runtime = device.onnxruntime()
    operators = {} if native.library() is None else {native.TF32: "1"}
    seen = {}

    def fails(model, options, providers):
        seen.clear()
        seen.update(providers[0][1])
        with suppress(RuntimeError):  # there is no such entry
            seen[native.TF32] = options.get_session_config_entry(native.TF32)
        raise RuntimeError("there is no such GPU")

    monkeypatch.setattr(device, "cuda_problem", lambda: None)
    monkeypatch.setattr(runtime, "get_available_providers", lambda: [device.CUDA])
    monkeypatch.setattr(runtime, "preload_dlls", lambda: None)
    monkeypatch.setattr(runtime, "InferenceSession", fails)
    for more, wanted in (
        ({}, {"use_tf32": "0", "enable_cuda_graph": "0"}),
        ({"precision": "tf32"}, {"use_tf32": "1", "enable_cuda_graph": "0"} | operators),
        ({"cuda_graph": True}, {"use_tf32": "0", "enable_cuda_graph": "1"}),
    ):
        with pytest.raises(DeviceError, match="cannot run this model there: there is no such GPU"):
            Session(net, device="cuda", **more)
        assert seen == wanted


@pytest.mark.parametrize("graph", [False, True])
def test_tiles_go_through_buffers_bound_once(net, x, cuda, graph):
    with Session(net, tile=16, cuda_graph=graph) as session:
        assert cuda[0] == ("cuda", {"tf32": False, "cuda_graph": graph})
        for part in (x, x[:5], x + 1, x[:0]):
            check(session.run(part), reference(net, part))
    shapes = [told["shape"] for what, told in cuda if what == "bound"]
    # recorded kernels ask for one size, so short tiles are filled up
    assert shapes == ([(16, 64)] if graph else [(16, 64), (5, 64), (1, 64)])


def test_only_so_many_buffers_are_kept(net, x, cuda):
    with Session(net) as session:
        for rows in range(1, 10):
            session.run(x[:rows])
        assert len(session._bound) == ort.KEPT


@pytest.mark.parametrize("layout", ["batch-major", "feature-major"])
def test_bound_samples_run_in_place(net, x, layout):
    turned = layout == "feature-major"
    with Session(to_onnx(net, layout=layout), device="cpu", threads=1, tile=16) as session:
        bound = session.bind(x.T if turned else x)
        for part in (x, 2 * x):
            bound.load(part.T if turned else part)
            bound.run()
            y = bound.outputs()
            check(y.T if turned else y, reference(net, part))
        with pytest.raises(InputError, match="expected rows"):
            session.bind(x.T[:, :0] if turned else x[:0])


def test_bound_samples_of_a_fixed_batch_are_a_multiple(net, x):
    with Session(to_onnx(net, batch=6), device="cpu", threads=1) as session:
        bound = session.bind(x[:36])
        bound.run()
        check(bound.outputs(), reference(net, x[:36]))
        with pytest.raises(InputError, match="a multiple of 6, got 37"):
            session.bind(x)


def test_tiles_fill_the_second_level_cache(monkeypatch):
    monkeypatch.setattr(binding, "l2_bytes", lambda: 50_000_000)
    assert [cuda_tile(n, dense=False) for n in (1024, 4096, 16384, 2**30)] == [4064, 992, 224, 32]
    assert cuda_tile(16384, dense=True) == 4096


def test_the_driver_tells_the_cache(monkeypatch):
    class Driver:
        def cuInit(self, _):  # noqa: N802
            return 0

        def cuDeviceGet(self, *_):  # noqa: N802
            return 0

        def cuDeviceGetAttribute(self, size, attribute, _):  # noqa: N802
            size._obj.value = 7 if attribute == 38 else 0
            return 0

    monkeypatch.setattr(device, "_driver", Driver)
    assert device.l2_bytes() == 7

    def none():
        raise OSError

    monkeypatch.setattr(device, "_driver", none)
    assert device.l2_bytes() == device.L2_BYTES


def test_the_placement_is_read_from_the_runtime(net):
    with Session(net, device="cpu", lowering="blocked") as session:
        found = session.placement()
    assert found.all_on("CPUExecutionProvider")
    assert not found.all_on(device.CUDA)
    assert found.nodes["CPUExecutionProvider"]["FusedConv"] == 2
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
    dense = placement(to_onnx(net, lowering="dense"), "cpu").nodes["CPUExecutionProvider"]
    assert dense in ({"Gemm": 2, "Relu": 2}, {"FusedGemm": 2})


def test_copies_between_devices_are_counted():
    def event(name, op, provider):
        return {"name": f"{name}_kernel_time", "args": {"op_name": op, "provider": provider}}

    events = [
        {"name": "session_initialization", "args": {}},
        event("a", "MatMul", device.CUDA),
        event("a", "MatMul", device.CUDA),  # a second run of the same node
        event("b", "Resize", "CPUExecutionProvider"),
        event("c", "MemcpyToHost", device.CUDA),
    ]
    found = parsed(events)
    assert found.nodes[device.CUDA] == {"MatMul": 1, "MemcpyToHost": 1}
    assert found.copies == 1
    assert not found.all_on(device.CUDA)
    assert Placement({device.CUDA: {"MatMul": 1}}, 0).all_on(device.CUDA)


def test_narrowed_models_keep_their_inputs_and_lose_what_they_must(net, x):
    wanted = reference(net, x)
    made = narrowed(to_onnx(net, target="cuda"), "float16")
    onnx.checker.check_model(made, full_check=True)
    with Session(made, device="cpu") as session:
        y = session.run(x)
    assert y.dtype == np.float32
    check(y, wanted, tolerance=TOLERANCES["float16"])
    assert np.abs(y - wanted).max() > 1e-4
    made = narrowed(to_onnx(net, target="cuda"), "bfloat16")
    onnx.checker.check_model(made, full_check=True)
    [y] = ReferenceEvaluator(made).run(None, {"x": x[:3]})
    check(y, wanted[:3], tolerance=TOLERANCES["bfloat16"])


def test_what_cannot_be_narrowed_is_refused():
    pattern = rx.Pattern.explicit((2, 1), [0, 2], [0, 1])
    large = rx.chain([rx.Layer("large", pattern, 1e30)])
    with pytest.raises(UnsupportedError, match="large/.*float16 can hold"):
        narrowed(to_onnx(large, target="cuda"), "float16")
    cast = rx.Network(
        [rx.Layer("sum", pattern, 1.0)],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Cast", ("a",), ("y",), {"to": 1}),
        ),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", ("B", 1)),),
    )
    with pytest.raises(UnsupportedError, match="Cast cannot be narrowed"):
        narrowed(to_onnx(cast, target="cuda"), "float16")


def test_options_of_cuda_are_refused_elsewhere(net, cuda, monkeypatch):
    with pytest.raises(ParameterError, match="one of float32, tf32, float16, bfloat16, got 'fp8'"):
        Session(net, precision="fp8")
    with pytest.raises(ParameterError, match="has its element types already"):
        Session(to_onnx(net), precision="float16")
    monkeypatch.undo()
    for more in ({"precision": "tf32"}, {"precision": "float16"}, {"cuda_graph": True}):
        with pytest.raises(ParameterError, match="device cuda"):
            Session(net, device="cpu", **more)
