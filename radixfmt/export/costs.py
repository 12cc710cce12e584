"""What work costs on a target: the few constants from which the planner estimates seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radixfmt.errors import ParameterError

Target = Literal["cpu", "cuda"]

PLANNING_BATCH = 256
"""Rows assumed where the batch is dynamic: the tile in which `Session` runs a large batch."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Speeds of one target, float32, one CPU core or one GPU.

    Attributes:
        multiply: flop/s of a large matrix product.
        move: byte/s of copying whole rows that stay in cache, read and write both counted (Gather;
            a product's own packing of its inputs).
        cache: bytes of gathered rows up to which `move` holds.
        spill: byte/s beyond that.
        read: byte/s of reading weights, which bounds small batches.
        transpose: byte/s of turning [B, n] into [n, B] or back, counted as `move` is.
        row: seconds per gathered row, however short.
        group: seconds per group of a product.
        node: seconds per graph node.
    """

    multiply: float
    move: float
    cache: float
    spill: float
    read: float
    transpose: float
    row: float
    group: float
    node: float

    def dense(self, n_in: int, n_out: int, batch: int) -> float:
        """Return the seconds of one dense layer."""
        return self._product(n_in * n_out, batch) + self.node

    def blocked(self, groups: int, outputs: int, inputs: int, batch: int) -> float:
        """Return the seconds of a Gather and a grouped product of `groups` tiles.

        The rows are moved twice: by Gather, then packed by the product. A tile of few outputs
        therefore cannot reach `multiply`: 16 outputs get the 150 GF/s that were measured.
        """
        rows = groups * inputs
        speed = self.move if 4 * rows * batch <= self.cache else self.spill
        moved = 2 * 8 * rows * batch / speed + rows * self.row + groups * self.group
        return moved + self._product(groups * outputs * inputs, batch) + 2 * self.node

    def turn(self, width: int, batch: int) -> float:
        """Return the seconds of one transpose of `width` values for each row."""
        return 8 * width * batch / self.transpose + self.node

    def _product(self, weights: int, batch: int) -> float:
        return max(2 * weights * batch / self.multiply, 4 * weights / self.read)


COSTS: dict[str, Costs] = {
    # Measured on one Zen 5 core (1 MiB of second-, 32 MiB of third-level cache, AVX-512) with
    # onnxruntime 1.31.1, fitted to the times of Gather, Conv and Relu for 14 shapes at B = 256:
    # 10 estimates are within 20 %, the others up to 72 % too high.
    "cpu": Costs(
        multiply=247e9,
        move=90e9,
        cache=12e6,
        spill=30e9,
        read=41e9,
        transpose=15e9,
        row=3e-9,
        group=60e-9,
        node=3e-6,
    ),
    # Not measured: an H200 data sheet's float32 rate and memory bandwidth, derated by a quarter.
    "cuda": Costs(
        multiply=50e12,
        move=3.2e12,
        cache=40e6,
        spill=3.2e12,
        read=3.2e12,
        transpose=1.6e12,
        row=0.0,
        group=0.0,
        node=4e-6,
    ),
}


def costs_of(target: str) -> Costs:
    """Return the constants of `target`.

    Raises:
        ParameterError: a target other than "cpu" and "cuda".
    """
    if target not in COSTS:
        raise ParameterError(f"target: expected {' or '.join(COSTS)}, got {target!r}")
    return COSTS[target]
