"""How many edges each neuron of a layer has, counted while runs of edges pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_COUNTED = 1 << 28
"""Neurons of the side that is not grouped by: their counters take 1 GiB."""


class Spread(NamedTuple):
    """The degrees of one side: least, largest, neurons without an edge and the first of them."""

    least: int
    largest: int
    isolated: int
    first: int


class Degrees:
    """Counters for both sides of a layer whose edges are grouped by one of them.

    Args:
        others: neurons of the other side; beyond `LARGEST_COUNTED` they are not counted.
    """

    def __init__(self, others: int) -> None:
        self._groups: list[Spread] = []
        self._seen = 0
        self._others = np.zeros(others, np.uint32) if others <= LARGEST_COUNTED else None

    def add_groups(self, degrees: NDArray[Any]) -> None:
        """Count the degrees of the next neurons of the side that edges are grouped by."""
        if degrees.size:
            self._groups.append(_spread(degrees, self._seen))
            self._seen += degrees.size

    def add_edges(self, indices: NDArray[Any]) -> None:
        """Count edges at the neurons of the other side; all indices lie inside it."""
        if self._others is None:
            return
        at = indices.astype(np.intp, copy=False)
        if self._others.size <= at.size:
            self._others += np.bincount(at, minlength=self._others.size).astype(np.uint32)
        else:
            np.add.at(self._others, at, np.uint32(1))

    @property
    def groups(self) -> Spread:
        """The side that edges are grouped by."""
        if not self._groups:
            return Spread(0, 0, 0, 0)
        lacking = [spread for spread in self._groups if spread.isolated]
        return Spread(
            min(spread.least for spread in self._groups),
            max(spread.largest for spread in self._groups),
            sum(spread.isolated for spread in lacking),
            lacking[0].first if lacking else 0,
        )

    @property
    def others(self) -> Spread | None:
        """The other side, or None if it is too large to be counted."""
        return None if self._others is None else _spread(self._others, 0)


def _spread(degrees: NDArray[Any], offset: int) -> Spread:
    if not degrees.size:
        return Spread(0, 0, 0, 0)
    lowest = int(degrees.argmin())
    isolated = degrees.size - int(np.count_nonzero(degrees))
    return Spread(int(degrees[lowest]), int(degrees.max()), isolated, offset + lowest)
