"""`blocked`: gather the inputs that groups of outputs share, then multiply group by group."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.accepts import fitted
from radixfmt.export.graph import FEATURE_MAJOR, Tensor
from radixfmt.export.lowerings import Estimate, Setting, lowering
from radixfmt.model.tiling import Tiling, tiling

if TYPE_CHECKING:
    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern


@lowering("blocked", auto=True)
class Blocked:
    """Gather → grouped pointwise Conv (CPU, float32) or batched MatMul."""

    layouts = frozenset({FEATURE_MAJOR})

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate | None:
        """Find tiles and return what they cost; None where a side has no neurons."""
        if 0 in pattern.shape:
            return None
        cost = partial(setting.costs.blocked, batch=setting.batch)
        tiles = tiling(pattern, cost)
        groups, m, k = tiles.size
        cells = groups * m * k
        fewer = pattern.shape[0] * pattern.shape[1] / cells
        return Estimate(
            cost(groups, m, k),
            cells * setting.itemsize + groups * k * np.dtype(np.int64).itemsize,
            f"{groups} groups of {m} outputs share {k} inputs, "
            f"fill {cells / max(pattern.nnz, 1):.2f}: "
            f"{fewer:.{0 if fewer >= 10 else 1}f}x fewer multiplications than dense",
            tiles,
        )

    def emit(self, graph: GraphBuilder, layer: Layer, form: Tiling, x: Tensor) -> Tensor:
        """Add Gather (left out where rows already lie so) and the product of all groups."""
        assert x.place is not None  # noqa: S101  layouts says so
        groups, m, _ = form.size
        n_out = layer.pattern.shape[1]
        rows = x.place[np.maximum(form.inputs, 0)]  # padding reads any row, times zero
        gathered = graph.gather(layer.name, x, rows)
        assert layer.weights is not None  # noqa: S101  the exporter has checked
        place = form.place(n_out)
        bias = None
        if layer.bias is not None:
            bias = np.zeros(groups * m, graph.dtype)
            bias[place] = graph.bias(layer)
        weights = fitted(f"{layer.name}: weights", layer.weights, graph.dtype)
        made = graph.product(layer.name, gathered, form.blocks(weights, graph.dtype), bias)
        return Tensor(made, place, groups * m)
