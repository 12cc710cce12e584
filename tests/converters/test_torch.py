"""PyTorch modules come in with their masks, and what comes out computes the same."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize, prune

import radixfmt as rx
from radixfmt.errors import (
    InputError,
    MissingDependencyError,
    ParameterError,
    UnsupportedError,
)
from radixfmt.model.digest import digests

PRUNED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def cut(module, amount=0.9):
    """Prune every weight of Linear, Conv and attention at random; shake biases and norms."""
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            prune.random_unstructured(part, "in_proj_weight", amount)
        if isinstance(part, PRUNED):
            prune.random_unstructured(part, "weight", amount)
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module


def losses(net):
    return net.metadata.provenance[-1].get("losses", [])


def stored(net, path):
    """Return the network as a file holds it, which has no errors."""
    rx.write(path, net)
    errors = [f for f in rx.validate(path).findings if f.severity == "error"]
    assert errors == []
    return rx.read(path)


def same(module, net, path, *inputs, tolerance=1e-5):
    """Check that the file's network computes what the module does in evaluation mode."""
    module.eval()
    read = stored(net, path)
    with rx.Session(read, device="cpu", threads=1) as session:
        for given in inputs:
            with torch.no_grad():
                expected = module(given).double().numpy()
            # the format's inputs have no bfloat16
            fed = given.float() if given.dtype == torch.bfloat16 else given
            found = session.run(fed.numpy()).astype(np.float64)
            assert found.shape == expected.shape
            assert np.abs(expected).max() > 0
            assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    return read


def of_batches(*shape):
    """Return random inputs of batches 1 and 5."""
    return [torch.randn(batch, *shape) for batch in (1, 5)]


def mask_of(layer):
    return layer.pattern.to_scipy().toarray().T


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(x)))))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.skip = nn.Identity()
        if stride > 1:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.skip = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.skip(x))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), Residual(8, 8, 1), Residual(8, 16, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip


def separable():
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1, groups=4), nn.Hardswish(), nn.Conv2d(8, 12, 1),
        nn.BatchNorm2d(12), nn.ReLU6(), nn.Conv2d(12, 12, 3, 2, 2, dilation=2, groups=12),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 5),
    )  # fmt: skip


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(20, 16), nn.Parameter(torch.randn(6, 16))
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.qkv, self.proj = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)
        self.head = nn.Linear(16, 20, bias=False)

    def forward(self, tokens):
        x = self.embed(tokens) + self.place
        heads = [
            part.unflatten(-1, (4, 4)).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(16, -1)
        ]
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).flatten(2))
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return self.head(x)


def transformer():
    layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


MODELS = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(12, 30), nn.Tanh(), nn.Linear(30, 7)),
        (12,),
        ["0.weight", "2.weight"],
    ),
    "lenet-5": (
        LeNet5,
        (1, 28, 28),
        ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight", "fc3.weight"],
    ),
    "resnet": (
        resnet,
        (3, 8, 8),
        ["0.weight", "1.conv1.weight", "1.conv2.weight", "2.conv1.weight", "2.conv2.weight",
         "2.skip.0.weight", "5.weight"],
    ),
    "separable": (
        separable,
        (4, 8, 8),
        ["0.weight", "2.weight", "5.weight", "8.weight"],
    ),
    "transformer": (
        transformer,
        (5, 16),
        [
            f"layers.{i}.{name}.weight".replace("proj_in.weight", "in_proj_weight")
            for i in (0, 1)
            for name in ("self_attn.proj_in", "self_attn.out_proj", "linear1", "linear2")
        ],
    ),
    "gpt": (
        Gpt,
        (6,),
        ["qkv.weight", "proj.weight", "up.weight", "down.weight", "head.weight"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_pruned_model_goes_round_with_names_edges_and_any_batch(name, tmp_path, monkeypatch):
    make, shape, names = MODELS[name]
    inputs = of_batches(*shape)
    if name == "gpt":
        inputs = [torch.randint(0, 20, given.shape) for given in inputs]
    module = cut(make())
    module(inputs[1])  # in training mode, so pruned weights have a history
    next(module.children()).eval()
    modes = [part.training for part in module.modules()]
    state = {key: value.clone() for key, value in module.state_dict().items()}
    masks = {
        key.removesuffix("_mask"): value.flatten(1).numpy()
        for key, value in module.named_buffers()
        if key.endswith("_mask")
    }
    monkeypatch.chdir(tmp_path)
    net = rx.from_torch(module, inputs[0])
    assert list(tmp_path.iterdir()) == []
    assert [part.training for part in module.modules()] == modes
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())

    assert [layer.name for layer in net.layers] == names
    for layer in net.layers:
        np.testing.assert_array_equal(mask_of(layer), masks[layer.name])
    assert losses(net) == []
    read = same(module, net, tmp_path / "m.rx.h5", *inputs)
    assert read.metadata.provenance[-1]["source"] == type(module).__name__
    assert read.inputs[0].shape[0] == "batch"


def test_lenet_300_100_with_radix_masks_keeps_them(tmp_path):
    topology = rx.generate("radix-net", fit=[784, 300, 100, 10], density=0.1)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(),
        nn.Linear(100, 10),
    )  # fmt: skip
    for part, layer in zip((module[1], module[3], module[5]), topology.layers, strict=True):
        prune.custom_from_mask(part, "weight", torch.from_numpy(mask_of(layer)))
    net = rx.from_torch(module, torch.randn(2, 1, 28, 28))
    assert digests(net).topology == digests(topology).topology
    same(module, net, tmp_path / "m.rx.h5", *of_batches(1, 28, 28))


def linear(inputs=8, outputs=6, zeros=36):
    """Return a linear layer with exact zeros in places 0, 1, 2, … of its weight."""
    module = nn.Linear(inputs, outputs)
    with torch.no_grad():
        module.weight.view(-1)[:zeros] = 0
    return module


class Times(nn.Module):
    """A mask as people write it: a parametrisation with a buffer of zeros and ones."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("chosen", mask)

    def forward(self, weight):
        return weight * self.chosen


def by_prune(module, mask):
    prune.custom_from_mask(module, "weight", mask)


def by_parametrization(module, mask):
    parametrize.register_parametrization(module, "weight", Times(mask.float()))


def by_both_kinds_of_parametrization(module, mask):
    torch.nn.utils.parametrizations.weight_norm(module, dim=None)
    parametrize.register_parametrization(module, "weight", Times(mask.float()))


def by_apply(module, mask):
    pattern = rx.nn.SparseLinear(rx.Pattern.explicit(*csr(mask))).pattern
    holder = nn.Sequential(module)
    rx.nn.apply(holder, rx.chain([rx.Layer("0", pattern)]))


def csr(mask):
    found = mask.float().to_sparse_csr()
    pointers, indices = found.crow_indices().numpy(), found.col_indices().numpy()
    return (mask.shape[1], mask.shape[0]), pointers, indices


@pytest.mark.parametrize(
    "masked", [by_prune, by_parametrization, by_both_kinds_of_parametrization, by_apply]
)
def test_a_zero_inside_a_mask_stays_an_edge(masked, tmp_path):
    module = linear(zeros=3)
    mask = torch.rand(6, 8) < 0.3
    mask[0, :3] = True
    masked(module, mask)
    net = rx.from_torch(module, torch.randn(2, 8))
    assert net.layers[0].name == "weight"
    np.testing.assert_array_equal(mask_of(net.layers[0]), mask)
    assert (net.layers[0].weights == 0).sum() == 3
    same(module, net, tmp_path / "m.rx.h5", *of_batches(8))


def test_without_a_mask_zeros_are_no_edges_and_dense_weights_are_said_to_be(tmp_path):
    module = nn.Sequential(linear(zeros=36), nn.ReLU(), linear(6, 4, zeros=6))
    net = rx.from_torch(module, torch.randn(2, 8))
    assert [layer.pattern.nnz for layer in net.layers] == [12]
    assert "fewer zeros than the threshold 0.5" in losses(net)[0]
    assert "at most 0.25): '2.weight'" in losses(net)[0]
    same(module, net, tmp_path / "m.rx.h5", *of_batches(8))
    assert len(rx.from_torch(module, torch.randn(2, 8), sparsity_threshold=0.25).layers) == 2


def test_a_mask_counts_against_the_threshold_and_not_the_zeros_in_it():
    module = linear(zeros=40)
    prune.custom_from_mask(module, "weight", torch.arange(48).view(6, 8) >= 20)
    net = rx.from_torch(module, torch.randn(2, 8))
    assert len(net.layers) == 0
    assert "at most 0.417): 'weight'" in losses(net)[0]


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "bsc"])
def test_a_sparse_parameter_brings_its_entries(layout, tmp_path):
    dense = torch.zeros(8, 12)
    dense[:2, 2:4], dense[4:6, 8:10] = torch.randn(2, 2), torch.randn(2, 2)
    block = ((2, 2),) if layout in ("bsr", "bsc") else ()
    convert = getattr(dense, "to_sparse" if layout == "coo" else f"to_sparse_{layout}")
    weight = convert(*block)
    weight.values().view(-1)[0] = 0
    module = nn.Linear(12, 8)
    module.weight = nn.Parameter(weight, requires_grad=False)
    net = rx.from_torch(nn.Sequential(module, nn.ReLU()), torch.randn(2, 12))
    assert module.weight is not None
    assert module.weight.layout != torch.strided
    np.testing.assert_array_equal(mask_of(net.layers[0]), dense != 0)
    plain = nn.Linear(12, 8)
    plain.load_state_dict({"weight": weight.to_dense(), "bias": module.bias})
    same(nn.Sequential(plain, nn.ReLU()), net, tmp_path / "m.rx.h5", *of_batches(12))


def test_sparse_modules_and_networks_of_this_package_come_back(tmp_path):
    hidden = rx.generate("erdos-renyi", widths=[9, 6], density=0.3, seed=1).layers[0].pattern
    kernel = rx.generate("erdos-renyi", widths=[18, 4], density=0.3, seed=2).layers[0].pattern
    geometry = rx.ConvGeometry((3, 3), (1, 1), (1, 0, 0, 1), (1, 1), 1)
    module = nn.Sequential(
        rx.nn.SparseConv2d(kernel, geometry), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(2),
        rx.nn.SparseLinear(hidden),
    )  # fmt: skip
    with torch.no_grad():
        module[4].weights[0] = 0
    net = rx.from_torch(module, torch.randn(2, 2, 7, 7))
    assert [layer.name for layer in net.layers] == ["0.weight", "4.weight"]
    for layer, pattern in zip(net.layers, (kernel, hidden), strict=True):
        np.testing.assert_array_equal(layer.pattern.indices, pattern.indices)
    same(module, net, tmp_path / "m.rx.h5", *of_batches(2, 7, 7))
    again = rx.from_torch(rx.to_torch(net), torch.randn(2, 2, 7, 7))
    assert digests(again).content == digests(net).content


def test_a_mask_in_the_forward_pass_and_tied_weights(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = linear(8, 8, zeros=40), nn.Linear(8, 8)
            self.second.weight = self.first.weight
            self.third = nn.Parameter(torch.randn(400, 8))
            self.register_buffer("mask", torch.rand(400, 8) < 0.2)

        def forward(self, x):
            return functional.linear(self.second(self.first(x)), self.third * self.mask)

    module = Tied()
    net = rx.from_torch(module, torch.randn(2, 3, 8))
    assert [layer.pattern.nnz for layer in net.layers] == [24, 24, int(module.mask.sum())]
    same(module, net, tmp_path / "m.rx.h5", *of_batches(3, 8))


class Left(nn.Module):
    """A sparse parameter as it is often applied: y = (W·xᵀ)ᵀ."""

    def __init__(self):
        super().__init__()
        weight = torch.where(torch.rand(5, 8) < 0.2, torch.randn(5, 8), 0.0)
        self.weight = nn.Parameter(weight.to_sparse_csr(), requires_grad=False)
        self.bias = nn.Parameter(torch.randn(5))

    def forward(self, x):
        return (self.weight @ x.t()).t() + self.bias


def test_a_sparse_parameter_on_the_left_of_a_product_becomes_a_layer(tmp_path):
    module = Left()
    net = rx.from_torch(module, torch.randn(2, 8))
    np.testing.assert_array_equal(mask_of(net.layers[0]), module.weight.to_dense() != 0)
    assert net.layers[0].name == "weight"
    assert losses(net) == []
    same(module, net, tmp_path / "m.rx.h5", *of_batches(8))


def test_attention_of_other_keys_takes_its_packed_weight_apart(tmp_path):
    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attend(x[:, :2], x, x, need_weights=False)[0]

    module = cut(Cross())
    inside = module.attend.in_proj_weight_mask.numpy()
    at = tuple(np.argwhere(inside)[0])
    with torch.no_grad():
        module.attend.in_proj_weight_orig[at] = 0
    module.attend.in_proj_weight = module.attend.in_proj_weight_orig * torch.from_numpy(inside)
    net = rx.from_torch(module, torch.randn(2, 4, 8))
    found = {layer.name: mask_of(layer) for layer in net.layers}
    parts = [mask for name, mask in found.items() if "in_proj_weight" in name]
    np.testing.assert_array_equal(np.concatenate(parts), inside)
    assert losses(net) == []
    same(module, net, tmp_path / "m.rx.h5", *of_batches(4, 8))


def test_a_masked_tensor_that_is_no_weight_of_a_layer_is_said_to_be_dense(tmp_path):
    module = nn.ConvTranspose1d(3, 4, 3)
    prune.random_unstructured(module, "weight", 0.9)
    net = rx.from_torch(module, torch.randn(2, 3, 5))
    assert losses(net) == [
        "the masks of tensors that no MatMul, Gemm or Conv applies as its weight: 'weight'"
    ]
    same(module, net, tmp_path / "m.rx.h5", *of_batches(3, 5))


def test_batch_norms_stay_unless_folding_is_asked_for(tmp_path):
    module = cut(resnet())
    example = torch.randn(2, 3, 8, 8)
    kept = rx.from_torch(module, example)
    folded = rx.from_torch(module, example, fold_batch_norm=True)
    assert sum(node.op == "BatchNormalization" for node in kept.graph) == 5
    assert sum(node.op == "BatchNormalization" for node in folded.graph) == 0
    assert losses(kept) == []
    assert losses(folded) == ["the batch norms, which are folded into the weights before them"]
    assert digests(kept).topology == digests(folded).topology
    same(module, folded, tmp_path / "m.rx.h5", *of_batches(3, 8, 8))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    # the epsilon of norms is a float32 in ONNX
    [(torch.float64, 1e-7), (torch.float16, 5e-3), (torch.bfloat16, 4e-2)],
)
def test_element_types(dtype, tolerance, tmp_path):
    module = cut(
        nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 5),
            nn.LayerNorm(5), nn.Linear(5, 3),
        ), 0.6,
    ).to(dtype)  # fmt: skip
    inputs = [given.to(dtype) for given in of_batches(2, 8)]
    net = rx.from_torch(module, inputs[0])
    read = same(module, net, tmp_path / "m.rx.h5", *inputs, tolerance=tolerance)
    name = str(dtype).removeprefix("torch.")
    assert {layer.dtype.name for layer in read.layers} == {name}
    assert all(layer.bias.dtype == layer.dtype for layer in read.layers)
    assert read.inputs[0].dtype == ("float32" if name == "bfloat16" else name)
    assert any("bfloat16" in text for text in losses(net)) == (name == "bfloat16")


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.only = linear()

    def forward(self, x, *, scale, shift=None):
        return (self.only(x) * scale if shift is None else self.only(x) * scale + shift), x.sum(1)


def test_several_inputs_and_outputs_by_name_and_a_fixed_batch(tmp_path):
    x, scale, shift = torch.randn(3, 8), torch.randn(3, 1), torch.randn(6)
    net = rx.from_torch(Two(), {"x": x, "scale": scale, "shift": shift})
    assert [(v.name, v.shape) for v in net.inputs] == [
        ("x", ("batch", 8)), ("scale", ("batch", 1)), ("shift", (6,)),
    ]  # fmt: skip
    module = Two()
    net = rx.from_torch(module, {"x": x, "scale": scale}, dynamic_batch=False)
    assert [v.shape for v in net.inputs] == [(3, 8), (3, 1)]
    with rx.Session(stored(net, tmp_path / "m.rx.h5"), device="cpu", threads=1) as session:
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
