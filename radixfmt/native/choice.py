"""Whether a layer is faster as rows or as blocks, for the compiled kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.model.tiling import tiling
from radixfmt.native.packed import Packed, pack

if TYPE_CHECKING:
    from radixfmt.model.layer import Layer

HEIGHT = 4
"""Outputs of a group that are computed together."""

INPUT, GROUP, EDGE, OUTPUT = 0.3, 12.0, 3.3, 4.0
"""Cost of an input read by outputs together, of those outputs, of an edge alone, and of an output
alone, in multiply-adds of a tile at full speed; measured with AVX-512."""


def blocks_cost(groups: int, m: int, k: int) -> float:
    """Return the cost of groups of m outputs that share k inputs."""
    together = -(-m // HEIGHT)
    return groups * together * (k * (HEIGHT + INPUT) + GROUP)


def rows_cost(edges: int, outputs: int) -> float:
    """Return the cost of as many edges, each read alone."""
    return edges * EDGE + outputs * OUTPUT


def chosen(layer: Layer, *, low: float = -np.inf, high: float = np.inf) -> Packed:
    """Return a linear layer in its faster form; arguments as `pack`."""
    pattern = layer.pattern
    if 0 in (*pattern.shape, pattern.nnz):
        return pack(layer, low=low, high=high)
    found = tiling(pattern, blocks_cost)
    faster = blocks_cost(*found.size) < rows_cost(pattern.nnz, pattern.shape[1])
    return pack(layer, found if faster else None, low=low, high=high)
