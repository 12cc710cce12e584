"""nn.apply: a file's patterns on a user's own layers."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import radixfmt as rx


def lenet():
    """LeNet-300-100."""
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            flat=nn.Flatten(),
            fc1=nn.Linear(784, 300),
            relu1=nn.ReLU(),
            fc2=nn.Linear(300, 100),
            relu2=nn.ReLU(),
            fc3=nn.Linear(100, 10),
        )
    )


def network(names=("fc1", "fc2.weight")):
    net = rx.generate("erdos-renyi", widths=[784, 300, 100], density=0.1, seed=1)
    return rx.chain([layer.replace(name=n) for layer, n in zip(net.layers, names, strict=True)])


def test_masks_lenet_and_keeps_them_while_it_trains():
    model, net = lenet(), network()
    before = model[1].weight.detach().clone()
    assert rx.nn.apply(model, net) is model
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)
    x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
    first = nn.functional.cross_entropy(model(x), y)
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss < first
    for place, layer in zip((1, 3), net.layers, strict=True):
        weight = model[place].weight.detach()
        inside = torch.from_numpy(layer.pattern.to_scipy().toarray().T > 0)
        assert not weight[~inside].any()
        assert int(weight[inside].count_nonzero()) == layer.pattern.nnz
    assert not parametrize.is_parametrized(model[5])
    assert not torch.equal(before, model[1].weight)


def test_state_dicts_with_and_without_masks_load():
    plain, masked, other = lenet(), rx.nn.apply(lenet(), network()), rx.nn.apply(lenet(), network())
    with torch.no_grad():
        masked[1].parametrizations.weight.original.add_(1)
        plain[1].weight.mul_(2)
    other.load_state_dict(masked.state_dict())
    x = torch.randn(2, 784)
    torch.testing.assert_close(other(x), masked(x))
    masked.load_state_dict(plain.state_dict())
    inside = masked[1].parametrizations.weight[0].mask
    torch.testing.assert_close(masked[1].weight, plain[1].weight * inside)
    parametrize.remove_parametrizations(masked[1], "weight")
    assert masked.state_dict()["fc1.weight"].count_nonzero() == int(inside.sum())


def test_a_second_mask_takes_the_place_of_the_first():
    model = rx.nn.apply(lenet(), network())
    net = rx.generate("erdos-renyi", widths=[784, 300, 100], density=0.02, seed=2)
    own = [layer.name for layer in net.layers]
    rx.nn.apply(model, net, names=dict(zip(own, ["fc1", "fc2"], strict=True)))
    assert int(model[1].weight.count_nonzero()) == net.layers[0].pattern.nnz
    assert len(model[1].parametrizations.weight) == 1


def test_masks_a_convolution_in_its_own_order():
    conv = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2))
    geometry = rx.ConvGeometry((3, 3), (1, 1), (0, 0, 0, 0), (1, 1), 2)
    layer = rx.generate("random-regular", widths=[18, 6], degree=5, seed=4).layers[0]
    layer = layer.replace(name="0", kind="conv", geometry=geometry)
    from radixfmt.model.network import alone

    rx.nn.apply(conv, alone(layer, rx.Metadata()))
    flat = conv[0].weight.detach().reshape(6, -1).T.numpy()
    assert ((flat != 0) == (layer.pattern.to_scipy().toarray() != 0)).all()


@pytest.mark.parametrize(
    ("net", "options", "message", "hint"),
    [
        (lambda: network(("conv1", "fc2")), {}, "the module has no 'conv1'", "names="),
        (lambda: network(("fcc1", "fc2")), {}, "the module has no 'fcc1'", "Did you mean 'fc1'"),
        (lambda: network(("fc1", "fc3")), {}, "fc3: expected a weight of 100 outputs", None),
        (lambda: network(("relu1", "fc2")), {}, "relu1: expected Linear for a linear layer", None),
        (lambda: network(("fc1", "fc1")), {}, "'fc1' already has a pattern", None),
        (network, {"names": {"one": "fc1"}}, "names: 'one' is no layer", "names="),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_and_nothing_changes(net, options, message, hint):
    model = lenet()
    with pytest.raises(rx.RadixfmtError, match=message) as caught:
        rx.nn.apply(model, net(), **options)
    assert hint is None or hint in caught.value.hint
    assert not any(parametrize.is_parametrized(layer) for layer in model)
