"""The plot and the page of the study of SET from several starts."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from study import Options, footing, spread, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    Rows = Sequence[dict[str, Any]]

PUBLISHED = {
    "w1": {0: 0.2427, 10: 0.3387, 100: 0.4431, 190: 0.4781},
    "w4": {0: 0.3030, 10: 0.3975, 100: 0.4847, 190: 0.5221},
    "w9": {0: 0.3583, 10: 0.4461, 100: 0.5207, 190: 0.5668},
}
"""NNSTD to w0 by epoch, of the topologies that the authors published."""

GROUPS = {
    "w0 again": "the same start, other draws of SET",
    "w1": "1 change of 1 % of the links (w1)",
    "w4": "4 changes (w4)",
    "w9": "9 changes (w9)",
    "independent": "independent random starts",
    "within": "a run and its own start",
}
"""Of pairs, in the order they are shown."""


def distances(facts: dict[str, Any], group: str, moment: int) -> list[float]:
    """Return NNSTD of all pairs of a group, over all seeds, after `moment` steps of SET."""
    at = facts["plan"]["moments"].index(moment)
    pairs = facts["pairs"][group]
    return [each["nnstd"][at] for each in facts["distances"] if [each["a"], each["b"]] in pairs]


def last(trials: Rows, facts: dict[str, Any], kind: str) -> list[float]:
    """Return the last accuracy of all runs of a kind."""
    runs = {name for name, run in facts["runs"].items() if run["kind"] == kind}
    return [trial["accuracy"][-1] for trial in trials if trial["run"] in runs]


def figure(trials: Rows, facts: dict[str, Any]) -> Figure:
    """Return two plots: distances by steps of SET, and accuracy by epoch."""
    from matplotlib.figure import Figure

    made = Figure((11, 4.2), layout="constrained")
    left, right = made.subplots(1, 2)
    moments = facts["plan"]["moments"]
    for i, (group, words) in enumerate(GROUPS.items()):
        means = [fmean(distances(facts, group, moment)) for moment in moments]
        style = "--" if group == "within" else "-"
        left.plot(moments, means, style, color=f"C{i}", marker=".", label=words)
        if group in PUBLISHED:
            points = {k: v for k, v in PUBLISHED[group].items() if k <= moments[-1]}
            left.plot(list(points), list(points.values()), "x", color=f"C{i}")
    left.set(xlabel="steps of SET", ylabel="NNSTD", ylim=(0, 1))
    left.set_title("crosses: the published topologies, by epoch", fontsize="medium")
    left.legend(fontsize="small")
    for kind in ("dense", "SET", "static"):
        chosen = {name for name, run in facts["runs"].items() if run["kind"] == kind}
        curves = [trial["accuracy"] for trial in trials if trial["run"] in chosen]
        means = [100 * fmean(values) for values in zip(*curves, strict=True)]
        right.plot(range(1, len(means) + 1), means, label=kind)
    right.set(xlabel="epochs", ylabel="test accuracy, %")
    right.legend(fontsize="small")
    return made


def page(name: str, options: Options, trials: Rows, facts: dict[str, Any]) -> str:
    """Return the page, every number of it from the trials and the facts."""
    plan, images = facts["plan"], facts["images"]
    widths, end = "-".join(map(str, plan["widths"])), plan["moments"][-1]
    shown = [k for k in (0, 1, 10, end) if k in plan["moments"]]
    sparse = [trial for trial in trials if trial["run"] == "w0"]
    edges = fmean([sum(trial["before"]) for trial in sparse])
    cells = sum(a * b for a, b in zip(plan["widths"], plan["widths"][1:], strict=False))
    ours = table(
        ["pairs", *(f"step {k}" for k in shown)],
        [
            [words, *(spread(distances(facts, group, k), 3, 1) for k in shown)]
            for group, words in GROUPS.items()
        ],
    )
    epochs = list(next(iter(PUBLISHED.values())))
    theirs = table(
        ["start", *(f"epoch {k}" for k in epochs)],
        [[start, *(f"{v:.3f}" for v in values.values())] for start, values in PUBLISHED.items()],
    )
    return f"""# Topological insights: SET from several starts

**Question.** Liu et al. (arXiv 2006.14085) measure the distance of sparse topologies, NNSTD. They
find (abstract) that sparse networks can outperform dense ones even if their links never move, and
that moving links, as SET does, finds a plenty of networks with very different topologies that do;
starts that are nearly the same drift far apart (Fig. 4). What do we see on digits?

**Method.** {widths}-10, the sparse layers Erdős-Rényi with ε = {plan["epsilon"]} (on average
{edges:,.0f} of {cells:,} cells, {100 * edges / cells:.2f} %), the last layer dense. {images[0]}
images to train and {images[1]} to test ({facts["data"]}), {plan["epochs"]} epochs of Adam at 0.001
with batches of 100. SET moves links between epochs, {end} times: ζ = {plan["zeta"]} of the positive
and of the negative weights, the weakest, make room for random links. From w0, each next start has
{100 * plan["changed"]:.0f} % of the links changed, up to w9. Runs of one seed see the images in one
order, and links that two starts share begin with the same weights; what SET draws is each run's
own. Every network kept is a file, and distances are taken between files by `rx.nnstd`.

## Distances

NNSTD, mean ± standard deviation over seeds ({options.seeds}) and pairs:

{ours}

The authors published the topologies of such a chain of starts, 784-784-784-784 with 0.6 % of the
cells. Their distances to w0, by the same definition:

{theirs}

![NNSTD and accuracy]({name}.png)

{_drift(facts, end)}

## Accuracy

{_accuracy(trials, facts)}

## What differs

- Their topologies come from 190 epochs, ours from {plan["epochs"]}, on {images[0]} images.
- Their w1 is {PUBLISHED["w1"][0]:.3f} from w0 at epoch 0; changing 1 % of the links makes
  {fmean(distances(facts, "w1", 0)):.3f} here, and one step of SET after it
  {fmean(distances(facts, "w1", 1)):.3f}. So their first files seem to be taken after some training
  that moves fewer links than ours, or the same ones in each run: their ζ, and what their runs share
  (weights, draws of SET), we do not know.
- The paper's accuracies were not at hand as figures; only the order of dense, SET and static can be
  compared, and that on other data: with {images[0]} images it need not be the order of 60000.

{footing(name, options)}
"""


def _drift(facts: dict[str, Any], end: int) -> str:
    """Return what the distances say."""
    mean = {group: fmean(distances(facts, group, end)) for group in GROUPS}
    first = {group: fmean(distances(facts, group, 0)) for group in GROUPS}
    share = 100 * mean["w1"] / mean["independent"]
    again = 100 * mean["w0 again"] / mean["w1"]
    closer = mean["independent"] - first["independent"]
    step = fmean(distances(facts, "w1", 1))
    return f"""- Starts that differ in 1 % of the links are {first["w1"]:.3f} apart before training,
  {step:.3f} after the first step and {mean["w1"]:.3f} after {end}: {share:.0f} % of what
  independent starts are then ({mean["independent"]:.3f}).
- The same start with other draws of SET gets {mean["w0 again"]:.3f} apart, {again:.0f} % of that:
  so much of the drift needs no difference of the starts.
- A run ends {mean["within"]:.3f} from its own start. Independent starts change by {closer:+.3f} on
  the way; below 0 they come closer to each other, which only the data they share can do."""


def _accuracy(trials: Rows, facts: dict[str, Any]) -> str:
    """Return the table of accuracies and what it says."""
    kinds = {"SET": "SET, all starts", "static": "static, w0's start", "dense": "dense"}
    found = {kind: last(trials, facts, kind) for kind in kinds}
    rows = [[words, len(found[kind]), spread(found[kind])] for kind, words in kinds.items()]
    runs = [name for name, run in facts["runs"].items() if run["kind"] == "SET"]
    many = len({trial["seed"] for trial in trials}) > 1
    each = {
        name: 100 * fmean(t["accuracy"][-1] for t in trials if t["run"] == name) for name in runs
    }
    within = fmean(
        100 * stdev(t["accuracy"][-1] for t in trials if t["run"] == name) if many else 0.0
        for name in runs
    )
    low, high = min(each, key=each.__getitem__), max(each, key=each.__getitem__)
    mean = {kind: 100 * fmean(values) for kind, values in found.items()}
    return f"""Test accuracy after the last epoch, %:

{table(["network", "runs", "accuracy"], rows)}

- Between starts the means of SET lie from {each[low]:.2f} ({low}) to {each[high]:.2f} ({high}),
  {each[high] - each[low]:.2f} points apart; one start varies by {within:.2f} (standard deviation
  over seeds, mean of all starts).
- SET is {_ahead(mean["SET"] - mean["static"])} the static network and
  {_ahead(mean["SET"] - mean["dense"])} the dense one; the static network is
  {_ahead(mean["static"] - mean["dense"])} the dense one.
  The paper has sparse ones ahead of dense."""


def _ahead(points: float) -> str:
    return f"{abs(points):.2f} points {'ahead of' if points >= 0 else 'behind'}"
