"""Which form of a layer is faster, for the compiled kernels."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.model.tiling import tiling
from radixfmt.native.packed import Packed, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern
    from radixfmt.model.tiling import Tiling

HEIGHT = 4
"""Outputs of a group that are computed together."""

INPUT, GROUP, EDGE, OUTPUT = 0.3, 12.0, 2.4, 12.0
"""Cost of an input read by outputs together, of those outputs, of an edge alone, and of an output
alone, in multiply-adds of a tile at full speed; measured with AVX-512."""

SINGLE_CELL, SINGLE_GROUP, SINGLE_EDGE, SINGLE_OUTPUT = 5.4, 3700.0, 24.0, 340.0
"""The same for a batch of one sample, of which nothing fills a vector but weights."""

LARGE, STRAIN = 1 << 18, 3.0
"""Cells of a group above which its cost grows so many times: its rows strain the nearest cache."""

TAP, VALUE, ROW = 2.45, 24.0, 300.0
"""Cost of a tap at one place of a sparse convolution, and of a value and a row of values that it
reads or makes, in multiply-adds of onnxruntime's dense Conv; measured with AVX-512."""

LANES = 16
"""Filters, and places, that are computed together."""


def blocks_cost(groups: int, m: int, k: int) -> float:
    """Return the cost of groups of m outputs that share k inputs."""
    together = -(-m // HEIGHT)
    strain = STRAIN if m * k > LARGE else 1.0
    return groups * together * (k * (HEIGHT + INPUT) + GROUP) * strain


def rows_cost(edges: int, outputs: int) -> float:
    """Return the cost of as many edges, each read alone."""
    return edges * EDGE + outputs * OUTPUT


def cost(pattern: Pattern, found: Tiling | None) -> float:
    """Return the cost of a layer in blocks, or of one in rows, for which `found` is None."""
    return rows_cost(pattern.nnz, pattern.shape[1]) if found is None else blocks_cost(*found.size)


def cost_alone(pattern: Pattern, found: Tiling | None) -> float:
    """Return the cost of a layer for a batch of one sample, in the unit of `cost`."""
    if found is None:
        return pattern.nnz * SINGLE_EDGE + pattern.shape[1] * SINGLE_OUTPUT
    groups, m, k = found.size
    return groups * (m * k * SINGLE_CELL + SINGLE_GROUP)


def form(pattern: Pattern) -> Tiling | None:
    """Return the blocks in which a layer is fastest, None where it is fastest in rows."""
    if 0 in (*pattern.shape, pattern.nnz):
        return None
    found = tiling(pattern, blocks_cost)
    return found if cost(pattern, found) < cost(pattern, None) else None


def chosen(layer: Layer, *, low: float = -np.inf, high: float = np.inf) -> Packed:
    """Return a linear layer in its faster form; arguments as `pack`."""
    return pack(layer, form(layer.pattern), low=low, high=high)


def convolution_gain(layer: Layer, size: Sequence[int]) -> float:
    """Return how many times as fast as a dense Conv of onnxruntime's a sparse one should be.

    Args:
        layer: of kind "conv".
        size: of the input's spatial axes.
    """
    geometry = layer.geometry
    assert geometry is not None  # noqa: S101  the caller has looked
    n_in, n_out = layer.pattern.shape
    rank, group = len(size), geometry.group
    places, wider = [], 0
    for axis, (inputs, kernel) in enumerate(zip(size, geometry.kernel_shape, strict=True)):
        padded = inputs + geometry.pads[axis] + geometry.pads[axis + rank]
        reach = geometry.dilations[axis] * (kernel - 1)
        places.append(max(1, (padded - reach - 1) // geometry.strides[axis] + 1))
        wider = reach // geometry.strides[axis]
    # sums between the rows of places are computed for nothing
    summed = (prod(places[:-1]) - 1) * (places[-1] + wider) + places[-1]
    summed = -(-summed // LANES) * LANES
    channels = n_in // prod(geometry.kernel_shape) * group
    moved = 0.0
    for count, image in ((channels, size), (n_out, places)):
        moved += count * (prod(image) * VALUE + prod(image[:-1]) * ROW)
    # a dense Conv fills its lanes with filters, but those of one channel each with channels
    depthwise = group > 1 and channels == group
    filters = n_out if depthwise else -(-n_out // group // LANES) * LANES * group
    return n_in * filters * prod(places) / (layer.pattern.nnz * summed * TAP + moved)
