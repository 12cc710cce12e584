"""The form of a convolution: which filters, channels and taps one Conv is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.export.lowerings.dense import matrix
from radixfmt.export.shapes import kernel_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.export.convolutions.case import Case
    from radixfmt.model.layer import ConvGeometry, Layer


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One Conv of `groups` groups of `m` filters that read `k` channels each.

    Attributes:
        filters: int64 `[groups, m]`; -1 is a filter of zeros.
        channels: int64 `[groups, k]`; -1 is a channel that meets only zeros.
        taps: of the kernel, for each axis.
        place: int64 `[C_out]`, where each filter of the layer is; those without edges may share one
            filter of zeros.
        late: whether the bias is added at the end, since filters that share a place differ in it.
    """

    filters: NDArray[np.int64]
    channels: NDArray[np.int64]
    taps: tuple[range, ...]
    place: NDArray[np.int64]
    late: bool = False

    @property
    def size(self) -> tuple[int, int, int]:
        """(groups, filters per group m, channels per group k)."""
        return *self.filters.shape, self.channels.shape[1]

    def gathered(self, channels: int) -> bool:
        """Return whether the input's channels have to be moved."""
        return not _identity(self.channels, channels)

    @property
    def restored(self) -> bool:
        """Whether the result's channels have to be moved."""
        return not _identity(self.place, self.filters.size)

    def geometry(self, geometry: ConvGeometry) -> ConvGeometry:
        """Return the Conv's geometry, of the layer's; the taps left out come off the pads."""
        ends = zip(geometry.kernel_shape, self.taps, geometry.dilations, strict=True)
        cut = [
            taps[0] * spacing for taps, spacing in zip(self.taps, geometry.dilations, strict=True)
        ]
        cut += [(count - 1 - taps[-1]) * spacing for count, taps, spacing in ends]
        return replace(
            geometry,
            kernel_shape=tuple(map(len, self.taps)),
            pads=tuple(pad - less for pad, less in zip(geometry.pads, cut, strict=True)),
            dilations=tuple(
                spacing * taps.step
                for spacing, taps in zip(geometry.dilations, self.taps, strict=True)
            ),
            group=self.filters.shape[0],
        )

    def weight(self, layer: Layer, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the Conv's weight `[groups · m, k, …]`."""
        geometry = layer.geometry
        assert geometry is not None  # noqa: S101  only convolutions have a form
        whole = matrix(layer, dtype).T.reshape(kernel_shape(layer.pattern.shape, geometry))
        for axis, taps in enumerate(self.taps, 2):
            whole = whole.take(taps, axis)
        filters, width = whole.shape[:2]
        output = self.filters[:, :, None]
        channel = self.channels[:, None, :] - output // (filters // geometry.group) * width
        there = (output >= 0) & (self.channels[:, None, :] >= 0)
        there &= (channel >= 0) & (channel < width)
        made: NDArray[Any] = whole[np.where(there, output, 0), np.where(there, channel, 0)]
        made[~there] = 0
        return made.reshape(self.filters.size, self.channels.shape[1], *whole.shape[2:])

    def bias(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the Conv's bias `[groups · m]`, of the layer's `[C_out]`."""
        made = np.zeros(self.filters.size, values.dtype)
        made[self.place] = values
        return made


def form_of(
    case: Case, filters: Sequence[NDArray[np.int64]], channels: Sequence[NDArray[np.int64]]
) -> Form:
    """Return the form of these groups; filters without edges that are in none are added.

    Args:
        case: the convolution.
        filters: of each group, no filter in two.
        channels: of each group, all that its filters read.
    """
    outputs, inputs = _filled(filters), _filled(channels)
    place = np.full(case.pairs.shape[0], -1, np.int64)
    where = np.flatnonzero(outputs.reshape(-1) >= 0)
    place[outputs.reshape(-1)[where]] = where
    missing = place < 0
    late = False
    if missing.any():
        free = np.flatnonzero(outputs.reshape(-1) < 0)
        if not free.size and len(outputs) == 1:
            outputs = np.concatenate([outputs, [[-1]]], 1)
        elif not free.size:
            outputs = np.concatenate([outputs, np.full((1, outputs.shape[1]), -1)])
            inputs = np.concatenate([inputs, np.full((1, inputs.shape[1]), -1)])
        place[missing] = np.flatnonzero(outputs.reshape(-1) < 0)[0]
        late = case.dead_biases() > 1
    return Form(outputs, inputs, case.taps, place, late)


def _filled(groups: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return groups as rows of one array, the shorter ones filled with -1."""
    made = np.full((len(groups), max(map(len, groups))), -1, np.int64)
    for row, group in zip(made, groups, strict=True):
        row[: len(group)] = group
    return made


def _identity(order: NDArray[np.int64], size: int) -> bool:
    return order.size == size and bool((order.reshape(-1) == np.arange(size)).all())
