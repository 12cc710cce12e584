"""Where the edges of a layer are, binned to pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.plots import plot_kind
from radixfmt.plots.edges import check_drawable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern

PIXELS = 256
"""Bins along an axis, at most."""


@plot_kind("spy")
def spy(axes: Any, layer: Layer) -> None:
    """Draw inputs downward and outputs to the right; the darker, the larger the share of edges."""
    share = binned(layer.pattern)
    n_in, n_out = layer.pattern.shape
    if not share.size:
        return
    axes.imshow(
        share, cmap="Greys", vmin=0, vmax=max(float(share.max(initial=0)), 1e-30),
        extent=(0, n_out, n_in, 0), aspect="auto", interpolation="nearest",
    )  # fmt: skip
    axes.set_xlabel("output", size=7)
    axes.set_ylabel("input", size=7)
    axes.tick_params(labelsize=6)


def binned(pattern: Pattern) -> NDArray[np.float64]:
    """Return the share of cells that are edges, `[bins of inputs, bins of outputs]`.

    Raises:
        UnsupportedError: the pattern has too many edges to walk.
    """
    check_drawable(pattern)
    shape = pattern.shape
    bins = tuple(min(size, PIXELS) for size in shape)
    counts = np.zeros(bins[0] * bins[1], np.int64)
    for start, stop, block in pattern.blocks():
        columns = np.repeat(np.arange(start, stop), np.diff(block.indptr))
        at = block.indices.astype(np.int64) * bins[0] // shape[0]
        at = at * bins[1] + columns * bins[1] // shape[1]
        counts += np.bincount(at, minlength=counts.size)
    cells = [
        np.bincount(np.arange(size) * count // size, minlength=count)
        for size, count in zip(shape, bins, strict=True)
    ]
    whole = np.multiply.outer(*cells)
    return np.divide(counts.reshape(bins), whole, out=np.zeros(bins), where=whole > 0)
