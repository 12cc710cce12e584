"""Which lowering each layer gets: the cheapest by estimate, run by run so that layouts agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.export.apart import estimate as estimate_apart
from radixfmt.export.graph import BATCH_MAJOR, FEATURE_MAJOR
from radixfmt.export.lowerings import Estimate, Lowering, Setting, lowering
from radixfmt.export.runs import runs

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from numpy.typing import NDArray

    from radixfmt.export.apart import Cause
    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

AUTO = "auto"
"""Also the fact by which a lowering says that it may be chosen unasked."""


COMPILED = "compiled"
"""The fact by which one says that it may be, for a model that stays where its operators are."""


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

    @property
    def fuses(self) -> bool:
        """Whether a compiled operator makes this layer, with what comes before and after it."""
        return self.lowering in lowering and COMPILED in lowering.facts(self.lowering)


class _Offer(NamedTuple):
    """What one lowering would cost: its estimate, and float64 `[batches]` seconds by layout."""

    estimate: Estimate
    seconds: Mapping[str, NDArray[np.float64]]


def plan(
    network: Network,
    nodes: Sequence[Node],
    layers: Sequence[Layer],
    apart: Mapping[int, Cause],
    deep: Container[str],
    setting: Setting,
    *,
    wanted: str,
    layout: str,
    compiled: bool = False,
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
        compiled: let "auto" choose lowerings whose speed depends on compiled operators.

    Raises:
        UnknownNameError: no such lowering.
        UnsupportedError: the lowering asked for cannot express a layer.
    """
    facts = {AUTO, COMPILED} if compiled else {AUTO}
    names = [name for name in lowering if facts & lowering.facts(name).keys()]
    tools = {name: lowering[name]() for name in (names if wanted == AUTO else (wanted,))}
    offers = [
        {} if i in apart else _offers(layer, tools, setting) for i, layer in enumerate(layers)
    ]
    plans: dict[int, Plan] = {}
    for run in runs(network, nodes, apart, deep, feature_major=layout == FEATURE_MAJOR):
        members = list(dict.fromkeys(run.layers))
        turns = {FEATURE_MAJOR: sum((_turn(setting, width) for width in run.turns), np.zeros(1))}
        chosen, totals = {}, {}
        for form in dict.fromkeys((layout, BATCH_MAJOR, FEATURE_MAJOR)):
            fitting = [_fitting(offers[i], form) for i in members]
            if all(fitting):
                chosen[form] = [_least(seconds) for seconds in fitting]
                best = (seconds[name] for seconds, name in zip(fitting, chosen[form], strict=True))
                totals[form] = sum(best, turns.get(form, np.zeros(1)))
                if form == FEATURE_MAJOR == layout:
                    break  # who holds such data gets no transposes that need not be
        form = _least(totals)
        for i, name in zip(members, chosen[form], strict=True):
            found = _laid(offers[i][name].estimate, form, setting.batch)
            plans.setdefault(i, Plan(name, form, found, found.why + _rivals(offers[i], name, form)))
    for i, cause in apart.items():
        name, found = estimate_apart(layers[i], cause, setting, wanted, compiled=compiled)
        plans[i] = Plan(name, BATCH_MAJOR, found, found.why, apart=True)
    return [plans[i] for i in range(len(layers))]


def _offers(layer: Layer, tools: Mapping[str, Lowering], setting: Setting) -> dict[str, _Offer]:
    """Return what the lowerings that can express this layer would cost."""
    offers, batches = {}, (setting.batch, *setting.others)
    for name, tool in tools.items():
        found = tool.estimate(layer.pattern, setting)
        if found is None:
            continue
        seconds = [found.seconds]
        for batch in setting.others:
            there = None if found.at else tool.estimate(layer.pattern, _at(setting, batch))
            seconds.append(found.at(batch) if found.at else there.seconds if there else np.inf)
        turned = [found.turned(b) for b in batches] if found.turned else seconds
        by_layout = {BATCH_MAJOR: np.array(seconds), FEATURE_MAJOR: np.array(turned)}
        offers[name] = _Offer(found, {layout: by_layout[layout] for layout in tool.layouts})
    if not offers:
        raise UnsupportedError(
            f"{layer.name}: cannot be lowered as {', '.join(tools)}",
            hint="use --lowering auto",
        )
    return offers


def _at(setting: Setting, batch: int) -> Setting:
    return setting._replace(batch=batch, others=())


def _turn(setting: Setting, width: int) -> NDArray[np.float64]:
    """Return the seconds of one transpose at each batch."""
    batches = (setting.batch, *setting.others)
    return np.array([setting.costs.turn(width, batch) for batch in batches])


def _laid(found: Estimate, layout: str, batch: int) -> Estimate:
    """Return the estimate with the seconds that it has in a layout."""
    if found.turned is None or layout != FEATURE_MAJOR:
        return found
    return found._replace(seconds=found.turned(batch), at=found.turned)


def _fitting(offers: Mapping[str, _Offer], layout: str) -> dict[str, NDArray[np.float64]]:
    """Return the seconds of the lowerings that take this layout."""
    return {
        name: offer.seconds[layout] for name, offer in offers.items() if layout in offer.seconds
    }


def _least(seconds: Mapping[str, NDArray[np.float64]]) -> str:
    """Return the name of what is fastest: over all batches, the one that falls behind least."""
    fastest = np.min(list(seconds.values()), axis=0)
    return min(seconds, key=lambda name: float((seconds[name] / fastest).max()))


def _rivals(offers: Mapping[str, _Offer], name: str, layout: str) -> str:
    """Return how much longer the lowerings not chosen would take, at the first batch."""
    chosen = offers[name].seconds[layout][0]
    return "".join(
        f"; {other} {'would take' if ratio >= 1 else 'and its transposes lose, though it takes'} "
        f"{ratio:.1f}x as long"
        for other, offer in offers.items()
        if other != name
        for ratio in [min(seconds[0] for seconds in offer.seconds.values()) / chosen]
    )
