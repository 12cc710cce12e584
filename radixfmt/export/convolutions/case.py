"""What the choice of a convolution's form rests on: its pattern by channels and taps, its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.export.lowerings import Setting
    from radixfmt.model.layer import ConvGeometry, Layer

PLACES = 1024
"""Outputs per channel assumed where the input's spatial size is open: an image of 32 by 32."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A convolution that is being planned.

    Attributes:
        layer: with weights.
        geometry: of the layer.
        pairs: bool `[C_out, C_in / group]`, whether any tap of a kernel is an edge.
        taps: for each axis the taps that a kernel needs, `range(first, last + 1, step)`.
        places: outputs per channel and sample.
        area: inputs per channel and sample.
        size: of the input's spatial axes; None where one is open.
        setting: batch, target and costs.
    """

    layer: Layer
    geometry: ConvGeometry
    pairs: NDArray[np.bool_]
    taps: tuple[range, ...]
    places: int
    area: int
    size: tuple[int, ...] | None
    setting: Setting

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return int(self.pairs.shape[1]) * self.geometry.group

    @property
    def depthwise(self) -> bool:
        """Whether each filter reads one channel: memory bounds it, so that no Gather pays."""
        return self.geometry.group > 1 and self.pairs.shape[1] == 1

    def dead_biases(self) -> int:
        """Return how many different biases the filters without edges have."""
        dead = ~self.pairs.any(1)
        if not dead.any():
            return 0
        if self.layer.bias is None:
            return 1
        return int(np.unique(np.broadcast_to(self.layer.bias, dead.shape)[dead]).size)


def case_of(layer: Layer, size: Sequence[int | None] | None, setting: Setting) -> Case:
    """Return what there is to know about a convolution.

    Args:
        layer: of kind "conv".
        size: of the input's spatial axes, None where one is open.
        setting: batch, target and costs.
    """
    geometry = layer.geometry
    assert geometry is not None  # noqa: S101  the caller has looked
    n_in, n_out = layer.pattern.shape
    cells = prod(geometry.kernel_shape)
    pairs = np.zeros((n_out, n_in // cells), bool)
    used = np.zeros(cells, bool)
    for start, stop, columns in layer.pattern.blocks():
        outputs = np.repeat(np.arange(start, stop), np.diff(columns.indptr))
        pairs[outputs, columns.indices // cells] = True
        used[columns.indices % cells] = True
    taps = tuple(
        _needed(used.reshape(geometry.kernel_shape), axis, geometry)
        for axis in range(len(geometry.kernel_shape))
    )
    known = tuple(n for n in size or () if n is not None)
    if len(known) < len(geometry.kernel_shape):
        return Case(layer, geometry, pairs, taps, PLACES, PLACES, None, setting)
    places = prod(_windows(n, axis, geometry) for axis, n in enumerate(known))
    return Case(layer, geometry, pairs, taps, places, prod(known), known, setting)


def _needed(used: NDArray[np.bool_], axis: int, geometry: ConvGeometry) -> range:
    """Return the taps of one axis that a kernel cannot do without.

    A tap at either end can go as long as there is padding that its place can be taken from, since
    no Conv has negative pads; taps in between go where the others lie at equal distances.
    """
    count, rank = used.shape[axis], used.ndim
    others = tuple(i for i in range(rank) if i != axis)
    found = np.flatnonzero(used.any(others))
    if not found.size:
        return range(count)
    before, after = geometry.pads[axis], geometry.pads[axis + rank]
    spacing = geometry.dilations[axis]
    first = min(int(found[0]), before // spacing)
    last = max(int(found[-1]), count - 1 - after // spacing)
    step = gcd(last - first, *(int(tap) - first for tap in found))
    return range(first, last + 1, step or 1)


def _windows(size: int, axis: int, geometry: ConvGeometry) -> int:
    """Return how many places a kernel has along one axis, at least 1."""
    rank = len(geometry.kernel_shape)
    padded = size + geometry.pads[axis] + geometry.pads[axis + rank]
    reach = geometry.dilations[axis] * (geometry.kernel_shape[axis] - 1)
    return max(1, (padded - reach - 1) // geometry.strides[axis] + 1)
