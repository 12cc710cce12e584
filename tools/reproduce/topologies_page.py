"""The plot and the page of the study of families of topologies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rank_correlation import MEASURES, means, spearman
from study import Options, footing, spread, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rank_correlation import Rows

WORDS = {"trained": "a trained dense layer", "groups": "own groups of neurons"}
"""How scores are read."""


def figure(trials: Rows, facts: dict[str, Any]) -> Figure:
    """Return accuracy against two measures (columns) for each readout (rows)."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    plan = facts["plan"]
    labels = list(dict.fromkeys(t["label"] for t in trials if t["degree"] in plan["degrees"]))
    made = Figure((11, 8), layout="constrained")
    axes = made.subplots(len(WORDS), 2, squeeze=False, sharex="col", sharey="row")
    for row, (readout, target) in zip(axes, plan["targets"].items(), strict=True):
        for degree, marker in zip(plan["degrees"], "osD", strict=False):
            for label, found in means(trials, degree, readout, target).items():
                color = colormaps["tab20"](labels.index(label) % 20)
                for place, measure in zip(row, ("gap", "network_gap"), strict=True):
                    place.plot(found[measure], 100 * found["accuracy"], marker, color=color)
        row[0].set_ylabel(f"accuracy, %; read by {WORDS[readout]}")
    for place, measure in zip(axes[-1], ("gap", "network_gap"), strict=True):
        place.set_xlabel(MEASURES[measure])
    for label in labels:
        axes[0][0].plot(
            [], [], "o", color=colormaps["tab20"](labels.index(label) % 20), label=label
        )
    for degree, marker in zip(plan["degrees"], "osD", strict=False):
        axes[0][0].plot([], [], marker, color="black", label=f"{degree} edges per neuron")
    made.legend(loc="outside right upper", fontsize="small")
    return made


def page(name: str, options: Options, trials: Rows, facts: dict[str, Any]) -> str:
    """Return the page, every number of it from the trials and the facts."""
    plan, images = facts["plan"], facts["images"]
    counts = ", ".join(
        f"{len(means(trials, k, 'groups', 1))} families with {k} edges per neuron"
        for k in plan["degrees"]
    )
    targets = " and ".join(
        f"{100 * target:.0f} % ({WORDS[readout]})" for readout, target in plan["targets"].items()
    )
    tables = "\n\n".join(_families(trials, facts, degree) for degree in plan["degrees"])
    tests = len(facts["correlations"])
    return f"""# Sparse neural networks topologies: accuracy against spectral measures

**Question.** The abstract of Bourely, Boueri and Choromonski (arXiv 1706.05683; the text was not at
hand) says that accuracy depends on expander-like properties of the topology, such as spectral gap
and algebraic connectivity, rather than on its density. With equally many edges, do families of
better measures learn better?

**Method.** {counts}; all have {plan["layers"]} hidden layers (ReLU) and the same number of edges.
The layers have {plan["neurons"]} neurons (every other one of "low-rank" has as many as there are
edges per neuron). Before them stands one random projection of the image to {plan["neurons"]}
features, which is not trained. Scores are read in two ways: by **a trained dense layer**, or from
**own groups of neurons**, each class being the sum of 25 neighbouring outputs, so that whatever a
class needs must come to its neurons along edges. {images[0]} images to train and {images[1]} to
test ({facts["data"]}), {plan["epochs"]} epochs of Adam at 0.001, weights by each neuron's fan-in.
Measures are those of `rx.measure(net, "spectral")`, on 0/1 matrices: spectral gap ratio 1 - σ₂/σ₁
and algebraic connectivity of a layer's bipartite graph, means of the layers, and the gap ratio of
the product of all layers. They are our reading of the abstract's words. "Epochs" are those to reach
{targets}.

## Rank correlations at equal density

Spearman's correlation of the families' means over {options.seeds} seeds; p by permutations of the
families; beside it the correlation within each seed, mean ± standard deviation. With {tests} tests
on the page, a p above {0.05 / tests:.4f} may be chance (Bonferroni, 5 %).

{_correlations(facts)}

{_claims(trials, facts)}

![Accuracy against measures]({name}.png)

## Families

{tables}

## What differs

- The abstract gives neither graphs, matrices, data nor figures; nothing could be set beside ours
  but its sentence.
- Families are few, and some are near relatives (radix-net and butterfly, which at these sizes is
  monarch too; the random ones; a hypercube and this torus are one graph in two orders): they are no
  independent draws, and p-values are to be read as descriptions.
- Layers that mix badly alone can mix fully together: radix-net and butterfly have layers with a gap
  of about 0 and a network with a gap of 1. Which of the two the abstract means is not said.
- {images[0]} images and {plan["epochs"]} epochs: longer training may close gaps between families.

{footing(name, options)}
"""


def _correlations(facts: dict[str, Any]) -> str:
    """Return the table of all correlations."""
    rows = []
    for each in facts["correlations"]:
        mean, deviation = each["by_seed"]
        rows.append([
            each["degree"], each["n"], WORDS[each["readout"]], each["outcome"],
            MEASURES[each["measure"]], f"{each['rho']:+.2f}", f"{each['p']:.4f}",
            f"{mean:+.2f} ± {deviation:.2f}",
        ])  # fmt: skip
    head = [
        "edges per neuron",
        "n",
        "scores read by",
        "outcome",
        "measure",
        "correlation",
        "p",
        "each seed",
    ]
    return table(head, rows)


def _claims(trials: Rows, facts: dict[str, Any]) -> str:
    """Return what the correlations say, and density beside them."""
    plan, said = facts["plan"], []
    limit = 0.05 / len(facts["correlations"])
    for readout, target in plan["targets"].items():
        found = [
            each for each in facts["correlations"]
            if each["readout"] == readout and each["outcome"] == "accuracy"
        ]  # fmt: skip
        strongest = max(found, key=lambda each: abs(each["rho"]))
        sure = sum(each["p"] < limit for each in found)
        groups = {k: means(trials, k, readout, target) for k in plan["degrees"]}
        ranges = [
            100 * (max(each) - min(each))
            for rows in groups.values()
            for each in [[row["accuracy"] for row in rows.values()]]
        ]
        regular = [100 * rows["random-regular"]["accuracy"] for rows in groups.values()]
        pooled = [(k, row) for k, rows in groups.items() for row in rows.values()]
        accuracy = [row["accuracy"] for _, row in pooled]
        by_density = spearman([k for k, _ in pooled], accuracy)[0]
        by_gap = {m: spearman([row[m] for _, row in pooled], accuracy)[0] for m in MEASURES}
        said.append(
            f"- **Read by {WORDS[readout]}**: {sure} of {len(found)} correlations with accuracy "
            f"are beyond chance; the strongest is {strongest['rho']:+.2f} with the "
            f"{MEASURES[strongest['measure']]} ({strongest['degree']} edges per neuron). Between "
            f"the best and the worst family of equal density lie "
            f"{', '.join(f'{each:.1f}' for each in ranges)} points "
            f"({', '.join(map(str, groups))} edges per neuron); random-regular layers alone reach "
            f"{', '.join(f'{each:.1f}' for each in regular)} %. Over all {len(pooled)} networks "
            f"accuracy goes with density by {by_density:+.2f}, "
            + ", ".join(f"with the {MEASURES[m]} by {rho:+.2f}" for m, rho in by_gap.items())
            + "."
        )
    return "\n".join(said)


def _families(trials: Rows, facts: dict[str, Any], degree: int) -> str:
    """Return the table of a group of families, best first, and full layers last."""
    targets, epochs = facts["plan"]["targets"], facts["plan"]["epochs"]
    by_label = {
        readout: means(trials, degree, readout, target) for readout, target in targets.items()
    }
    order = sorted(by_label["groups"], key=lambda label: -by_label["groups"][label]["accuracy"])
    rows = []
    for label in order:
        own = [t for t in trials if (t["degree"], t["label"]) == (degree, label)]
        measured = by_label["groups"][label]
        row: list[object] = [label, *(f"{measured[key]:.3f}" for key in MEASURES)]
        for readout in targets:
            taken = by_label[readout][label]["epochs"]
            row.append(spread([trial[readout][-1] for trial in own]))
            row.append(f"{taken:.1f}" if taken <= epochs else f"over {epochs}")
        rows.append(row)
    full = [trial for trial in trials if trial["label"] == "dense"]
    last: list[object] = [f"dense, {full[0]['edges']:,} edges", *[""] * len(MEASURES)]
    for readout in targets:
        last += [spread([trial[readout][-1] for trial in full]), ""]
    edges = {trial["edges"] for trial in trials if trial["degree"] == degree}
    head = ["family", *MEASURES.values()]
    for readout in targets:
        head += [f"accuracy, %, {WORDS[readout]}", "epochs"]
    title = f"**{degree} edges per neuron, {', '.join(f'{n:,}' for n in edges)} in all:**"
    return f"{title}\n\n{table(head, [*rows, last])}"
