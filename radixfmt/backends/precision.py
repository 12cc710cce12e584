"""Coarser arithmetic for GPUs: TF32 products, and models that compute in 16-bit floats.

None of it has run on a GPU yet; on a CPU the 16-bit models are checked with onnxruntime (float16)
and ONNX's reference (bfloat16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.export.accepts import fitted

if TYPE_CHECKING:
    import onnx

FLOAT32, TF32 = "float32", "tf32"

PRECISIONS = (FLOAT32, TF32, "float16", "bfloat16")
"""True float32; its products from inputs of 10 mantissa bits; everything in 16 bits."""

TOLERANCES = {FLOAT32: 1e-5, TF32: 1e-2, "float16": 2e-2, "bfloat16": 1e-1}
"""Largest `max_rel` from the float64 reference that rounding explains in a deep network."""

OWN_TYPES = frozenset({"Cast", "CastLike", "Constant", "ConstantOfShape", "EyeLike"})
"""Operators that make elements of a type of their own."""


def check_precision(precision: str, kind: str) -> None:
    """Refuse an unknown precision, or one that the device does not have.

    Raises:
        ParameterError: see above.
    """
    if precision not in PRECISIONS:
        raise ParameterError(
            f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}"
        )
    if precision != FLOAT32 and kind != "cuda":
        raise ParameterError(
            f"precision {precision}: this is for device cuda, here it is {kind}",
            hint="--device cuda or, for export, --target cuda; a CPU computes in float32 fastest",
        )


def narrowed(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Return a model that computes in 16-bit floats; its inputs and outputs stay float32.

    Args:
        model: changed in place where something has to be.
        precision: of float32 and tf32 the model is returned as it is.

    Raises:
        UnsupportedError: weights that become infinite or lie in other files, or operators that
            make elements of a type of their own.
    """
    from onnx import TensorProto, helper, numpy_helper

    if precision in (FLOAT32, TF32):
        return model
    kind = TensorProto.FLOAT16 if precision == "float16" else TensorProto.BFLOAT16
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    graph = model.graph
    own = sorted({node.op_type for node in graph.node if node.domain or node.op_type in OWN_TYPES})
    if own or graph.sparse_initializer:
        raise UnsupportedError(
            f"precision {precision}: a model of "
            f"{', '.join(own) or 'sparse initializers'} cannot be narrowed",
            hint="use --precision float32 or tf32",
        )
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise UnsupportedError(
                f"precision {precision}: weight {tensor.name!r} lies in another file",
                hint="use --precision float32 or tf32",
            )
        if tensor.data_type == TensorProto.FLOAT:
            values = fitted(tensor.name, numpy_helper.to_array(tensor), dtype)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    floats = [
        {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
        for values in (graph.input, graph.output)
    ]
    inner = {name: f"{name}/{precision}" for name in set().union(*floats)}
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = inner.get(name, name)
    nodes = [helper.make_node("Cast", [name], [inner[name]], to=kind) for name in sorted(floats[0])]
    nodes += graph.node
    nodes += [
        helper.make_node("Cast", [inner[name]], [name], to=TensorProto.FLOAT)
        for name in sorted(floats[1])
    ]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return model
