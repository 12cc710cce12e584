"""Accuracy against spectral measures, for many families of topologies with as many edges.

    python tools/reproduce/sparse_topologies.py [--quick] [--seeds N] [--output FOLDER]

After "Sparse Neural Networks Topologies" (Bourely, Boueri and Choromonski, arXiv 1706.05683), of
which only the abstract was at hand: accuracy depends on expander-like properties, spectral gap and
algebraic connectivity, rather than on density. Four hidden layers of 256 neurons are sparse; what
stands before and after them is the same for all families.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
from digits import Digits, digits
from rank_correlation import correlations
from study import Options, options, publish, trials
from topologies_page import figure, page
from torch import nn
from training import train

import radixfmt as rx

NAME = "sparse_topologies"
N, LAYERS = 256, 4
WIDTHS = [N] * (LAYERS + 1)
REWIRE = (0.0, 0.03, 0.1, 0.3, 1.0)
"""Probabilities of small-world layers, from the ring to random layers."""

READOUTS = {"trained": 0.8, "groups": 0.7}
"""How the scores are read, and the accuracy to be reached: by a dense layer that is trained, or
each class as the sum of the 25 outputs beside each other that are its own."""


class Plan(NamedTuple):
    """How large the study is.

    Attributes:
        degrees: edges per neuron, a group of families each.
        epochs: of every training.
        images: to train and to test on.
    """

    degrees: tuple[int, ...]
    epochs: int
    images: tuple[int, int]


FULL = Plan((4, 9, 16), 12, (8000, 2000))
QUICK = Plan((4,), 4, (1400, 360))


def families(degree: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return label → family and parameters, all with exactly 1024·`degree` edges.

    Monarch layers of these sizes are the butterfly's.

    Args:
        degree: 4 or 16, or 9, at which fewer families can be had, but a hypercube can.
    """
    shape = {"widths": WIDTHS, "degree": degree}
    found: dict[str, tuple[str, dict[str, Any]]] = {
        "random-regular": ("random-regular", shape),
        "x-net-random": ("x-net-random", shape),
        "x-net-cayley": ("x-net-cayley", shape),
        "random (erk)": ("erk", {"widths": WIDTHS, "density": degree / N}),
    }
    found |= {f"small-world {p:g}": ("small-world", shape | {"rewire": p}) for p in REWIRE}
    if degree == 9:
        return found | {
            "hypercube": ("hypercube", {"neurons": N, "layers": LAYERS}),
            "torus 4x4x4x4": ("torus", {"sides": [4] * 4, "layers": LAYERS}),
        }
    # one system of radices, or one round of digits, is 4 layers or 2
    digits_of, block, factors = {4: (4, 1, 3), 16: (2, 2, 7)}[degree]
    return found | {
        "radix-net": ("radix-net", {"systems": [[degree] * digits_of] * (LAYERS // digits_of)}),
        "butterfly": ("butterfly", {"neurons": N, "radix": degree, "layers": LAYERS}),
        "pixelfly": ("pixelfly", {"widths": WIDTHS, "block": block, "factors": factors}),
        "block-sparse": ("block-sparse", {"widths": WIDTHS, "block": 2, "degree": degree // 2}),
        "block-diagonal": ("block-diagonal", {"widths": WIDTHS, "blocks": N // degree}),
        "low-rank": ("low-rank", {"widths": [N] * 3, "rank": degree}),
    }


def topology(degree: int, label: str, seed: int) -> rx.Network:
    """Return a family's hidden layers, ReLU after each, with biases of 0 and no weights.

    At a degree of 256 they are full, whatever the label.
    """
    family, parameters = ("dense", {"widths": WIDTHS}) if degree == N else families(degree)[label]
    made = rx.generate(family, seed=seed, **parameters)
    return rx.chain(
        [layer.replace(bias=np.zeros(layer.pattern.shape[1], np.float32)) for layer in made.layers],
        activation="Relu",
    )


def score(degree: int, label: str, seed: int, *, plan: Plan) -> dict[str, Any]:
    """Measure one network, and train it with each readout.

    Returns:
        `edges`; `gap` and `connectivity`, spectral gap ratio and algebraic connectivity, means of
        the layers; `network_gap`, the gap ratio of their product; and the accuracies after each
        epoch, by readout.
    """
    network = topology(degree, label, seed)
    spectral = rx.measure(network, "spectral")
    mean = {
        key: fmean(layer[key] for layer in spectral["layers"])
        for key in ("gap_ratio", "algebraic_connectivity")
    }
    return {
        "edges": network.nnz,
        # 0 is found as 1e-16, or as -1e-16, and should be one value in ranks
        "gap": round(mean["gap_ratio"], 9) + 0.0,
        "connectivity": round(mean["algebraic_connectivity"], 9) + 0.0,
        "network_gap": round(spectral["network"]["gap_ratio"], 9) + 0.0,
    } | trained(network, seed, plan)


def trained(network: rx.Network, seed: int, plan: Plan) -> dict[str, list[float]]:
    """Return the accuracies after each epoch, by readout."""
    data = projected(digits().first(*plan.images), seed)
    curves = {}
    for readout in READOUTS:
        torch.manual_seed(seed)
        last = nn.Linear(N, 10) if readout == "trained" else Groups()
        module = nn.Sequential(rx.to_torch(network, weights="he", seed=seed), last)
        curves[readout] = train(module, data, epochs=plan.epochs, seed=seed)
    return curves


def projected(data: Digits, seed: int) -> Digits:
    """Return 256 features of each image, ReLU of a random projection, in place of its pixels."""
    drawn = torch.Generator().manual_seed(seed)
    matrix = torch.randn(28 * 28, N, generator=drawn) * (2 / (28 * 28)) ** 0.5
    train, test = (torch.relu(x.flatten(1) @ matrix) for x in (data.train, data.test))
    return replace(data, train=train, test=test)


class Groups(nn.Module):
    """Each class is the sum of 25 neighbouring inputs, over 5; the last 6 inputs are not read."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `[B, 10]` for x `[B, 256]`."""
        return x[:, :250].reshape(-1, 10, 25).sum(2) / 5


def run(wanted: Options) -> None:
    """Measure, train, and write the results."""
    plan = QUICK if wanted.quick else FULL
    cases = [{"degree": k, "label": label} for k in plan.degrees for label in families(k)]
    found = trials(partial(score, plan=plan), [{"degree": N, "label": "dense"}, *cases], wanted)
    data = digits().first(*plan.images)
    facts = {
        "data": data.source,
        "images": [len(data.train), len(data.test)],
        "plan": plan._asdict() | {"neurons": N, "layers": LAYERS, "targets": READOUTS},
    }
    facts["correlations"] = correlations(found, facts)
    publish(NAME, wanted, found, facts, figure(found, facts), page(NAME, wanted, found, facts))


if __name__ == "__main__":
    run(options((__doc__ or "").splitlines()[0]))
