"""How many edges neurons have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.plots import plot_kind
from radixfmt.plots.edges import check_drawable

if TYPE_CHECKING:
    from radixfmt.model.layer import Layer

BARS = 64


@plot_kind("degree")
def degree(axes: Any, layer: Layer) -> None:
    """Draw the share of neurons with each number of inputs, and of outputs."""
    check_drawable(layer.pattern)
    sides = {"inputs": layer.pattern.fan_in(), "outputs": layer.pattern.fan_out()}
    low = min(int(degrees.min(initial=0)) for degrees in sides.values())
    high = max(int(degrees.max(initial=0)) for degrees in sides.values())
    step = -(-(high - low + 1) // BARS)
    edges = np.arange(low, high + step + 1, step) - 0.5
    for name, degrees in sides.items():
        counts, _ = np.histogram(degrees, edges)
        axes.stairs(
            counts / max(degrees.size, 1), edges, label=name, fill=name == "inputs", alpha=0.7
        )
    axes.set_xlabel("edges of a neuron", size=7)
    axes.set_ylabel("share of neurons", size=7)
    axes.tick_params(labelsize=6)
    axes.legend(fontsize=6)
