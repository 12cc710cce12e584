"""What generator records prove of layers without one edge being made.

Layers that are trimmed, pruned or explicit have no record; nothing here guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from radixfmt.generators.graph_challenge import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

PROVEN_ONLY = (
    "layers of this size are measured where their records prove a whole mixed-radix system from "
    "the first layer on"
)
"""What to do about layers too wide to follow: see `constant_start`."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A layer that is one of a RadiX-Net, but for a relabelling of its neurons.

    Attributes:
        systems: the paper's N.
        widths: the paper's D.
        direction: of the shift.
        index: which layer.
        relabelled: its neurons are in another order.
    """

    systems: tuple[tuple[int, ...], ...]
    widths: tuple[int, ...]
    direction: int
    index: int
    relabelled: bool = False

    @property
    def period(self) -> int:
        """n, the product of the first system."""
        return prod(self.systems[0])

    @property
    def digit(self) -> tuple[int, int]:
        """(system, place in it) of this layer's radix."""
        index = self.index
        for number, system in enumerate(self.systems):
            if index < len(system):
                return number, index
            index -= len(system)
        raise IndexError(self.index)

    @property
    def place_value(self) -> int:
        """The shift between the inputs of a neuron: the product of the radices before this one."""
        system, digit = self.digit
        return prod(self.systems[system][:digit])


def recipe_of(pattern: Pattern) -> Recipe | None:
    """Return the RadiX-Net layer that a pattern's record names, None for any other pattern."""
    return None if pattern.record is None else _recipe(pattern.record, relabelled=False)


def _recipe(record: Mapping[str, Any], *, relabelled: bool) -> Recipe | None:
    known = record["parameters"]
    if record["generator"] == "permuted/1":
        return _recipe(known["base"], relabelled=True)
    if record["generator"] == "graph-challenge/1":
        depth = (known["neurons"] // BLOCKS).bit_length() - 1
        group, index = divmod(known["layer"] - 1, depth)
        return Recipe(((2,) * depth,), (BLOCKS,) * (depth + 1), -1, index, relabelled or group > 0)
    if record["generator"] == "radix-net/1":
        systems = tuple(map(tuple, known["systems"]))
        return Recipe(
            systems, tuple(known["widths"]), known["direction"], known["index"], relabelled
        )
    return None


def constant_start(network: Network, run: Sequence[int]) -> tuple[int, int] | None:
    """Return (layers, count) if the first layers of a run are a whole mixed-radix system.

    Its product is a constant matrix (arXiv 1905.00416): every digit of the shift is chosen in
    exactly one way, and every block between two layers in D ways, so each pair has `count` paths,
    the product of the inner widths. None if the records do not prove it.
    """
    first = recipe_of(network.layers[run[0]].pattern)
    if first is None or first.relabelled:
        return None
    system, digit = first.digit
    radices = first.systems[system]
    layers = len(radices)
    if digit != 0 or prod(radices) != first.period or len(run) < layers:
        return None
    for offset in range(1, layers):
        found = recipe_of(network.layers[run[offset]].pattern)
        if found != Recipe(first.systems, first.widths, first.direction, first.index + offset):
            return None
    return layers, prod(first.widths[first.index + 1 : first.index + layers])
