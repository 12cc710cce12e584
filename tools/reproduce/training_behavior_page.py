"""The plot and the page of the study of pruned and structured LeNets."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from study import Options, footing, spread, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Rows = Sequence[dict[str, Any]]

LEVELS = (0.5, 0.75, 0.9, 0.95, 0.99)
RANDOM = (0.5, 0.9, 0.95, 0.99)
PUBLISHED: dict[tuple[str, str, str], dict[float, float]] = {
    (network, kind, value): dict(zip(levels, percent, strict=True))
    for network, kind, value, levels, percent in (
        ("LeNet-300-100", "dense", "accuracy", (0.0,), (97.03,)),
        ("LeNet-300-100", "one-time", "accuracy", LEVELS, (96.88, 96.82, 96.19, 95.65, 56.08)),
        ("LeNet-300-100", "gradual", "pruned", LEVELS, (97.5, 97.44, 97.4, 97.3, 96.83)),
        ("LeNet-300-100", "gradual", "accuracy", LEVELS, (97.03, 97.05, 97.02, 96.34, 96.08)),
        ("LeNet-300-100", "random", "accuracy", RANDOM, (96.28, 93.42, 91.49, 74.1)),
        ("LeNet-5", "dense", "accuracy", (0.0,), (99.25,)),
        ("LeNet-5", "one-time", "accuracy", LEVELS, (98.95, 79.94, 89.92, 98.32, 11.35)),
        ("LeNet-5", "gradual", "pruned", LEVELS, (99.17, 98.91, 98.84, 98.8, 98.48)),
        ("LeNet-5", "gradual", "accuracy", LEVELS, (98.78, 69.92, 88.67, 98.54, 77.96)),
        ("LeNet-5", "random", "accuracy", RANDOM, (99.2, 98.77, 98.38, 49.36)),
    )
}  # fmt: skip
"""Test accuracy in % by (network, kind, value) and sparsity: the authors' `pruning_data.csv`."""

STRUCTURED = {
    ("radix", 1): 93.57,
    ("random", 1): 93.42,
    ("radix", 10): 93.98,
    ("random", 10): 94.45,
}
"""The same of LeNet-300-100 at 90 % sparsity, by kind and factor."""

COLUMNS = {
    ("one-time", "pruned"): "one-time, not retrained",
    ("one-time", "accuracy"): "one-time, retrained",
    ("gradual", "pruned"): "gradual",
    ("gradual", "accuracy"): "gradual, retrained",
    ("random", "accuracy"): "random mask",
}
CHANCE = 0.2
"""An accuracy below this is counted as chance, which is about 0.1."""


def values(
    trials: Rows, network: str, kind: str, sparsity: float, value: str = "accuracy", factor: int = 1
) -> list[float]:
    """Return a value of all trials of a case, one for each seed."""
    wanted = (network, kind, sparsity, factor)
    keys = ("network", "kind", "sparsity", "factor")
    return [each[value] for each in trials if tuple(each[key] for key in keys) == wanted]


def figure(trials: Rows) -> Figure:
    """Return a plot for each network: accuracy by sparsity, ours and the published one."""
    from matplotlib.figure import Figure

    made = Figure((11, 4.4), layout="constrained")
    networks = list(dict.fromkeys(each["network"] for each in trials))
    for axes, network in zip(made.subplots(1, len(networks)), networks, strict=True):
        _draw(axes, trials, network)
    return made


def _draw(axes: Axes, trials: Rows, network: str) -> None:
    levels = sorted({each["sparsity"] for each in trials} - {0.0})
    places = {level: i for i, level in enumerate(levels)}
    for i, ((kind, value), words) in enumerate(COLUMNS.items()):
        found = {s: values(trials, network, kind, s, value) for s in levels}
        means = {places[s]: 100 * fmean(each) for s, each in found.items() if each}
        axes.plot(list(means), list(means.values()), color=f"C{i}", label=words)
        points = [(places[s], 100 * one) for s, each in found.items() for one in each]
        axes.scatter(*zip(*points, strict=True), color=f"C{i}", s=10)
        theirs = PUBLISHED.get((network, kind, value), {})
        shown = {places[s]: percent for s, percent in theirs.items() if s in places}
        axes.plot(list(shown), list(shown.values()), "x--", color=f"C{i}", linewidth=0.7)
    for factor, marker in ((1, "*"), (10, "P")):
        radix = values(trials, network, "radix", 0.9, factor=factor)
        if radix:
            words = "RadiX-Net" + (f", {factor} x as wide" if factor > 1 else "")
            axes.plot(places[0.9], 100 * fmean(radix), "k" + marker, label=words)
    dense = 100 * fmean(values(trials, network, "dense", 0.0))
    axes.axhline(dense, color="grey", linewidth=0.8, label="dense")
    axes.set_xticks(list(places.values()), [f"{100 * level:g}" for level in levels])
    axes.set(xlabel="sparsity, %", ylabel="test accuracy, %", title=network)
    axes.legend(fontsize="x-small", title="crosses: published", title_fontsize="x-small")


def page(name: str, options: Options, trials: Rows, facts: dict[str, Any]) -> str:
    """Return the page, every number of it from the trials and the facts."""
    plans, used = facts["plans"], facts["training"]
    images = plans["LeNet-5"]["images"]
    first, second = plans["LeNet-5"]["shapes"]
    epochs = ", ".join(f"{key} {plan['epochs']}" for key, plan in plans.items())
    parts = "\n\n".join(f"## {key}\n\n{_levels(trials, key)}" for key in plans)
    return f"""# Training behaviour of sparse topologies: LeNets pruned and structured

**Question.** Alford et al. (arXiv 1810.00299) compare networks that are sparse by pruning with
networks that are sparse from the start, RadiX-Nets and random ones, and report that training
becomes unstable at extreme sparsity. What do we see?

**Method.** LeNet-300-100 and LeNet-5 (two 5 x 5 convolutions of {first[0] // 25} and {first[1]}
channels, {second[1]} neurons), {images[0]} images to train and {images[1]} to test
({facts["data"]}). As in the authors' code: SGD with batches of 100 and a rate of {used["rate"]},
halved after each third of the steps; normal weights of deviation 0.04, 0.05 in convolutions,
whatever the fan-in; an L2 term of {used["decay"]} on linear layers. Epochs: {epochs}.
*One-time*: a dense network is trained, each layer keeps its largest weights, and a new network
is trained from scratch with those edges (retrained). *Gradual*: in {used["prunings"]} steps
between {100 * used["begin"]:.0f} and {100 * used["end"]:.0f} % of the training the cubic schedule
prunes the network as it learns; that network, and a new one retrained with its edges. *Random*:
each cell is an edge with the same probability. The last layer, and LeNet-5's first, stay dense;
sparsity is that of the two other layers.

Test accuracy in %, mean ± standard deviation over {options.seeds} seeds; in parentheses the
figures in the authors' public `pruning_data.csv` (the paper's own tables may differ).

{parts}

![Accuracy by sparsity]({name}.png)

## RadiX-Net and random masks, LeNet-300-100

RadiX-Net `[[10, 10]]`; its first {used["dropped inputs"]} of 800 inputs are dropped for images of
784 pixels, so that columns are no longer regular. The wide ones have as many edges as the dense
LeNet-300-100 has.

{_structured(trials)}

## Instability

{_instability(trials)}

## What agrees, and what does not

{_findings(trials)}

## What differs from the paper

- {images[0]} images instead of 60000, and far fewer steps of training: all figures are lower, and
  networks that learn slowly, the sparsest ones, are hit most. No CIFAR.
- Their LeNet-5 is wider (20 and 50 channels, 384 neurons) and normalises responses locally; ours
  does not. Their code applies a ReLU to the scores too, which leaves classes whose score is
  negative without a gradient; ours does not.
- The share of the training in which they prune is not known to us (steps 3000 to 10000 of a
  number we could not find), nor which layers they prune: ours leave those dense that their random
  LeNet-5 and their RadiX-Nets do.

{footing(name, options)}
"""


def _levels(trials: Rows, network: str) -> str:
    """Return the table of a network: sparsities down, ways to a mask across."""
    levels = sorted({each["sparsity"] for each in trials if each["network"] == network} - {0.0})
    rows = []
    for sparsity in levels:
        row = [f"{100 * sparsity:g} %"]
        for kind, value in COLUMNS:
            found = values(trials, network, kind, sparsity, value)
            published = PUBLISHED.get((network, kind, value), {}).get(sparsity)
            beside = "" if published is None else f" ({published:.2f})"
            row.append(spread(found) + beside if found else "not run")
        rows.append(row)
    dense = spread(values(trials, network, "dense", 0.0))
    published = PUBLISHED[network, "dense", "accuracy"][0.0]
    return f"Dense: {dense} ({published:.2f}).\n\n{table(['sparsity', *COLUMNS.values()], rows)}"


def _structured(trials: Rows) -> str:
    network = "LeNet-300-100"
    names = {"radix": "RadiX-Net, widths [8, {}, 1]", "random": "random, 784-{}00-100"}
    rows = [
        [
            names[kind].format(3 * factor),
            f"{fmean(map(sum, values(trials, network, kind, 0.9, 'edges', factor))):,.0f}",
            spread(values(trials, network, kind, 0.9, factor=factor)),
            f"{published:.2f}",
        ]
        for (kind, factor), published in STRUCTURED.items()
    ]
    return table(["network, 90 % sparse", "edges", "accuracy", "published"], rows)


def _instability(trials: Rows) -> str:
    """Return a table of the cases whose trials differ much or do not learn."""
    cases = dict.fromkeys((t["network"], t["kind"], t["sparsity"], t["factor"]) for t in trials)
    rows, failed, total = [], 0, 0
    for network, kind, sparsity, factor in cases:
        found = values(trials, network, kind, sparsity, factor=factor)
        low, high = min(found), max(found)
        lost = sum(each < CHANCE for each in found)
        failed, total = failed + lost, total + len(found)
        if lost or high - low > 0.05:
            cut_off = fmean(values(trials, network, kind, sparsity, "cut off", factor))
            wide = f", {factor} x as wide" if factor > 1 else ""
            rows.append([
                network, kind + wide, f"{100 * sparsity:g} %",
                f"{100 * low:.2f}", f"{100 * high:.2f}",
                f"{lost} of {len(found)}", f"{cut_off:.0f}",
            ])  # fmt: skip
    head = ["network", "mask", "sparsity", "lowest", "highest", "at chance", "neurons cut off"]
    shown = table(head, rows) if rows else "There are none."
    return f"""Trainings from scratch whose seeds are over 5 points apart, or of which some end
below {100 * CHANCE:.0f} % (chance is about 10 %); neurons cut off have no input left in the mask:

{shown}

{failed} of {total} trainings from scratch end at chance."""


def _findings(trials: Rows) -> str:
    """Return sentences about differences of means, in points."""
    lines = []
    for network in dict.fromkeys(each["network"] for each in trials):
        most = max(t["sparsity"] for t in trials if t["network"] == network)
        mean = {key: 100 * fmean(values(trials, network, key[0], most, key[1])) for key in COLUMNS}
        theirs = {key: PUBLISHED[network, *key][most] for key in COLUMNS if key[1] == "accuracy"}
        theirs["gradual", "pruned"] = PUBLISHED[network, "gradual", "pruned"][most]
        mean["dense", "accuracy"] = 100 * fmean(values(trials, network, "dense", 0.0))
        theirs["dense", "accuracy"] = PUBLISHED[network, "dense", "accuracy"][0.0]
        kept, again = ("gradual", "pruned"), ("gradual", "accuracy")
        once, drawn = ("one-time", "accuracy"), ("random", "accuracy")
        lines += [
            f"{network} at {100 * most:g} %: {words} {mean[a] - mean[b]:+.2f} points (published: "
            f"{theirs[a] - theirs[b]:+.2f})."
            for words, a, b in (
                ("pruned gradually against dense", kept, ("dense", "accuracy")),
                ("pruned gradually against retrained with the same edges", kept, again),
                ("retrained, edges of gradual against one-time pruning", again, once),
                ("retrained, edges of one-time pruning against random ones", once, drawn),
            )
        ]
    for factor, words in ((1, "of the usual width"), (10, "ten times as wide")):
        radix, random = (
            values(trials, "LeNet-300-100", kind, 0.9, factor=factor)
            for kind in ("radix", "random")
        )
        noise = max(stdev(each) if len(each) > 1 else 0.0 for each in (radix, random))
        apart = fmean(radix) - fmean(random)
        published = STRUCTURED["radix", factor] - STRUCTURED["random", factor]
        lines.append(
            f"RadiX-Net against random, {words}: {100 * apart:+.2f} points, "
            f"{'more' if abs(apart) > noise else 'no more'} than the larger of their standard "
            f"deviations (published: {published:+.2f})."
        )
    return "\n".join(f"- {line}" for line in lines)
