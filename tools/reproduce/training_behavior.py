"""LeNet-300-100 and LeNet-5: pruned once, pruned gradually, and sparse from the start.

    python tools/reproduce/training_behavior.py [--quick] [--seeds N] [--jobs J] [--output FOLDER]

After "Training Behavior of Sparse Neural Network Topologies" (Alford, Robinett, Milechin and
Kepner, arXiv 1810.00299), with the optimizer, the start and the schedule of its public code.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from digits import Digits, digits
from lenets import DECAY, Shape, decayed, lenet_5, lenet_300_100, patterns
from study import Options, options, publish, trials
from training import accuracy, train
from training_behavior_page import figure, page

import radixfmt as rx
from radixfmt.pruning import gradual_sparsity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

NAME = "training_behavior"
NETWORKS = {"LeNet-300-100": lenet_300_100, "LeNet-5": lenet_5}
RATE = 0.2
"""Of SGD; halved after each third of the steps."""

BEGIN, END, PRUNINGS = 0.1, 1 / 3, 35
"""Gradual pruning: shares of all steps where it begins and ends, and how often it prunes."""

DROPPED = 16
"""Inputs of the RadiX-Net, the first ones, that images of 784 pixels leave unused."""


class Plan(NamedTuple):
    """How large the study of one network is.

    Attributes:
        network: which one.
        epochs: of every training.
        shapes: (n_in, n_out) of the two layers that may be sparse.
        levels: sparsities to prune to.
        random: sparsities of random networks of the usual size.
        images: to train and to test on.
    """

    network: str
    epochs: int
    shapes: tuple[Shape, Shape]
    levels: tuple[float, ...] = (0.5, 0.75, 0.9, 0.95, 0.99)
    random: tuple[float, ...] = (0.5, 0.9, 0.95, 0.99)
    images: tuple[int, int] = (8000, 2000)


FULL = [
    Plan("LeNet-300-100", 15, ((784, 300), (300, 100))),
    Plan("LeNet-5", 8, ((150, 16), (784, 120))),
]
QUICK = [
    plan._replace(epochs=6, levels=(0.9, 0.99), random=(0.9, 0.99), images=(1000, 360))
    for plan in FULL
]


def cases(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """Return what is trained; `factor` is how many times as wide the first layer is."""
    made: list[tuple[str, str, float, int]] = []
    for plan in plans:
        made += [(plan.network, *each, 1) for each in product(("gradual", "one-time"), plan.levels)]
        made += [(plan.network, "random", sparsity, 1) for sparsity in plan.random]
        made += [(plan.network, "dense", 0.0, 1)]
    made += [("LeNet-300-100", "radix", 0.9, factor) for factor in (1, 10)]
    made += [("LeNet-300-100", "random", 0.9, 10)]
    keys = ("network", "kind", "sparsity", "factor")
    return [dict(zip(keys, each, strict=True)) for each in made]


def trial(
    network: str, kind: str, sparsity: float, factor: int, seed: int, *, quick: bool
) -> dict[str, Any]:
    """Train one network from scratch on a mask, after finding the mask where it is pruned.

    Returns:
        `accuracy` at the end and the `curve` to it, the `edges` of the two sparse layers, the
        neurons that are left without inputs there (`cut off`), and for pruned networks the accuracy
        before they are trained again (`pruned`).
    """
    plan = next(each for each in (QUICK if quick else FULL) if each.network == network)
    found: dict[str, Any] = {}
    if kind == "one-time":
        module = deepcopy(trained_dense(plan, seed))
        rx.nn.prune_(module, sparsity)
        found["pruned"] = accuracy(module, images(plan.images))
        mask = patterns(module)
    elif kind == "gradual":
        module = fresh(plan, drawn(plan, 0.0), seed)
        found["pruned"] = trained(module, plan, seed, final=sparsity)[-1]
        mask = patterns(module)
    else:
        mask = radix(factor) if kind == "radix" else drawn(plan, sparsity, factor, seed)
    # what is retrained starts from other weights than those that chose its edges
    start = seed + 1000 if "pruned" in found else seed
    curve = trained(fresh(plan, mask, start), plan, seed)
    return found | {
        "accuracy": curve[-1],
        "curve": curve,
        "edges": [pattern.nnz for pattern in mask],
        "cut off": int(sum(np.count_nonzero(pattern.fan_in() == 0) for pattern in mask)),
    }


@cache
def images(count: tuple[int, int]) -> Digits:
    """Return the digits, read once in each process."""
    return digits().first(*count)


@cache
def trained_dense(plan: Plan, seed: int) -> nn.Sequential:
    """Return the dense network, trained once in each process."""
    module = fresh(plan, drawn(plan, 0.0), seed)
    trained(module, plan, seed)
    return module


def fresh(plan: Plan, mask: Sequence[rx.Pattern], seed: int) -> nn.Sequential:
    """Return an untrained network with these edges."""
    torch.manual_seed(seed)
    return NETWORKS[plan.network](mask)


def trained(
    module: nn.Sequential, plan: Plan, seed: int, final: float | None = None
) -> list[float]:
    """Train in place, pruning gradually to the sparsity `final` if given; return the accuracies."""
    data = images(plan.images)
    steps = plan.epochs * -(-len(data.train) // 100)
    optimizer = torch.optim.SGD(decayed(module), lr=RATE)
    thirds = [steps // 3, 2 * steps // 3]
    rates = torch.optim.lr_scheduler.MultiStepLR(optimizer, thirds, gamma=0.5)
    begin, end = round(BEGIN * steps), round(END * steps)
    times = {round(step) for step in np.linspace(begin, end, PRUNINGS + 1)[1:]}

    def after_step(step: int) -> None:
        rates.step()
        if final is not None and step in times:
            sparsity = gradual_sparsity(step, final=final, begin=begin, end=end)
            rx.nn.prune_(module, sparsity, optimizer=optimizer)

    return train(
        module, data, epochs=plan.epochs, seed=seed, optimizer=optimizer, after_step=after_step
    )


def drawn(plan: Plan, sparsity: float, factor: int = 1, seed: int = 0) -> list[rx.Pattern]:
    """Return patterns in which every cell is an edge with the same probability."""
    (n_in, middle), (n, n_out) = plan.shapes
    shapes = [(n_in, middle * factor), (n * factor, n_out)]
    return [
        rx.generate("erdos-renyi", widths=shape, density=round(1 - sparsity, 6), seed=2 * seed + i)
        .layers[0]
        .pattern
        for i, shape in enumerate(shapes)
    ]


def radix(factor: int) -> list[rx.Pattern]:
    """Return the RadiX-Net [[10, 10]] of 784 inputs: 300·factor and 100 neurons follow."""
    first, second = rx.generate("radix-net", systems=[[10, 10]], widths=[8, 3 * factor, 1]).layers
    return [rx.Pattern.from_scipy(first.pattern.to_scipy()[DROPPED:]), second.pattern]


def run(wanted: Options) -> None:
    """Train all cases and write the results."""
    plans = QUICK if wanted.quick else FULL
    found = trials(partial(trial, quick=wanted.quick), cases(plans), wanted)
    facts = {
        "data": digits().source,
        "plans": {plan.network: plan._asdict() for plan in plans},
        "training": {"rate": RATE, "decay": DECAY, "begin": BEGIN, "end": END,
                     "prunings": PRUNINGS, "dropped inputs": DROPPED},
    }  # fmt: skip
    publish(NAME, wanted, found, facts, figure(found), page(NAME, wanted, found, facts))


if __name__ == "__main__":
    run(options((__doc__ or "").splitlines()[0]))
