"""Very deep sparse networks, started as dense layers are, and by each neuron's own fan-in.

    python tools/reproduce/neurofabric.py [--quick] [--seeds N] [--jobs J] [--output FOLDER]

After the abstract of "NeuroFabric: Identifying Ideal Topologies for Training A Priori Sparse
Networks" (Isakov and Kinsy, arXiv 2002.08339).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache, partial
from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from digits import Digits, digits
from neurofabric_page import figure, page
from study import Options, options, publish, trials
from torch import nn
from training import train

import radixfmt as rx

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "neurofabric"
WIDTH, DEGREE = 64, 8
"""Neurons of every hidden layer, and inputs of each (on average where drawn)."""

PROBED = 500
"""Test images that variances are taken over."""


class Plan(NamedTuple):
    """How large the study is.

    Attributes:
        depths: numbers of hidden layers between the first layer and the last, even ones.
        epochs: of every training.
        images: to train and to test on.
    """

    depths: tuple[int, ...]
    epochs: int
    images: tuple[int, int]


FULL = Plan((4, 8, 16, 32, 64), 8, (8000, 2000))
QUICK = Plan((4, 16), 5, (1400, 360))

TOPOLOGIES: dict[str, Callable[[int, int], rx.Network]] = {
    "random-regular": lambda depth, seed: rx.generate(
        "random-regular", widths=[WIDTH] * (depth + 1), degree=DEGREE, seed=seed
    ),
    "erdos-renyi": lambda depth, seed: rx.generate(
        "erdos-renyi", widths=[WIDTH] * (depth + 1), density=DEGREE / WIDTH, seed=seed
    ),
    "radix-net": lambda depth, _: rx.generate("radix-net", systems=[[8, 8]] * (depth // 2)),
    "block-diagonal": lambda depth, _: rx.generate(
        "block-diagonal", widths=[WIDTH] * (depth + 1), blocks=WIDTH // DEGREE
    ),
    "dense": lambda depth, _: rx.generate("dense", widths=[WIDTH] * (depth + 1)),
}
"""Name → (depth, seed) → hidden layers."""

STARTS: dict[str, str | None] = {
    "PyTorch": None,
    "He, n_in": f"normal={sqrt(2 / WIDTH)}",
    "own fan-in": "he",
}
"""Name → rule of `rx.nn.init_`; None leaves what torch.nn.Linear draws."""


def cases(plan: Plan) -> list[dict[str, Any]]:
    """Return what is trained, the deepest networks first; in dense layers n_in is the fan-in."""
    return [
        {"topology": topology, "start": start, "depth": depth}
        for depth in reversed(plan.depths)
        for topology in TOPOLOGIES
        for start in STARTS
        if (topology, start) != ("dense", "He, n_in")
    ]


def trial(topology: str, start: str, depth: int, seed: int, *, plan: Plan) -> dict[str, Any]:
    """Train one network.

    Returns:
        `accuracy` at the end and the `curve` to it, the `edges` of the hidden layers, the first
        epoch that ends `above` 80 % (None if none does), and of the first layer and each hidden one
        before training the `variance` of a neuron's sum between images, averaged over neurons, and
        its mean `square`.
    """
    data = images(plan.images)
    network = TOPOLOGIES[topology](depth, seed)
    torch.set_flush_denormal(True)  # signals that vanish would make training five times as slow
    torch.manual_seed(seed)
    module = deep(network, STARTS[start], seed)
    signal = probe(module, data)
    curve = train(module, data, epochs=plan.epochs, seed=seed)
    above = (epoch for epoch, reached in enumerate(curve, 1) if reached > 0.8)
    return {
        "accuracy": curve[-1],
        "curve": curve,
        "edges": network.nnz,
        "above": next(above, None),
        **signal,
    }


@cache
def images(count: tuple[int, int]) -> Digits:
    """Return the digits, read once in each process."""
    return digits().first(*count)


def deep(network: rx.Network, rule: str | None, seed: int) -> nn.Sequential:
    """Return 784 → 64 → the network's layers → 10, a ReLU after all but the last one.

    Args:
        network: of the hidden layers, which become masks on dense ones.
        rule: of the hidden weights; with one, all biases are 0 and the first layer is started by
            He's rule, with None all is as torch.nn.Linear draws it.
        seed: of the rule.
    """
    layers: dict[str, nn.Module] = {"flat": nn.Flatten(), "first": nn.Linear(784, WIDTH)}
    for layer in network.layers:
        layers[f"relu before {layer.name}"] = nn.ReLU()
        layers[layer.name] = nn.Linear(*layer.pattern.shape)
    layers |= {"relu": nn.ReLU(), "last": nn.Linear(WIDTH, 10)}
    module = rx.nn.apply(nn.Sequential(OrderedDict(layers)), network)
    if rule is not None:
        rx.nn.init_(module, rule, seed=seed)
        nn.init.kaiming_normal_(module.first.weight, nonlinearity="relu")
        for layer in module:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
    return module


def probe(module: nn.Sequential, data: Digits) -> dict[str, list[float]]:
    """Return how strong the signal is after each layer but the last."""
    found: dict[str, list[float]] = {"variance": [], "square": []}
    x = data.test[:PROBED]
    with torch.no_grad():
        for layer in module[:-1]:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                found["variance"].append(float(x.var(0).mean()))
                found["square"].append(float(x.square().mean()))
    return found


def run(wanted: Options) -> None:
    """Train all cases and write the results."""
    plan = QUICK if wanted.quick else FULL
    found = trials(partial(trial, plan=plan), cases(plan), wanted)
    facts = {
        "data": digits().source,
        "plan": plan._asdict() | {"width": WIDTH, "degree": DEGREE},
        "starts": list(STARTS),
        "topologies": list(TOPOLOGIES),
    }
    publish(NAME, wanted, found, facts, figure(found, facts), page(NAME, wanted, found, facts))


if __name__ == "__main__":
    run(options((__doc__ or "").splitlines()[0]))
