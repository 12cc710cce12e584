"""The onnxruntime session: sources, threads, fixed batches, devices."""

import os

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends import device
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.errors import (
    DeviceError,
    InputError,
    MissingDependencyError,
    ParameterError,
    PathError,
    UnsupportedError,
)
from radixfmt.export import save, to_onnx


@pytest.fixture(scope="module")
def net():
    return rx.generate(
        "radix-net", systems=[[4, 4]], widths=[4, 4, 2], weights="he", activation="relu"
    )


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((37, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def wanted(net, x):
    return reference(net, x)


def test_takes_every_source(net, x, wanted, tmp_path):
    model = to_onnx(net)
    save(model, tmp_path / "net.onnx")
    rx.write(tmp_path / "net.rx.h5", net)
    sources = [net, model, model.SerializeToString(), tmp_path / "net.onnx"]
    sources += [str(tmp_path / "net.onnx"), tmp_path / "net.rx.h5", str(tmp_path / "net.rx.h5")]
    for source in sources:
        with rx.Session(source, device="cpu") as session:
            assert session.provider == "CPUExecutionProvider"
            check(session.run(x), wanted)


@pytest.mark.parametrize("threads", [1, 2, 3, None])
@pytest.mark.parametrize("lowering", ["auto", "dense"])
def test_threads_give_the_same_numbers(net, x, wanted, threads, lowering):
    with Session(net, device="cpu", threads=threads, lowering=lowering, tile=4) as session:
        assert session.threads == threads or threads is None
        check(session.run(x), wanted)
        check(session.run(x[:1]), wanted[:1])


@pytest.mark.parametrize("layout", ["batch-major", "feature-major"])
@pytest.mark.parametrize("batch", [None, 5, 64])
def test_fixed_batches_are_filled_up(net, x, wanted, layout, batch):
    turned = layout == "feature-major"
    with Session(to_onnx(net, batch=batch, layout=layout), device="cpu", threads=2) as session:
        for rows in (37, 5, 0):
            part = x[:rows]
            y = session.run(part.T if turned else part)
            y = y.T if turned else y
            assert y.shape == (rows, 32)
            check(y, wanted[:rows])
        if turned:
            with pytest.raises(InputError, match="n_in = 64 rows, got 37"):
                session.run(x)


def test_refuses_bad_arguments(net, tmp_path):
    for name in ("threads", "tile"):
        with pytest.raises(ParameterError, match=f"{name}: expected at least 1, got 0"):
            Session(net, **{name: 0})
    with pytest.raises(ParameterError, match="device"):
        Session(net, device="tpu")
    with pytest.raises(ParameterError, match="already, got 'dense'"):
        Session(to_onnx(net), device="cpu", lowering="dense")
    with pytest.raises(ParameterError, match="source: expected a Network"):
        Session(3, device="cpu")
    with pytest.raises(PathError, match="no such file"):
        Session(tmp_path / "none.onnx", device="cpu")
    with pytest.raises(UnsupportedError, match="onnxruntime refuses the model"):
        Session(b"nonsense", device="cpu")


def test_several_inputs_go_by_name():
    layer = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 1.0)
    net = rx.Network(
        [layer],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Add", ("a", "z"), ("y",)),
        ),
        (rx.Value("x", ("B", 2)), rx.Value("z", ("B", 2))),
        (rx.Value("y", ("B", 2)),),
    )
    with Session(net, device="cpu") as session:
        assert session.run_named({"x": [[1, 2]], "z": [[3, 4]]})["y"].tolist() == [[4, 6]]
        with pytest.raises(UnsupportedError, match=r"one input .* got inputs \['x', 'z'\]"):
            session.run([[1, 2]])
        with pytest.raises(InputError, match=r"expected \['x', 'z'\], got \['x'\]"):
            session.run_named({"x": [[1, 2]]})
        with pytest.raises(InputError, match="2 axes"):
            session.run_named({"x": [1, 2], "z": [[3, 4]]})
    with pytest.raises(ParameterError, match="closed"):
        session.run_named({"x": [[1, 2]], "z": [[3, 4]]})


def test_cuda_without_a_gpu_is_an_error(net, monkeypatch):
    monkeypatch.setattr(device, "cuda_problem", lambda: "there is no NVIDIA driver here")
    with pytest.raises(DeviceError, match="device cuda: there is no NVIDIA driver") as caught:
        Session(net, device="cuda")
    assert caught.value.hint == "use --device cpu"
    with Session(net, device="auto") as session:
        assert session.provider == "CPUExecutionProvider"


def test_cuda_without_a_cuda_build_is_an_error(net, monkeypatch):
    if device.CUDA in device.onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has a CUDA provider")
    monkeypatch.setattr(device, "cuda_problem", lambda: None)
    with pytest.raises(DeviceError, match="no CUDA provider"):
        Session(net, device="cuda")
    with Session(net) as session:
        assert session.provider == "CPUExecutionProvider"


def test_a_silent_fallback_is_an_error(net, monkeypatch):
    runtime = device.onnxruntime()
    monkeypatch.setattr(device, "cuda_problem", lambda: None)
    monkeypatch.setattr(runtime, "get_available_providers", lambda: [device.CUDA])
    monkeypatch.setattr(runtime, "preload_dlls", lambda: None)
    started = runtime.InferenceSession

    def fall_back(model, options, providers):
        assert providers[0][1]["use_tf32"] == "0"
        assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        return started(model, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(runtime, "InferenceSession", fall_back)
    with pytest.raises(DeviceError, match="fell back to CPUExecutionProvider"):
        Session(net, device="cuda")


def test_the_driver_is_asked(monkeypatch):
    class Driver:
        status, count = 0, 1

        def cuInit(self, _):  # noqa: N802
            return self.status

        def cuDeviceGetCount(self, count):  # noqa: N802
            count._obj.value = self.count
            return 0

    driver = Driver()
    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: driver)
    assert device.cuda_problem() is None
    driver.count = 0
    assert device.cuda_problem() == "the NVIDIA driver reports no device"
    driver.status = 100
    assert "error 100" in device.cuda_problem()


def test_missing_or_doubled_onnxruntime(net, monkeypatch):
    monkeypatch.setattr(device, "_installed", lambda _: True)
    with pytest.raises(MissingDependencyError, match="both installed") as caught:
        Session(net, device="cpu")
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in caught.value.hint
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match="cannot be imported") as caught:
        Session(net, device="cpu")
    assert "pip install 'radixfmt[cpu]'" in caught.value.hint


def test_a_closed_session_says_so(net, x):
    session = Session(net, device="cpu", threads=2)
    session.close()
    session.close()
    with pytest.raises(ParameterError, match="closed"):
        session.run(x)


def test_failures_at_run_time_are_ours():
    network = rx.Network(
        [],
        (rx.Node("Reshape", ("x", "shape"), ("y",)),),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", (7, 1)),),
        {"shape": np.array([7, 1])},
    )
    with Session(network, device="cpu") as session, pytest.raises(UnsupportedError, match="fails"):
        session.run([[1, 2]])


def test_stays_quiet(net, x, capfd):
    with Session(net, device="auto") as session:
        session.run(x)
    assert capfd.readouterr() == ("", "")
    assert len(os.sched_getaffinity(0)) == session.threads


def test_images_get_the_full_level_and_halves_never_do():
    import onnx
    from onnx import helper, numpy_helper

    from radixfmt.backends.runtime import _level

    class Levels:
        ORT_ENABLE_EXTENDED, ORT_ENABLE_ALL = "extended", "all"

    def level(kernel, dtype):
        weight = numpy_helper.from_array(np.ones((1, 1, *kernel), dtype), "w")
        node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=kernel)
        return _level(onnx.ModelProto(graph={"node": [node], "initializer": [weight]}), Levels)

    assert level((3, 3), np.float32) == "all"
    assert level((1,), np.float32) == "extended"
    assert level((3, 3), np.float16) == "extended"
    assert _level("model.onnx", Levels) == "extended"
