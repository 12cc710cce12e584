"""What `from_torch` takes beside a trained model, and what it says of what it does not."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from models import MODELS, pruned
from torch import nn
from torch.nn.utils import prune

import radixfmt as rx
from radixfmt.errors import (
    InputError,
    MissingDependencyError,
    ParameterError,
    UnsupportedError,
)
from radixfmt.model.digest import digests


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def losses(net):
    return net.metadata.provenance[-1].get("losses", [])


def test_a_module_is_left_as_it_was(tmp_path, monkeypatch):
    module = pruned(MODELS["lenet-5"].make())
    x = MODELS["lenet-5"].samples(2)
    module(x)  # in training mode, so pruned weights have a history
    module.conv1.eval()
    modes = [part.training for part in module.modules()]
    state = {key: value.clone() for key, value in module.state_dict().items()}
    monkeypatch.chdir(tmp_path)
    net = rx.from_torch(module, x)
    assert net.metadata.provenance[-1]["source"] == "LeNet5"
    assert list(tmp_path.iterdir()) == []
    assert [part.training for part in module.modules()] == modes
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())


def test_batch_norms_stay_unless_folding_is_asked_for(same):
    module = pruned(MODELS["resnet"].make())
    example = MODELS["resnet"].samples(2)
    kept = rx.from_torch(module, example)
    folded = rx.from_torch(module, example, fold_batch_norm=True)
    assert sum(node.op == "BatchNormalization" for node in kept.graph) == 5
    assert sum(node.op == "BatchNormalization" for node in folded.graph) == 0
    assert losses(kept) == []
    assert losses(folded) == ["the batch norms, which are folded into the weights before them"]
    assert digests(kept).topology == digests(folded).topology
    same(module, folded, example)


def test_float64_stays_float64(same):
    module = nn.Sequential(nn.Linear(12, 5), nn.LayerNorm(5), nn.Linear(5, 3)).double()
    for part in (module[0], module[2]):
        prune.random_unstructured(part, "weight", 0.6)
    inputs = [torch.randn(batch, 12, dtype=torch.float64) for batch in (1, 5)]
    net = rx.from_torch(module, inputs[0])
    read = same(module, net, *inputs, tolerance=1e-7)  # ONNX keeps the epsilon of norms in float32
    assert {layer.dtype.name for layer in read.layers} == {"float64"}
    assert all(layer.bias.dtype == np.float64 for layer in read.layers)
    assert read.inputs[0].dtype == "float64"


def linear():
    """Return a linear layer with 36 exact zeros in its weight of 48."""
    module = nn.Linear(8, 6)
    with torch.no_grad():
        module.weight.view(-1)[:36] = 0
    return module


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.only = linear()

    def forward(self, x, *, scale, shift=None):
        return (self.only(x) * scale if shift is None else self.only(x) * scale + shift), x.sum(1)


def test_several_inputs_and_outputs_by_name_and_a_fixed_batch(stored):
    x, scale, shift = torch.randn(3, 8), torch.randn(3, 1), torch.randn(6)
    net = rx.from_torch(Two(), {"x": x, "scale": scale, "shift": shift})
    assert [(v.name, v.shape) for v in net.inputs] == [
        ("x", ("batch", 8)), ("scale", ("batch", 1)), ("shift", (6,)),
    ]  # fmt: skip
    module = Two()
    net = rx.from_torch(module, {"x": x, "scale": scale}, dynamic_batch=False)
    assert [v.shape for v in net.inputs] == [(3, 8), (3, 1)]
    with rx.Session(stored(net), device="cpu", threads=1) as session:
        found = session.run_named({"x": x.numpy(), "scale": scale.numpy()})
    expected = [y.detach().numpy() for y in module(x, scale=scale)]
    for y, name in zip(expected, [v.name for v in net.outputs], strict=True):
        np.testing.assert_allclose(found[name], y, rtol=1e-5, atol=1e-6)


class Branch(nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x


class Foreign(nn.Module):
    def forward(self, x):
        return torch.linalg.svd(x)[1]


class Fixed(nn.Module):
    def forward(self, x):
        return x * torch.ones(3, 1) if x.shape[0] == 3 else x


class Locked(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)
        self.of_threads = (i for i in range(3))


X = torch.ones(3, 4)


@pytest.mark.parametrize(
    ("module", "inputs", "error", "message", "hint"),
    [
        ({"weight": X}, X, ParameterError, "expected a torch.nn.Module, got dict", "load"),
        (nn.Linear(4, 2), np.ones((3, 4)), ParameterError, "got ndarray", "from_numpy"),
        (nn.Linear(4, 2), (), ParameterError, "module Linear takes, got none", None),
        (nn.Linear(5, 2), X, InputError, "not take the example inputs: RuntimeError: mat1 and",
         "a tuple of forward's arguments"),
        (nn.Linear(4, 2), (X, X), InputError, "takes 2 positional arguments but 3", "tuple"),
        (Branch(), X, UnsupportedError, "module Branch: its control flow depends on the data",
         "torch.where"),
        (Foreign(), X, UnsupportedError, "module Foreign: operator aten._linalg_svd", "leave it"),
        (Fixed(), X, UnsupportedError, "module Fixed: torch cannot export it",
         "dynamic_batch=False"),
        (Locked(), X, UnsupportedError, "module Locked: it cannot be copied", "deepcopy"),
    ],
)  # fmt: skip
def test_errors_name_the_place_and_what_to_do(
    module, inputs, error, message, hint, capfd, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as caught:
        rx.from_torch(module, inputs)
    assert len(str(caught.value)) < 600
    assert hint is None or hint in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    assert "".join(capfd.readouterr()) == ""


def test_a_threshold_is_a_share_and_missing_packages_are_named(monkeypatch):
    with pytest.raises(ParameterError, match="sparsity_threshold: expected 0 to 1, got 90"):
        rx.from_torch(nn.Linear(4, 2), X, sparsity_threshold=90)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(MissingDependencyError, match="onnxscript not installed") as caught:
        rx.from_torch(nn.Linear(4, 2), X)
    assert caught.value.hint == "pip install 'radixfmt[torch]'"
