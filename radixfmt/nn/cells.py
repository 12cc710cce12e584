"""The edges of a pattern as cells of the dense `[n_out, n_in]` weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from radixfmt.model.pattern import Pattern


def flat_cells(pattern: Pattern) -> NDArray[np.int64]:
    """Return output · n_in + input for every edge, int64 `[nnz]`, ascending."""
    n_in, n_out = pattern.shape
    return np.repeat(np.arange(n_out) * n_in, pattern.fan_in()) + pattern.indices


def spread(weights: Tensor, cells: Tensor, size: int) -> Tensor:
    """Return zeros `[size]` with the weights at `cells`; gradients come back from there."""
    return weights.new_zeros(size).index_copy(0, cells, weights)
