"""Which kernel a pattern gets: the one whose step is estimated to be the shortest.

A step is one forward and one backward pass of 256 rows in float32. The constants were fitted to
times on one Zen 5 core with torch 2.13.0; `tools/benchmarks/sparse_linear.py` sets the choice
beside the times of all kernels. They were not measured on a GPU: name a kernel there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError
from radixfmt.model.tiling import Tiling, tiling
from radixfmt.nn.kernels import Blocked, Dense, Edges, Kernel

if TYPE_CHECKING:
    from radixfmt.model.pattern import Pattern

KERNELS = ("auto", "dense", "blocked", "edges")

CELL = 20e-9
"""Seconds per cell of a dense product or of a tile."""

EDGE = 85e-9
"""Seconds per edge where each is gone along alone."""

NEURON = 1.4e-6
"""Seconds per input or output that `Blocked` and `Edges` turn from `[B, n]` and back."""

ROW = 0.8e-6
"""Seconds per input that a tile gathers; half of it per output."""

START = 0.1e-3, 0.5e-3
"""Seconds that a step takes however small the layer is: `Dense`, the others."""


def choose(pattern: Pattern, name: str) -> Kernel:
    """Return the kernel of this name, or for "auto" the one that should be fastest.

    Raises:
        ParameterError: an unknown name.
    """
    if name not in KERNELS:
        raise ParameterError(f"kernel: expected one of {', '.join(KERNELS)}, got {name!r}")
    if name == "dense" or (name == "auto" and 0 in pattern.shape):
        return Dense(pattern)
    if name == "edges" or pattern.nnz == 0:
        return Edges(pattern)
    if name == "blocked":
        return Blocked(pattern, _tiling(pattern))
    cells, neurons = pattern.shape[0] * pattern.shape[1], sum(pattern.shape)
    dense = START[0] + CELL * cells
    turned = START[1] + NEURON * neurons
    edges = turned + EDGE * pattern.nnz
    if turned < dense:
        tiles = _tiling(pattern)
        if turned + _tile_seconds(*tiles.size) < min(dense, edges):
            return Blocked(pattern, tiles)
    return Dense(pattern) if dense <= edges else Edges(pattern)


def _tiling(pattern: Pattern) -> Tiling:
    return tiling(pattern, _tile_seconds)


def _tile_seconds(groups: int, m: int, k: int) -> float:
    """Return the seconds of tiles of m outputs and k inputs, without turning."""
    return groups * (CELL * m * k + ROW * (k + m / 2))
