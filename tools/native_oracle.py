"""What the arrays of a model with native operators say, as numpy reads them: for fuzz_native.py."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from native_mutant_convolutions import convolved
from onnx import helper, numpy_helper  # noqa: TID253  models are read with it

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray


def constants_read(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Return the constants that nodes read; the others may say of themselves what they like."""
    read = {name for node in model.graph.node for name in node.input}
    return {c.name: numpy_helper.to_array(c) for c in model.graph.initializer if c.name in read}


def oracle(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the model's arrays say, in float64; index errors are raised."""
    constants = constants_read(model)
    values: dict[str, NDArray[np.float64]] = {"x": x.astype(np.float64)}
    for node in model.graph.node:
        if node.op_type == "Identity":
            constants[node.output[0]] = constants[node.input[0]]
            continue
        arrays = [constants[name].astype(np.float64) for name in node.input[1:]]
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        y = values[node.input[0]]
        if node.op_type == "SparseStack":
            y = _stack(y, arrays, given)
        elif node.op_type == "SparseConv":
            y = convolved(y, arrays, given)
        else:
            y = _layer(y, node.op_type == "BlockLinear", *arrays, given["min"], given["max"])
        values[node.output[0]] = y
    return values["y"]


def _stack(
    y: NDArray[np.float64], arrays: list[NDArray[np.float64]], given: dict[str, Any]
) -> NDArray[np.float64]:
    pieces = [iter(array) for array in arrays]

    def take(i: int, *shape: int) -> NDArray[np.float64]:
        return np.array(list(islice(pieces[i], int(np.prod(shape))))).reshape(shape)

    for form, n_out, a, b, c, low, high in zip(
        *np.reshape(given["layers"], (-1, 5)).T, given["min"], given["max"], strict=True
    ):
        outputs = take(1, n_out if form else n_out + 1)
        inputs = take(1, a, c) if form else take(1, a)
        weights = take(0, a, b, c) if form else take(0, a)
        y = _layer(y, form, weights, inputs, outputs, take(2, n_out), take(3, n_out), low, high)
    return y


def _layer(
    x: NDArray[np.float64],
    blocks: Any,
    weights: NDArray[np.float64],
    inputs: NDArray[np.float64],
    outputs: NDArray[np.float64],
    bias: NDArray[np.float64],
    scale: NDArray[np.float64],
    low: float,
    high: float,
) -> NDArray[np.float64]:
    inputs, outputs = inputs.astype(np.int64), outputs.astype(np.int64)
    if (inputs < 0).any() or (outputs < 0).any():
        raise IndexError
    with np.errstate(all="ignore"):
        if blocks:
            made = np.einsum("gmk,bgk->bgm", weights, x[:, inputs])
            y = made.reshape(x.shape[0], weights.shape[0] * weights.shape[1])[:, outputs]
        else:
            y = np.zeros((x.shape[0], bias.size))
            for o, (start, stop) in enumerate(pairwise(outputs)):
                y[:, o] = x[:, inputs[start:stop]] @ weights[start:stop]
        return np.clip(y * scale + bias, np.float64(low), np.float64(high))
