"""Which lowering each layer gets: the cheapest by estimate, run by run so that layouts agree."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from radixfmt.errors import UnsupportedError
from radixfmt.export.graph import BATCH_MAJOR, FEATURE_MAJOR
from radixfmt.export.lowerings import Estimate, Lowering, Setting, lowering
from radixfmt.export.runs import runs

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

AUTO = "auto"
"""Also the fact by which a lowering says that it may be chosen unasked."""


class Plan(NamedTuple):
    """How one layer will be emitted.

    Attributes:
        lowering: registered name.
        layout: of its input and result.
        estimate: of its cost, with what `emit` needs.
        why: the reason.
        apart: whether it stands outside all lowerings, as one MatMul or Conv.
    """

    lowering: str
    layout: str
    estimate: Estimate
    why: str
    apart: bool = False


def plan(
    network: Network,
    nodes: Sequence[Node],
    layers: Sequence[Layer],
    apart: Mapping[int, str],
    deep: Container[str],
    setting: Setting,
    *,
    wanted: str,
    layout: str,
) -> list[Plan]:
    """Return a plan for each layer.

    Args:
        network: whose graph is planned.
        nodes: its graph, producers first.
        layers: its layers, made.
        apart: why a layer can only be one MatMul or Conv, by index; not of the others.
        deep: tensors of rank above 2.
        setting: batch, target and costs.
        wanted: "auto" or a registered lowering.
        layout: of the model's inputs and outputs.

    Raises:
        UnknownNameError: no such lowering.
        UnsupportedError: the lowering asked for cannot express a layer.
    """
    names = [name for name in lowering if lowering.facts(name).get(AUTO)]
    tools = {name: lowering[name]() for name in (names if wanted == AUTO else (wanted,))}
    offers = [
        {} if i in apart else _offers(layer, tools, setting) for i, layer in enumerate(layers)
    ]
    plans: dict[int, Plan] = {}
    for run in runs(network, nodes, apart, deep, feature_major=layout == FEATURE_MAJOR):
        members = list(dict.fromkeys(run.layers))
        totals = {
            form: sum(_cheapest(offers[i], tools, form)[1] for i in members)
            for form in (BATCH_MAJOR, FEATURE_MAJOR)
        }
        totals[FEATURE_MAJOR] += sum(setting.costs.turn(w, setting.batch) for w in run.turns)
        form = min((layout, BATCH_MAJOR, FEATURE_MAJOR), key=totals.__getitem__)
        for i in members:
            name, seconds = _cheapest(offers[i], tools, form)
            why = offers[i][name].why + _rivals(offers[i], name, seconds)
            plans.setdefault(i, Plan(name, form, offers[i][name], why))
    for i, why in apart.items():
        estimate = lowering["dense"]().estimate(layers[i].pattern, setting)
        assert estimate is not None  # noqa: S101  dense expresses every pattern
        plans[i] = Plan("dense", BATCH_MAJOR, estimate, f"{why}; {estimate.why}", apart=True)
    return [plans[i] for i in range(len(layers))]


def _offers(layer: Layer, tools: Mapping[str, Lowering], setting: Setting) -> dict[str, Estimate]:
    """Return the estimates of the lowerings that can express this layer."""
    offers = {name: tool.estimate(layer.pattern, setting) for name, tool in tools.items()}
    found = {name: estimate for name, estimate in offers.items() if estimate is not None}
    if not found:
        raise UnsupportedError(
            f"{layer.name}: cannot be lowered as {', '.join(tools)}",
            hint="use --lowering auto",
        )
    return found


def _cheapest(
    offers: Mapping[str, Estimate], tools: Mapping[str, Lowering], layout: str
) -> tuple[str, float]:
    """Return the fastest lowering that takes this layout, and its seconds (inf if none does)."""
    fitting = [name for name in offers if layout in tools[name].layouts]
    return min(
        ((name, offers[name].seconds) for name in fitting),
        key=lambda offer: offer[1],
        default=("", inf),
    )


def _rivals(offers: Mapping[str, Estimate], name: str, seconds: float) -> str:
    """Return how much longer the lowerings not chosen would take."""
    return "".join(
        f"; {other} {'would take' if ratio >= 1 else 'and its transposes lose, though it takes'} "
        f"{ratio:.1f}x as long"
        for other, estimate in offers.items()
        if other != name
        for ratio in [estimate.seconds / seconds]
    )
