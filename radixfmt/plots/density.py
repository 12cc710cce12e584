"""How dense a layer is from its first output neuron to its last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.plots import plot_kind
from radixfmt.plots.edges import check_drawable

if TYPE_CHECKING:
    from radixfmt.model.layer import Layer

BINS = 256


@plot_kind("density")
def density(axes: Any, layer: Layer) -> None:
    """Draw a strip: the share of a neuron's possible inputs that it has, and their mean."""
    pattern = layer.pattern
    check_drawable(pattern)
    n_in, n_out = pattern.shape
    bins = np.arange(n_out) * min(n_out, BINS) // max(n_out, 1)
    cells = np.bincount(bins) * max(n_in, 1)
    share = np.bincount(bins, pattern.fan_in()) / cells
    at = np.linspace(0, n_out, share.size + 1)
    axes.stairs(share, at, fill=True, alpha=0.7)
    axes.axhline(pattern.density, color="black", linewidth=0.7)
    axes.set_ylim(0, max(1.1 * float(share.max(initial=0)), 1e-30))
    axes.set_xlabel(f"output (mean {pattern.density:.4g})", size=7)
    axes.set_ylabel("density", size=7)
    axes.tick_params(labelsize=6)
