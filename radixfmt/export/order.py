"""The order of a layer's outputs within tiles: what the next layer reads together lies together.

A tile's outputs may have its rows in any order. Those that the same tiles of the next layer read
are put side by side, so that its Gather copies them at once.
"""

from __future__ import annotations

from collections import Counter
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
    """Return the plans, tiles of layers that only another tiled layer reads in its order.

    Args:
        nodes: of the network's graph.
        plans: one for each layer.
    """
    found = list(plans)
    uses = Counter(node.layer for node in nodes)
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    for node in nodes:
        if node.layer is None or uses[node.layer] > 1 or not _tiled(plans[node.layer]):
            continue
        name = node.outputs[0]
        while len(readers.get(name, ())) == 1 and readers[name][0].op in ELEMENTWISE:
            name = readers[name][0].outputs[0]
        following = readers.get(name, [])
        if len(following) != 1 or following[0].layer is None:
            continue
        plan, after = plans[node.layer], plans[following[0].layer]
        if _tiled(after):
            key = _readers(after.estimate.form)
            form = tuple(part.ordered(key) for part in plan.estimate.form)
            found[node.layer] = plan._replace(estimate=plan.estimate._replace(form=form))
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
