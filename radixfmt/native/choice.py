"""Whether a layer is faster as rows or as blocks, for the compiled kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.model.tiling import tiling
from radixfmt.native.packed import Packed, pack

if TYPE_CHECKING:
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
