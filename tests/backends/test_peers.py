"""Runners that are only there to be measured against compute the same thing."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.openvino import OpenVinoSession
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.backends.torch import TorchSession
from radixfmt.errors import DeviceError, MissingDependencyError, ParameterError
from radixfmt.export import to_onnx


@pytest.fixture(scope="module", params=["relu", "clip", "tanh"])
def net(request):
    if request.param == "clip":
        return rx.generate("graph-challenge", neurons=1024, layers=2)
    return rx.generate(
        "radix-net", systems=[[4, 4], [2, 2]], widths=[2, 3, 1, 2, 4],
        weights="he", bias=0.05, activation=request.param,
    )  # fmt: skip


@pytest.fixture(scope="module")
def x(net):
    return np.random.default_rng(0).random((21, net.headers[0][1][0]), dtype=np.float32)


def test_the_sparse_operator_of_onnxruntime(net):
    """In a process of its own, as an engine: its sparse tensors can crash the one they are in."""
    (result,) = rx.bench(net, engines=["ort-sparse-to-dense-matmul"], batch=21, time_budget=0)
    assert result.parity.max_rel < 1e-5


def test_openvino_runs_what_is_exported(net):
    """In a process of its own too: after OpenVINO has run, an alarm can crash Python."""
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    (result,) = rx.bench(net, engines=["openvino"], batch=21, time_budget=0)
    assert result.parity.max_rel < 1e-5


@pytest.mark.parametrize("form", ["csr", "dense"])
def test_torch_runs_bound_samples(net, x, form):
    before = x.copy()
    with TorchSession(net, form=form, tile=8) as session:
        bound = session.bind(x)
        bound.run()
        bound.run()
        check(bound.outputs(), reference(net, x), tolerance=1e-5)
        check(session.run(x), reference(net, x), tolerance=1e-5)
        assert session.provider == f"torch {form}, cpu"
    assert np.array_equal(x, before)


def test_torch_says_what_it_cannot(net, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParameterError, match="csr or dense, got 'bsr'"):
        TorchSession(net, form="bsr")
    with pytest.raises(DeviceError, match="device cuda"):
        TorchSession(net, device="cuda")


def test_missing_peers_are_named(net, monkeypatch):
    from radixfmt.backends.cupy import CupySession

    for name in ("openvino", "cupy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match="openvino is not installed"):
        OpenVinoSession(to_onnx(net), tile=8, threads=1)
    with pytest.raises(MissingDependencyError, match="cupy is not installed"):
        CupySession(net)
