"""RadiX-Nets with a given n and about a given number of edges, cut to given layer sizes.

Edges add up over the layers, and a layer's depend on its radix and place value alone. So the
designs are the paths of a small graph whose states are what the open system still needs. Of paths
to one state with about as many edges only the evenest is followed: the search is not exhaustive
in deep networks, and every count of edges in it is exact.
"""

from __future__ import annotations

from functools import lru_cache
from heapq import nsmallest
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from radixfmt.topologies.radix_design import Design, cells, rules
from radixfmt.topologies.radix_enumeration import (
    count_radix_systems,
    divisors,
    radix_systems,
    split,
)
from radixfmt.topologies.radix_trimmed import Step

if TYPE_CHECKING:
    from collections.abc import Sequence


class State(NamedTuple):
    """Where a path stands after some layers.

    Attributes:
        left: what the radices still to come in the open system multiply to.
        full: whether one system is complete; only the last one may end before that.
        idle: whether some neuron has no outputs.
    """

    left: int
    full: bool
    idle: bool


class Path(NamedTuple):
    """How a state was reached: edges, sum of squared radices, the path before, and its radix."""

    edges: int
    squares: int
    before: Path | None
    radix: int


class Near(NamedTuple):
    """How paths are told apart after a layer: by how far their edges are from what is due.

    Attributes:
        due: edges of a network as dense as the aim in every layer.
        width: edges of one range; what is further apart in a deep network soon evens out.
        ranges: on either side of what is due.
    """

    due: int
    width: int
    ranges: int


class Aim(NamedTuple):
    """What is searched for: layer sizes, sign of the shift, edges of all layers together."""

    sizes: Sequence[int]
    direction: int
    edges: int


KEPT = 8
"""Designs of one n that are compared, those nearest to the aim."""

FEW, SHALLOW = 512, 8
"""Designs of one n, and their layers, that are all compared where only some may be connected."""

STEP_WORK = 16
"""What trying one radix costs, in units of lengthening one path."""

LARGEST_GRAPH = 200_000
"""Layers times divisors^1.5, about the edges of the graph, of an n that is not passed over."""

FEWEST, MOST, PATHS = 4, 400, 150_000
"""Ranges on either side of the edges that are due; paths to all states of all layers together."""


def passed_over(layers: int, n: int) -> bool:
    """Return whether n has so many divisors that it is not searched, or is no product at all."""
    return n < 2 or bool(layers * len(divisors(n)) ** 1.5 > LARGEST_GRAPH)


def designs(aim: Aim, n: int) -> tuple[list[Design], int]:
    """Return the designs of this n whose edges come nearest to the aim, and the work it took.

    Every neuron of them has inputs; that every input reaches every output is certain while n is
    at most every layer but the last, and is to be checked otherwise. Where all designs have twice
    the edges asked for, or more, the sparsest is among them. None for an n that is passed over.
    """
    layers = len(aim.sizes) - 1
    if passed_over(layers, n):
        return [], STEP_WORK
    factors = {left: divisors(left)[1:] for left in divisors(n)}
    pairs = layers * sum(map(len, factors.values()))
    ranges = max(FEWEST, min(MOST, PATHS // pairs))
    width = max(1, aim.edges * min(layers, 16) // (layers * ranges))
    found = {State(n, full=False, idle=False): {0: Path(0, 0, None, 0)}}
    behind = work = 0
    for i, shape in enumerate(pairwise(aim.sizes)):
        behind += shape[0] * shape[1]
        near = Near(aim.edges * behind // cells(aim.sizes), width, ranges)
        after: dict[State, dict[int, Path]] = {}
        for state, paths in found.items():
            last = i == layers - 1 and not state.full  # of the first system, which has to end
            for radix in [state.left] if last else factors[state.left]:
                to, edges = _stepped(shape, aim.direction, n, state, radix)
                if to is not None:
                    _follow(paths, edges, radix, after.setdefault(to, {}), near)
                    work += len(paths)
                work += STEP_WORK
        found = after
    chosen: list[Design] = []
    for idle in (False, True):
        ends = [
            path
            for state, paths in found.items()
            if state.full and state.idle == idle
            for path in paths.values()
        ]
        for path in nsmallest(KEPT, ends, key=lambda end: abs(end.edges - aim.edges)):
            systems = split(_radices(path), n)
            chosen.append(Design(aim.sizes, systems, aim.direction, path.edges, idle))
    return chosen, work


def varied_designs(aim: Aim, n: int) -> tuple[list[Design], int]:
    """Return all designs of this n if they are few, else those of `designs`; and the work it took.

    For an n where of two designs with as many edges the evener may not be connected.
    """
    layers = len(aim.sizes) - 1
    if layers > SHALLOW or count_radix_systems(n, layers) > FEW:
        return designs(aim, n)
    found, work = [], STEP_WORK * layers * len(divisors(n))
    for systems in radix_systems(n, layers):
        work += layers * STEP_WORK
        shapes, edges, idle = pairwise(aim.sizes), 0, False
        for step, shape in zip(rules(systems, aim.direction), shapes, strict=True):
            if not step.feeds(*shape):
                break
            edges += step.edges(*shape)
            idle = idle or not step.drains(*shape)
        else:
            found.append(Design(aim.sizes, systems, aim.direction, edges, idle))
    return found, work


@lru_cache(maxsize=1 << 14)  # deep networks repeat their layers
def _stepped(
    shape: tuple[int, int], direction: int, n: int, state: State, radix: int
) -> tuple[State | None, int]:
    """Return the state after a layer with this radix, None if a neuron has no inputs; its edges."""
    step = Step(n, radix, n // state.left, direction)
    if not step.feeds(*shape):
        return None, 0
    rest = state.left // radix
    idle = state.idle or not step.drains(*shape)
    return State(n if rest == 1 else rest, state.full or rest == 1, idle), step.edges(*shape)


def _follow(
    paths: dict[int, Path], edges: int, radix: int, into: dict[int, Path], near: Near
) -> None:
    """Lengthen `paths` by a layer; `into` keeps the evenest for each range of edges.

    The outermost ranges have no end; of theirs, the path nearest to what is due is kept.
    """
    for path in paths.values():
        total = path.edges + edges
        squares = path.squares + radix * radix
        place = (total - near.due) // near.width
        if -near.ranges <= place < near.ranges:
            known = into.get(place)
            better = known is None or squares < known.squares
        else:
            place = max(-near.ranges - 1, min(place, near.ranges))
            known = into.get(place)
            better = known is None or abs(total - near.due) < abs(known.edges - near.due)
        if better:
            into[place] = Path(total, squares, path, radix)


def _radices(path: Path) -> list[int]:
    found = []
    while path.before is not None:
        found.append(path.radix)
        path = path.before
    return found[::-1]
