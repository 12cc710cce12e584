"""`grouped`: filters that read the same channels become the groups of one Conv."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.cost import copy, estimate, product
from radixfmt.export.convolutions.form import form_of
from radixfmt.model.pattern import Pattern
from radixfmt.model.tiling import tiling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.export.convolutions.case import Case
    from radixfmt.export.lowerings import Estimate


@convolution("grouped")
def grouped(case: Case) -> Estimate | None:
    """Return the cost of the groups that the channels show; None if they save nothing."""
    live = np.flatnonzero(case.pairs.any(1))
    if case.depthwise or not live.size:
        return None
    cells = prod(map(len, case.taps))

    def cost(groups: int, m: int, k: int) -> float:
        moved = copy(case, groups * k * case.area) + copy(case, case.pairs.shape[0] * case.places)
        return product(case, groups, m, k, cells) + moved

    tiles = tiling(_channels(case, live), cost)
    # in the order of their first filters: what is block-diagonal needs no Gather
    rows = [np.sort(row[row >= 0]) for row in tiles.outputs]
    order = sorted(range(len(rows)), key=lambda tile: rows[tile][0])
    outputs = [live[rows[tile]] for tile in order]
    form = form_of(case, outputs, [row[row >= 0] for row in tiles.inputs[order]])
    groups, m, k = form.size
    filters, width = case.pairs.shape
    if groups == 1 or groups * m * k >= filters * width:
        return None
    fewer = filters * width * prod(case.geometry.kernel_shape) / (groups * m * k * cells)
    fill = groups * m * k / case.pairs.sum()
    why = (
        f"{groups} groups of {m} filters share {k} channels, fill {fill:.2f}: "
        f"{fewer:.1f}x fewer multiplications than dense"
    )
    return estimate(case, form, why)


def _channels(case: Case, live: NDArray[np.int64]) -> Pattern:
    """Return which of all channels the filters `live` read, as a pattern of linear layers."""
    outputs, width = case.pairs.shape
    filters, channels = np.nonzero(case.pairs[live])
    first = live // (outputs // case.geometry.group) * width
    ends = np.bincount(filters, minlength=live.size).cumsum()
    return Pattern.explicit(
        (case.channels, live.size), np.concatenate([[0], ends]), first[filters] + channels
    )
