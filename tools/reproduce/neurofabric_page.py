"""The plot and the page of the study of very deep sparse networks."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from study import Options, footing, spread, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    Rows = Sequence[dict[str, Any]]

STYLES = ("-", "--", "-.", ":", "-")
"""Of the topologies' lines; those of dense networks are thin."""


def chosen(trials: Rows, topology: str, start: str, depth: int) -> list[dict[str, Any]]:
    """Return the trials of a case, one for each seed."""
    wanted = (topology, start, depth)
    return [each for each in trials if (each["topology"], each["start"], each["depth"]) == wanted]


def pairs(trials: Rows) -> list[tuple[str, str]]:
    """Return all (topology, start)."""
    return list(dict.fromkeys((each["topology"], each["start"]) for each in trials))


def mean_accuracy(trials: Rows, topology: str, start: str, depth: int) -> float:
    """Return the mean test accuracy of a case in %."""
    return 100 * fmean(each["accuracy"] for each in chosen(trials, topology, start, depth))


def kept(trial: dict[str, Any]) -> float:
    """Return the variance after the last hidden layer as a share of that after the first layer."""
    return trial["variance"][-1] / trial["variance"][0]


def figure(trials: Rows, facts: dict[str, Any]) -> Figure:
    """Return two plots: accuracy by depth, and the signal by layer of the deepest networks."""
    from matplotlib.figure import Figure

    made = Figure((11, 4.4), layout="constrained")
    left, right = made.subplots(1, 2)
    depths = facts["plan"]["depths"]
    for topology, start in pairs(trials):
        place = facts["topologies"].index(topology)
        style = {
            "linestyle": STYLES[place],
            "color": f"C{facts['starts'].index(start)}",
            "linewidth": 0.7 if topology == "dense" else 1.5,
            "label": f"{topology}, {start}",
        }
        means = [mean_accuracy(trials, topology, start, depth) for depth in depths]
        left.plot(depths, means, marker=".", **style)
        found = chosen(trials, topology, start, depths[-1])
        layers = zip(*(each["variance"] for each in found), strict=True)
        right.plot([fmean(values) for values in layers], **style)
    left.set(xlabel="hidden layers", ylabel="test accuracy, %", xscale="log")
    left.set_xticks(depths, [str(depth) for depth in depths])
    left.minorticks_off()
    right.set(xlabel="layer", ylabel="variance between images before training", yscale="log")
    left.legend(fontsize="xx-small")
    return made


def page(name: str, options: Options, trials: Rows, facts: dict[str, Any]) -> str:
    """Return the page, every number of it from the trials and the facts."""
    plan = facts["plan"]
    depths, images, width, degree = plan["depths"], plan["images"], plan["width"], plan["degree"]
    head = ["topology", "start", *map(str, depths)]
    accuracies, epochs, signals = [], [], []
    for topology, start in pairs(trials):
        found = [chosen(trials, topology, start, depth) for depth in depths]
        case = [topology, start]
        accuracies.append([*case, *(spread([t["accuracy"] for t in each]) for each in found)])
        epochs.append([*case, *map(_above, found)])
        left = [fmean(kept(trial) for trial in each) for each in found]
        signals.append([*case, *(f"{share:.1e}" if share else "0" for share in left)])
    return f"""# NeuroFabric: very deep sparse networks and where their weights start

**Question.** The abstract of NeuroFabric (Isakov and Kinsy, arXiv 2002.08339) says that an
initialisation made for sparse layers allows very deep sparse networks to be trained, and that
topologies which seem alike differ much in accuracy. What do we see? The paper's text and figures
were not at hand, so there is nothing to set ours beside, and its initialisation may be another
than ours.

**Method.** 784-{width}, then hidden layers of {width} neurons with {degree} inputs each (on average
{degree} in Erdős-Rényi layers), then 10 scores; ReLU between. The first layer and the last are
dense. {images[0]} images to train and {images[1]} to test ({facts["data"]}), {plan["epochs"]}
epochs of Adam at 0.001 with batches of 100; no normalisation, no skips. Hidden weights start in
three ways. *PyTorch*: as torch.nn.Linear draws them, and biases, for {width} inputs. *He, n_in*:
variance 2/{width}, what He's rule asks of a dense layer. *Own fan-in*: `rx.nn.init_(module, "he")`,
variance 2/(number of the neuron's own inputs). In dense layers the last two are the same. The
topologies: random with constant degrees, Erdős-Rényi, RadiX-Net `[[8, 8], …]`, and blocks on the
diagonal, which do not meet between the first layer and the last. Mean ± standard deviation over
{options.seeds} seeds.

## Test accuracy, %, by number of hidden layers

{table(head, accuracies)}

## Epochs until above 80 %

Mean of the seeds that get there, and how many do.

{table(head, epochs)}

## Signal before training

Variance of a neuron's sum between images, after the last hidden layer, as a share of that after the
first layer; 0 where float32 no longer tells images apart.

{table(head, signals)}

![Accuracy by depth, and the signal by layer]({name}.png)

## What agrees, and what does not

{_findings(trials, facts)}

## What our setting changes

- The networks are narrow, the images few ({images[0]}) and the training short: the deepest networks
  may still be learning when we stop. Wider layers would keep the signal more evenly.
- Variance 2/fan-in keeps the mean square of sums on average over draws of the weights; images
  still become more alike from layer to layer, in dense networks too, and batch or layer norms and
  skips, which practice would add, are left out to see the start alone.
- The paper's heuristic to score topologies without data is not part of this page;
  `radixfmt measure --measure=score` is our own reading of that idea.

{footing(name, options)}
"""


def _above(found: Rows) -> str:
    reached = [each["above"] for each in found if each["above"] is not None]
    return f"{fmean(reached):.1f} ({len(reached)} of {len(found)})" if reached else "never"


def _findings(trials: Rows, facts: dict[str, Any]) -> str:
    """Return sentences about depths, signals and topologies."""
    plan = facts["plan"]
    depths, last = plan["depths"], plan["depths"][-1]
    sparse = [topology for topology in facts["topologies"] if topology != "dense"]
    lines = []
    for start in facts["starts"]:
        reached = []
        for topology in sparse:
            good = [d for d in depths if mean_accuracy(trials, topology, start, d) > 80]
            reached.append(f"{topology} {max(good, default='none')}")
        lines.append(f"Greatest depth with a mean above 80 %, {start}: {', '.join(reached)}.")
    expected = plan["degree"] / plan["width"]
    few = depths[0]  # later on the plain start has nothing left to measure
    for start in facts["starts"][1:]:
        found = [t["square"] for name in sparse for t in chosen(trials, name, start, last)]
        layer = fmean((square[few] / square[0]) ** (1 / few) for square in found)
        wanted = 1 if start == "own fan-in" else expected
        lines.append(
            f"{start}: each of the first {few} hidden layers of the deepest sparse networks passes "
            f"on {layer:.3f} of the mean square (by theory {wanted:g} on average)."
        )
    for depth in depths:
        means = {name: mean_accuracy(trials, name, "own fan-in", depth) for name in sparse}
        best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        dense = mean_accuracy(trials, "dense", "own fan-in", depth)
        lines.append(
            f"{depth} layers, own fan-in: {best} is best with {means[best]:.2f} %, {worst} last "
            f"with {means[worst]:.2f} %; dense layers get {dense:.2f} % with "
            f"{plan['width'] // plan['degree']} times the edges."
        )
    return "\n".join(f"- {line}" for line in lines)
