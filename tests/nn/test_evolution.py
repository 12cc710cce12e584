"""Initialisation, pruning, SET and RigL on modules: counts, choices, optimizers, seeds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

import radixfmt as rx
from radixfmt.nn import SparseConv2d, SparseLinear
from radixfmt.nn.edges import edged
from radixfmt.pruning import gradual_sparsity

GEOMETRY = rx.ConvGeometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))


def pattern(n_in, n_out, density=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return rx.Pattern.from_scipy(sp.csc_array(rng.random((n_in, n_out)) < density))


def model():
    """A sparse convolution, a sparse linear layer and a masked one."""
    torch.manual_seed(0)
    made = nn.Sequential(
        SparseConv2d(pattern(18, 4), GEOMETRY), nn.ReLU(), nn.Flatten(),
        SparseLinear(pattern(64, 20)), nn.ReLU(), nn.Linear(20, 6),
    )  # fmt: skip
    return rx.nn.apply(made, rx.chain([rx.Layer("5", pattern(20, 6, 0.5))]))


def trained(module, optimizer, steps=1):
    torch.manual_seed(1)
    x, y = torch.randn(16, 2, 4, 4), torch.randn(16, 6)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((module(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def cells(layer):
    matrix = layer.pattern.to_scipy(layer.values().numpy() * 0 + 1).toarray()
    return set(map(tuple, np.argwhere(matrix)))


def counts(module):
    return {name: layer.pattern.nnz for name, layer in edged(module).items()}


def test_init_draws_what_a_file_draws():
    net = rx.generate("erdos-renyi", widths=[30, 20, 10], density=0.2, seed=1, weights="he")
    module = rx.to_torch(net)
    rx.nn.init_(module, "normal=3", seed=9)
    assert not np.array_equal(module.layers[0].values(), net.layers[0].weights)
    rx.nn.init_(module, "he", seed=1)
    for layer, ours in zip(net.layers, module.layers, strict=True):
        assert np.array_equal(ours.values(), layer.weights)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_prune_keeps_the_largest_of_both_kinds_of_layers(scope):
    module = model()
    before = {name: layer.values().abs() for name, layer in edged(module).items()}
    rx.nn.prune_(module, 0.8, scope=scope)
    total = sum(np.prod(layer.pattern.shape) for layer in edged(module).values())
    if scope == "global":
        assert sum(counts(module).values()) == total - int(total * 0.8)
    for name, layer in edged(module).items():
        kept = torch.sort(layer.values().abs()).values
        assert torch.equal(kept, torch.sort(before[name]).values[len(before[name]) - len(kept) :])
    assert int(module[5].weight.count_nonzero()) == edged(module)["5"].pattern.nnz


def test_edges_change_while_the_last_loss_is_held():
    for dtype in (torch.float32, torch.float64):
        module = SparseLinear(pattern(20, 6), dtype=dtype)
        loss = module(torch.ones(2, 20)).sum()
        loss.backward()
        rx.nn.prune_(module, 0.9)
        again = module(torch.ones(2, 20)).sum()
        again.backward()
        assert module.weights.dtype == dtype
        assert torch.equal(module.weights.grad, torch.full_like(module.weights, 2))
        assert float(loss.detach()) != float(again.detach())


def test_gradual_pruning_while_training():
    module = model()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    losses = []
    for step in range(40):
        losses += trained(module, optimizer)
        if step % 10 == 0:
            sparsity = gradual_sparsity(step, initial=0.5, final=0.9, begin=0, end=30)
            rx.nn.prune_(module, sparsity, optimizer=optimizer)
    assert losses[-1] < losses[0]
    assert counts(module) == {"0": 8, "3": 128, "5": 12}
    assert all(
        state["exp_avg"].shape == parameter.shape for parameter, state in optimizer.state.items()
    )


def test_set_moves_edges_keeps_their_number_and_the_momentum_of_those_that_stay():
    module, again = model(), model()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    trained(module, optimizer, 3)
    again.load_state_dict(module.state_dict())
    before = counts(module)
    layer = module[3]
    was = layer.pattern.to_scipy(
        optimizer.state[layer.weights]["momentum_buffer"].numpy()
    ).toarray()
    old = cells(layer)
    rx.nn.rewire_(module, zeta=0.5, seed=4, optimizer=optimizer)
    assert counts(module) == before
    new = cells(layer)
    assert old != new
    now = layer.pattern.to_scipy(
        optimizer.state[layer.weights]["momentum_buffer"].numpy()
    ).toarray()
    for cell in new:
        assert now[cell] == (was[cell] if cell in old else 0)
    rx.nn.rewire_(again, zeta=0.5, seed=4)
    assert cells(again[3]) == new
    assert torch.equal(again[3].values(), layer.values())
    trained(module, optimizer, 2)


def test_rigl_drops_the_smallest_and_grows_by_gradient():
    module = model()
    torch.manual_seed(2)
    x = torch.randn(8, 2, 4, 4)
    with rx.nn.dense_gradients(module) as gradients:
        module(x[:4]).square().sum().backward()
        module(x[4:]).square().sum().backward()
    before = {n: (cells(e), e.pattern.to_scipy(e.values().numpy()).toarray())
              for n, e in edged(module).items()}  # fmt: skip
    rx.nn.rigl_(module, gradients, fraction=0.25)
    for name, layer in edged(module).items():
        old, weights = before[name]
        new = cells(layer)
        moved = len(old) // 4
        ranked = sorted(old, key=lambda cell: abs(weights[cell]))
        kept = set(ranked[moved:])
        gradient = gradients[name].abs().numpy()
        free = [c for c in np.ndindex(weights.shape) if c not in kept]
        grown = sorted(free, key=lambda cell: -gradient[cell[1], cell[0]])[:moved]
        assert new == kept | set(grown)
        after = layer.pattern.to_scipy(layer.values().numpy()).toarray()
        assert all(after[c] == (weights[c] if c in old else 0) for c in new)


def test_dense_gradients_are_those_of_dense_layers():
    module = model()
    x = torch.randn(5, 2, 4, 4)
    with rx.nn.dense_gradients(module) as gradients:
        module(x).square().sum().backward()
    conv, linear = module[0].dense_weight().detach(), module[3].dense_weight().detach()
    conv.requires_grad_()
    linear.requires_grad_()
    last = module[5].weight.detach().requires_grad_()
    F = nn.functional  # noqa: N806
    h = F.relu(F.conv2d(x, conv.view(4, 2, 3, 3), module[0].bias, padding=1)).flatten(1)
    h = F.relu(F.linear(h, linear, module[3].bias))
    F.linear(h, last, module[5].bias).square().sum().backward()
    for name, weight in (("0", conv), ("3", linear), ("5", last)):
        torch.testing.assert_close(gradients[name], weight.grad, rtol=1e-4, atol=1e-4)
    assert all(not layer._forward_hooks for layer in module)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: rx.nn.prune_(m, 1.5), "sparsity: expected a number from 0 to 1"),
        (lambda m: rx.nn.rewire_(m, zeta=-1), "zeta: expected a number from 0 to 1"),
        (lambda m: rx.nn.rigl_(m, {}), "layer '0' has none"),
        (lambda m: rx.nn.rigl_(m, {"0": torch.zeros(3)}), "expected finite numbers"),
        (lambda m: rx.nn.rigl_(m, {"0": torch.full((4, 18), torch.nan)}), "not finite"),
        (lambda m: rx.nn.init_(m, "hee"), "weights: expected one of"),
        (lambda m: rx.nn.init_(m, "none"), "a rule that draws weights"),
        (lambda m: rx.nn.init_(nn.Linear(2, 2)), "found none"),
    ],
)
def test_misuse_is_told_and_nothing_changes(call, message):
    module = model()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(rx.RadixfmtError, match=message):
        call(module)
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
