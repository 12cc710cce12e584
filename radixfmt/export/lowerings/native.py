"""`native`: our own operators, compiled where they are installed, standard ones elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.graph import BATCH_MAJOR, Tensor
from radixfmt.export.lowerings import Estimate, Setting, lowering
from radixfmt.native.choice import cost, cost_alone, form
from radixfmt.native.nodes import linear
from radixfmt.native.packed import LARGEST, pack

if TYPE_CHECKING:
    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern
    from radixfmt.model.tiling import Tiling


@lowering("native", compiled=True)
class Native:
    """`SparseLinear` or `BlockLinear`; `fused` makes stacks of several layers."""

    layouts = frozenset({BATCH_MAJOR})

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate | None:
        """Return the cost in the faster form; None for other types than float32."""
        n_in, n_out = pattern.shape
        if 0 in (n_in, n_out) or max(n_in, n_out, pattern.nnz) > LARGEST:
            return None
        if setting.itemsize != np.dtype(np.float32).itemsize:
            return None
        found = form(pattern)
        work = cost(pattern, found), cost_alone(pattern, found)
        cells = pattern.nnz if found is None else found.outputs.size * found.size[2]
        indices = cells if found is None else found.inputs.size
        size = 4 * (cells + indices)

        def seconds(batch: int) -> float:
            return setting.costs.native(work, size, batch)

        return Estimate(seconds(setting.batch), size, _why(pattern, found), found, seconds)

    def emit(self, graph: GraphBuilder, layer: Layer, form: Tiling | None, x: Tensor) -> Tensor:
        """Add one node."""
        packed, made = pack(layer, form), graph.unique(f"{layer.name}/linear")
        graph.call(linear(packed, x.name, made, layer.name, allow_dense=True), [packed])
        return Tensor(made)


def _why(pattern: Pattern, found: Tiling | None) -> str:
    """Return what the kernels do, for a person."""
    if found is None:
        return f"compiled: {100 * pattern.density:.3g} % of the weights, each read alone"
    groups, m, k = found.size
    return f"compiled: {groups} groups of {m} outputs share {k} inputs"
