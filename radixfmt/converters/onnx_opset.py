"""A model's graph at opset 21, functions written out, its weights left aside.

`onnx` checks, inlines and converts a skeleton: the graph with its weights as inputs. So it sees
no sparse initializer, which its converter drops, and none of the bytes it would copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.converters.onnx_policy import STANDARD, opset_of
from radixfmt.errors import InputError, RadixfmtError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import onnx
    from numpy.typing import NDArray

    from radixfmt.converters.onnx_tensors import Coordinates

    Constant = NDArray[np.generic] | Coordinates

OPSET = 21

SMALL = 1024
"""Elements of a constant that stays in the skeleton: axes, shapes and bounds are what adapters
and shape inference read."""

LEAST_IR_VERSION = 4
"""From here on a weight need not be a graph input as well."""

Shape = tuple[int | str | None, ...]


def skeleton(model: onnx.ModelProto, constants: Mapping[str, Constant]) -> onnx.ModelProto:
    """Return the model with its large constants as inputs; `model` loses its weights.

    Args:
        model: whose initializers have been read.
        constants: all of them, by name.
    """
    from onnx import helper, numpy_helper

    for field in ("metadata_props", "training_info"):
        model.ClearField(field)
    model.ir_version = max(model.ir_version, LEAST_IR_VERSION)
    graph = model.graph
    for field in ("initializer", "sparse_initializer", "value_info", "quantization_annotation"):
        graph.ClearField(field)
    for i in reversed(range(len(graph.input))):
        if graph.input[i].name in constants:
            del graph.input[i]
    for name, constant in constants.items():
        if isinstance(constant, np.ndarray) and constant.size <= SMALL:
            graph.initializer.append(numpy_helper.from_array(constant, name))
        else:
            element = helper.np_dtype_to_tensor_dtype(constant.dtype)
            graph.input.append(helper.make_tensor_value_info(name, element, constant.shape))
    return model


def at_opset_21(model: onnx.ModelProto, *, file: str) -> onnx.ModelProto:
    """Return a skeleton checked, with its functions written out, at opset 21.

    Raises:
        UnsupportedError: onnx cannot bring it there; the message has its reason.
        InputError: onnx's checker refuses it.
    """
    from onnx import checker, inliner, shape_inference, version_converter

    version = opset_of(model, file=file)
    _asked(lambda: checker.check_model(model), InputError, f"{file}: ONNX's checker refuses it")
    if model.functions:
        why = f"{file}: its functions cannot be written out"
        versions = {
            opset.version
            for function in model.functions
            for opset in function.opset_import
            if opset.domain in STANDARD
        }
        convert = not versions <= {version}
        typed = model
        if convert:  # onnx converts a function only where it knows the types around it
            typed = _asked(lambda: shape_inference.infer_shapes(model), UnsupportedError, why)
        model = _asked(
            lambda: inliner.inline_local_functions(typed, convert), UnsupportedError, why
        )
        if model.functions:
            left = model.functions[0]
            raise UnsupportedError(f"{why}: {left.domain}.{left.name} is left over")
    if version != OPSET:
        given = model
        model = _asked(
            lambda: version_converter.convert_version(given, OPSET),
            UnsupportedError,
            f"{file}: opset {version} cannot be brought to {OPSET}",
            hint=f"export the model with opset_version={OPSET}",
        )
    return model


def types_of(model: onnx.ModelProto, *, file: str) -> dict[str, onnx.TypeProto]:
    """Return the type of every tensor of a model at opset 21, after onnx has checked them all.

    Raises:
        InputError: shapes or types that do not fit, or a node that opset 21 does not have.
    """
    from onnx import checker, shape_inference

    why = f"{file}: ONNX's checker refuses it"
    _asked(lambda: checker.check_model(model), InputError, why)
    inferred = _asked(
        lambda: shape_inference.infer_shapes(model, check_type=True, strict_mode=True),
        InputError,
        f"{file}: shapes or types do not fit",
    )
    graph = inferred.graph
    return {v.name: v.type for v in (*graph.input, *graph.value_info, *graph.output)}


def shape_of(kind: onnx.TypeProto | None) -> Shape | None:
    """Return the sizes of a tensor type, None for an unknown rank; None for an unknown size."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    return tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or None
        for dim in kind.tensor_type.shape.dim
    )


def _asked(
    do: Callable[[], onnx.ModelProto],
    error: type[RadixfmtError],
    what: str,
    hint: str | None = None,
) -> onnx.ModelProto:
    """Return what a function of onnx returns; its errors, which share no base, as ours."""
    try:
        return do()
    except Exception as problem:  # noqa: BLE001  each part of onnx has its own
        text = " ".join(str(problem).split())
        raise error(f"{what}: {text[:500]}", hint=hint) from None
