"""`sparse_initializer`: the whole matrix at run time, but only its edges in the file.

Standard ONNX, and the smallest file. onnxruntime makes the matrix dense when it loads the model,
so it runs as `dense` does. Others are less able: `check_model` accepts such models, but not with
`full_check=True`, since shape inference takes a sparse initializer for another type than a tensor;
`onnx.reference` and OpenVINO do not read them.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.export.accepts import fitted
from radixfmt.export.lowerings import Estimate, Setting, lowering

if TYPE_CHECKING:
    from radixfmt.export.graph import GraphBuilder, Tensor
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern


@lowering("sparse_initializer")
class SparseInitializer:
    """Gemm with the transposed matrix in coordinates, [B, n] → [B, m]."""

    layouts = frozenset({"batch-major"})

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate | None:
        """Return the cost of `dense`; None where a side has no neurons."""
        if 0 in pattern.shape:
            return None
        stored = pattern.nnz * (setting.itemsize + np.dtype(np.int64).itemsize)
        expanded = prod(pattern.shape) * setting.itemsize
        return Estimate(
            setting.costs.dense(*pattern.shape, setting.batch),
            stored,
            f"{stored} bytes in the file, {expanded} as the dense matrix that onnxruntime makes "
            "of them; check_model's full_check, onnx.reference and OpenVINO know no such weights",
        )

    def emit(self, graph: GraphBuilder, layer: Layer, form: Any, x: Tensor) -> Tensor:  # noqa: ARG002
        """Add one Gemm; grouped by output, a pattern's edges ascend in Wᵀ as ONNX asks."""
        n_in, n_out = layer.pattern.shape
        pattern, name = layer.pattern, layer.name
        outputs = np.repeat(np.arange(n_out, dtype=np.int64), pattern.fan_in())
        assert layer.weights is not None  # noqa: S101  the exporter has checked
        weights = fitted(f"{name}: weights", layer.weights, graph.dtype)
        weight = graph.sparse_constant(
            f"{name}/weight",
            (n_out, n_in),
            outputs * n_in + pattern.indices,
            np.broadcast_to(weights, (pattern.nnz,)),
        )
        inputs = [x.name, weight]
        if layer.bias is not None:
            inputs.append(graph.constant(f"{name}/bias", graph.bias(layer)))
        return x._replace(name=graph.add("Gemm", inputs, f"{name}/gemm", transB=1))
