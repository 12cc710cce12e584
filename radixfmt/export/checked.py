"""ONNX's own checker, asked before anyone else is."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from radixfmt.errors import UnsupportedError
from radixfmt.export.weights import without_weights

if TYPE_CHECKING:
    import onnx

SMALL = 1024
"""Elements of a constant whose values may say what a shape is."""


def check(model: onnx.ModelProto) -> None:
    """Check nodes, names, types and shapes.

    Weights are declared as inputs in place of constants: the checker would copy them twice, takes
    no more than 2 GB of them, and holds the shape of a sparse one for unknown.

    Raises:
        UnsupportedError: ONNX's checker refuses the model.
    """
    from onnx import checker, helper, shape_inference

    bare = without_weights(model)
    for tensor in model.graph.initializer:
        if prod(tensor.dims) <= SMALL:
            bare.graph.initializer.append(tensor)
        else:
            bare.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    for sparse in model.graph.sparse_initializer:
        bare.graph.input.append(
            helper.make_tensor_value_info(sparse.values.name, sparse.values.data_type, sparse.dims)
        )
    try:
        checker.check_model(bare, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise UnsupportedError(
            f"ONNX's checker refuses the model: {problem[:500]}",
            hint="it names the node; if that is a layer's, this is a defect of radixfmt: report it",
        ) from error
