"""`dense`: the whole matrix, zeros included."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.export.accepts import fitted
from radixfmt.export.graph import FEATURE_MAJOR, Tensor
from radixfmt.export.lowerings import Estimate, Setting, lowering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern


@lowering("dense", auto=True)
class Dense:
    """Gemm on [B, n]; a pointwise Conv or a MatMul on [n, B]."""

    layouts = frozenset({"batch-major", FEATURE_MAJOR})

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate:
        """Return the cost of n_in · n_out multiplications per row."""
        n_in, n_out = pattern.shape
        by_conv = setting.target == "cpu" and setting.itemsize == np.dtype(np.float32).itemsize
        return Estimate(
            setting.costs.dense(n_in, n_out, setting.batch),
            n_in * n_out * setting.itemsize,
            f"{100 * pattern.density:.3g} % of the weights are edges",
            turned=partial(setting.costs.dense_turned, n_in, n_out) if by_conv else None,
        )

    def emit(self, graph: GraphBuilder, layer: Layer, form: Any, x: Tensor) -> Tensor:  # noqa: ARG002
        """Add one product; the order of feature-major inputs is folded into the weights."""
        n_out = layer.pattern.shape[1]
        name = layer.name
        if x.place is None:
            inputs = [x.name, graph.constant(f"{name}/weight", matrix(layer, graph.dtype))]
            if layer.bias is not None:
                inputs.append(graph.constant(f"{name}/bias", graph.bias(layer)))
            return Tensor(graph.add("Gemm", inputs, f"{name}/gemm"))
        weight = np.zeros((n_out, x.size), graph.dtype)
        weight[:, x.place] = matrix(layer, graph.dtype).T
        bias = None if layer.bias is None else graph.bias(layer)
        made = graph.product(name, x.name, weight, bias)
        return Tensor(made, np.arange(n_out), n_out)


def matrix(layer: Layer, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return W as a dense `[n_in, n_out]` array of `dtype`."""
    dense = np.zeros(layer.pattern.shape, dtype)
    for start, stop, (columns, weights) in layer.blocks():
        outputs = np.repeat(np.arange(start, stop), np.diff(columns.indptr))
        assert weights is not None  # noqa: S101  the exporter has checked
        dense[columns.indices, outputs] = fitted(f"{layer.name}: weights", weights, dense.dtype)
    return dense
