"""Which weights of a PyTorch module are edges: masks, sparse tensors, exact zeros."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize, prune

import radixfmt as rx
from radixfmt.model.digest import digests


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def losses(net):
    return net.metadata.provenance[-1].get("losses", [])


def of_batches(*shape):
    """Return random inputs of batches 1 and 5."""
    return [torch.randn(batch, *shape) for batch in (1, 5)]


def mask_of(layer):
    return layer.pattern.to_scipy().toarray().T


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
def test_a_zero_inside_a_mask_stays_an_edge(masked, same):
    module = linear(zeros=3)
    mask = torch.rand(6, 8) < 0.3
    mask[0, :3] = True
    masked(module, mask)
    net = rx.from_torch(module, torch.randn(2, 8))
    assert net.layers[0].name == "weight"
    np.testing.assert_array_equal(mask_of(net.layers[0]), mask)
    assert (net.layers[0].weights == 0).sum() == 3
    same(module, net, *of_batches(8))


def test_without_a_mask_zeros_are_no_edges_and_dense_weights_are_said_to_be(same):
    module = nn.Sequential(linear(zeros=36), nn.ReLU(), linear(6, 4, zeros=6))
    net = rx.from_torch(module, torch.randn(2, 8))
    assert [layer.pattern.nnz for layer in net.layers] == [12]
    assert "fewer zeros than the threshold 0.5" in losses(net)[0]
    assert "at most 0.25): '2.weight'" in losses(net)[0]
    same(module, net, *of_batches(8))
    assert len(rx.from_torch(module, torch.randn(2, 8), sparsity_threshold=0.25).layers) == 2


def test_a_mask_counts_against_the_threshold_and_not_the_zeros_in_it():
    module = linear(zeros=40)
    prune.custom_from_mask(module, "weight", torch.arange(48).view(6, 8) >= 20)
    net = rx.from_torch(module, torch.randn(2, 8))
    assert len(net.layers) == 0
    assert "at most 0.417): 'weight'" in losses(net)[0]


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "bsc"])
def test_a_sparse_parameter_brings_its_entries(layout, same):
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
    same(nn.Sequential(plain, nn.ReLU()), net, *of_batches(12))


def test_sparse_modules_and_networks_of_this_package_come_back(same):
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
    same(module, net, *of_batches(2, 7, 7))
    again = rx.from_torch(rx.to_torch(net), torch.randn(2, 2, 7, 7))
    assert digests(again).content == digests(net).content


def test_a_mask_in_the_forward_pass_and_tied_weights(same):
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
    same(module, net, *of_batches(3, 8))


class Left(nn.Module):
    """A sparse parameter as it is often applied: y = (W·xᵀ)ᵀ."""

    def __init__(self):
        super().__init__()
        weight = torch.where(torch.rand(5, 8) < 0.2, torch.randn(5, 8), 0.0)
        self.weight = nn.Parameter(weight.to_sparse_csr(), requires_grad=False)
        self.bias = nn.Parameter(torch.randn(5))

    def forward(self, x):
        return (self.weight @ x.t()).t() + self.bias


def test_a_sparse_parameter_on_the_left_of_a_product_becomes_a_layer(same):
    module = Left()
    net = rx.from_torch(module, torch.randn(2, 8))
    np.testing.assert_array_equal(mask_of(net.layers[0]), module.weight.to_dense() != 0)
    assert net.layers[0].name == "weight"
    assert losses(net) == []
    same(module, net, *of_batches(8))


def test_attention_of_other_keys_takes_its_packed_weight_apart(same):
    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attend(x[:, :2], x, x, need_weights=False)[0]

    module = Cross()
    prune.random_unstructured(module.attend, "in_proj_weight", 0.9)
    prune.random_unstructured(module.attend.out_proj, "weight", 0.9)
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
    same(module, net, *of_batches(4, 8))


def test_a_masked_tensor_that_is_no_weight_of_a_layer_is_said_to_be_dense(same):
    module = nn.ConvTranspose1d(3, 4, 3)
    prune.random_unstructured(module, "weight", 0.9)
    net = rx.from_torch(module, torch.randn(2, 3, 5))
    assert losses(net) == [
        "the masks of tensors that no MatMul, Gemm or Conv applies as its weight: 'weight'"
    ]
    same(module, net, *of_batches(3, 5))
