"""The singular values of a layer's 0/1 matrix, largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.plots import plot_kind

if TYPE_CHECKING:
    from radixfmt.model.layer import Layer

LARGEST_DENSE = 2**24
"""Cells of a matrix whose singular values are all computed: 4096 x 4096, 128 MiB."""


@plot_kind("spectrum")
def spectrum(axes: Any, layer: Layer) -> None:
    """Draw every singular value over its rank; the spectral gap is the first drop."""
    n_in, n_out = layer.pattern.shape
    if n_in * n_out > LARGEST_DENSE:
        raise UnsupportedError(
            f"all singular values of a layer of {n_in} x {n_out} neurons take too long; "
            f"at most {LARGEST_DENSE} cells are drawn",
            hint="radixfmt measure NET --measure spectral tells the two largest",
        )
    matrix = layer.pattern.to_scipy().toarray().astype(np.float64)
    values = np.linalg.svd(matrix, compute_uv=False)
    axes.plot(np.arange(1, values.size + 1), values, marker=".", markersize=3, linewidth=0.7)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("rank", size=7)
    axes.set_ylabel("singular value", size=7)
    axes.tick_params(labelsize=6)
