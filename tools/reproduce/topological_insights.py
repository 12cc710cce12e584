"""SET from several starts: how far sparse topologies drift, and what it does to accuracy.

    python tools/reproduce/topological_insights.py [--quick] [--seeds N] [--output FOLDER]

After "Topological Insights into Sparse Neural Networks" (Liu et al., ECML-PKDD 2020, arXiv
2006.14085), with sparse evolutionary training (SET; Mocanu et al., Nat. Commun. 2018). Every run
writes its network to a file after some steps of SET; NNSTD is then taken between files.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from digits import Digits, digits
from insights_page import figure, page
from study import Options, options, publish, trials
from torch import nn
from training import train

import radixfmt as rx
from radixfmt.pruning import rewire

NAME = "topological_insights"
ZETA = 0.3
CHANGED = 0.01
"""Share of the links that one start has and the next has not, as in the paper's Fig. 4."""


class Plan(NamedTuple):
    """How large the study is.

    Attributes:
        widths: neurons of the sparse layers, input first; a dense layer to 10 scores follows.
        epsilon: expected links per neuron of either side, SET's parameter.
        epochs: of every run; SET moves links between them, so one time less.
        moments: numbers of steps of SET after which a network is kept.
        images: to train and to test on.
    """

    widths: tuple[int, ...]
    epsilon: float
    epochs: int
    moments: tuple[int, ...]
    images: tuple[int, int]


FULL = Plan((784, 784, 784, 784), 2.4, 40, (0, 1, 5, 10, 20, 30, 39), (8000, 2000))
QUICK = Plan((784, 128, 128, 128), 2.4, 4, (0, 1, 3), (1400, 360))

RUNS: dict[str, tuple[str, int, int]] = {
    "w0": ("SET", 0, 0),
    "w0 again": ("SET", 0, 0),
    "w1": ("SET", 0, 1),
    "w4": ("SET", 0, 4),
    "w9": ("SET", 0, 9),
    "r1": ("SET", 1, 0),
    "r2": ("SET", 2, 0),
    "r3": ("SET", 3, 0),
    "static": ("static", 0, 0),
    "dense": ("dense", 0, 0),
}
"""Name → how it is trained, which random start, and how many times 1 % of its links are changed."""

PAIRS = {
    **{name: [("w0", name)] for name in ("w0 again", "w1", "w4", "w9")},
    "independent": [("w0", "r1"), ("r1", "r2"), ("r2", "r3")],
    "within": [(name, name) for name in ("w0", "r1", "r2", "r3")],
}
"""Runs that are compared, by what the pairs are an example of."""


def start(plan: Plan, random: int, generations: int, seed: int) -> rx.Network:
    """Return the sparse layers before training, with weights.

    Args:
        plan: of the study.
        random: number of the random network.
        generations: how many times 1 % of the links, the weakest, go and random ones come; the
            others keep their weights.
        seed: of the trial.
    """
    network = rx.generate(
        "erdos-renyi", widths=plan.widths, epsilon=plan.epsilon,
        weights="he", bias=0.0, activation="relu", seed=10 * seed + random,
    )  # fmt: skip
    for generation in range(generations):
        network = rewire(network, zeta=CHANGED, seed=generation)
    return network


def evolve(run: str, seed: int, *, plan: Plan, folder: Path) -> dict[str, Any]:
    """Train one network; keep the evolving ones in `folder`.

    Returns:
        `accuracy` after each epoch, and the edges of each sparse layer `before` and `after`.
    """
    kind, random, generations = RUNS[run]
    data = digits().first(*plan.images)
    torch.manual_seed(seed)
    if kind == "dense":
        return {"accuracy": train(dense(plan), data, epochs=plan.epochs, seed=seed)}
    begun = start(plan, random, generations, seed)
    sparse = rx.to_torch(begun)
    module = nn.Sequential(nn.Flatten(), sparse, nn.Linear(plan.widths[-1], 10))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    draws = 10_000 * (10 * seed + list(RUNS).index(run))  # SET's own, others in each run

    def move(epoch: int) -> None:
        if epoch:
            rx.nn.rewire_(module, zeta=ZETA, seed=draws + epoch, optimizer=optimizer)
        if epoch in plan.moments:
            rx.write(kept(folder, run, seed, epoch), sparse.to_network())

    curve = train(
        module, data, epochs=plan.epochs, seed=seed, optimizer=optimizer,
        before_epoch=move if kind == "SET" else None,
    )  # fmt: skip
    edges = [[layer.pattern.nnz for layer in net.layers] for net in (begun, sparse.to_network())]
    return {"accuracy": curve, "before": edges[0], "after": edges[1]}


def dense(plan: Plan) -> nn.Sequential:
    """Return the dense network of the same widths."""
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in zip(plan.widths, plan.widths[1:], strict=False):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(plan.widths[-1], 10))


def kept(folder: Path, run: str, seed: int, moment: int) -> Path:
    """Return the file of a run's network after `moment` steps of SET."""
    return folder / f"{run.replace(' ', '-')}-{seed}-{moment}.rx.h5"


def compare(a: str, b: str, seed: int, *, plan: Plan, folder: Path) -> dict[str, Any]:
    """Return NNSTD at every moment, of run a and run b, or of a run's start and itself (a = b).

    Args:
        a: a run.
        b: a run.
        seed: of both.
        plan: of the study.
        folder: with their files.
    """
    found = []
    for moment in plan.moments:
        files = [kept(folder, a, seed, 0 if a == b else moment), kept(folder, b, seed, moment)]
        with rx.open(files[0]) as first, rx.open(files[1]) as second:
            found.append(rx.nnstd(first, second))
    return {"nnstd": [each.distance for each in found], "layers": [each.layers for each in found]}


def run(wanted: Options) -> None:
    """Train, compare, and write the results."""
    plan = QUICK if wanted.quick else FULL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        longest_first = [{"run": each} for each in reversed(RUNS)]
        trained = trials(partial(evolve, plan=plan, folder=folder), longest_first, wanted)
        pairs = [{"a": a, "b": b} for group in PAIRS.values() for a, b in group]
        compared = trials(partial(compare, plan=plan, folder=folder), pairs, wanted)
    data: Digits = digits().first(*plan.images)
    facts = {
        "data": data.source,
        "images": [len(data.train), len(data.test)],
        "plan": plan._asdict() | {"zeta": ZETA, "changed": CHANGED},
        "runs": {key: dict(zip(("kind", "start", "generations"), value, strict=True))
                 for key, value in RUNS.items()},
        "pairs": {key: [list(pair) for pair in value] for key, value in PAIRS.items()},
        "distances": compared,
    }  # fmt: skip
    publish(
        NAME, wanted, trained, facts, figure(trained, facts), page(NAME, wanted, trained, facts)
    )


if __name__ == "__main__":
    run(options((__doc__ or "").splitlines()[0]))
