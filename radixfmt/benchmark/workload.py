"""What every engine computes: the same samples, made from the seed in each process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network

CHECKED_ROWS = 64
"""Rows of the batch whose outputs are compared with the float64 reference."""


def samples(network: Network, batch: int, seed: int) -> NDArray[np.float32]:
    """Return float32 `[batch, …]`, uniform in [0, 1), shaped as the network's one input.

    numpy's PCG64 draws the whole array at once, so equal seeds give equal samples everywhere.

    Raises:
        UnsupportedError: several inputs, or a size other than the batch that is not known.
    """
    shapes = [value.shape for value in network.inputs]
    if len(shapes) != 1 or not all(isinstance(size, int) for size in shapes[0][1:]):
        raise UnsupportedError(
            "benchmark: expected a network with one input of known sizes after the batch, "
            f"got {[list(shape) for shape in shapes]}"
        )
    sizes = [int(size) for size in shapes[0][1:]]
    return np.random.default_rng(seed).random((batch, *sizes), dtype=np.float32)


def checked_rows(batch: int) -> NDArray[np.intp]:
    """Return at most `CHECKED_ROWS` row numbers, spread evenly from the first to the last."""
    return np.linspace(0, batch - 1, min(batch, CHECKED_ROWS)).astype(np.intp)
