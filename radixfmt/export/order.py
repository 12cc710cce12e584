"""The order of a layer's outputs within tiles: what the next layer reads together lies together.

A tile's outputs may have its rows in any order. Those that the same tiles of the next layer read
are put side by side, so that its Gather copies them at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.export.planner import Plan
    from radixfmt.model.graph import Node
    from radixfmt.model.tiling import Tiling

TILES = "blocked"
"""The lowering whose form is a tuple of tilings."""


def in_reading_order(nodes: Sequence[Node], plans: Sequence[Plan]) -> list[Plan]:
    """Return the plans; a tiled layer's outputs lie as a tiled layer that reads them asks.

    Args:
        nodes: of the network's graph, producers first.
        plans: one for each layer.
    """
    found = list(plans)
    maker: dict[str, int] = {}
    for node in nodes:
        before = maker.get(node.inputs[0]) if node.inputs else None
        if node.layer is not None:
            if before is not None and _tiled(plans[before]) and _tiled(plans[node.layer]):
                key = _readers(plans[node.layer].estimate.form)
                estimate = plans[before].estimate
                form = tuple(part.ordered(key) for part in estimate.form)
                found[before] = plans[before]._replace(estimate=estimate._replace(form=form))
            maker[node.outputs[0]] = node.layer
        elif before is not None and node.op in ELEMENTWISE:
            maker[node.outputs[0]] = before
    return found


def _tiled(plan: Plan) -> bool:
    """Return whether a plan's form is tilings."""
    return plan.lowering == TILES and not plan.apart


def _readers(form: Sequence[Tiling]) -> NDArray[np.float64]:
    """Return a number for each input neuron; those that the same tiles read have the same."""
    width = 1 + max(int(part.inputs.max()) for part in form)
    key, first = np.zeros(width), 1
    for part in form:
        groups, _, k = part.size
        tile = np.repeat(np.arange(first, first + groups, dtype=np.float64), k)
        held = part.inputs.reshape(-1)
        key += np.bincount(held[held >= 0], tile[held >= 0] ** 2, minlength=width)
        first += groups
    return key
