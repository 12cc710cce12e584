"""Good models with native operators, and what may be changed in them: for fuzz_native.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx  # noqa: TID253  mutants are made with it
from native_mutant_convolutions import base_convolution
from onnx import helper, numpy_helper  # noqa: TID253

import radixfmt as rx
from radixfmt.model.tiling import tiling
from radixfmt.native.choice import blocks_cost
from radixfmt.native.nodes import linear, model_of, stack
from radixfmt.native.packed import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPECIAL = (
    -(2**63), -(2**31), -(2**31) - 1, -65, -2, -1, 0, 1, 2, 3, 5, 16, 63, 64, 65, 127, 128, 1000,
    0x7FFFFEFF, 0x7FFFFF00, 0x7FFFFF01, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**63 - 1,
)  # fmt: skip
TYPES = ("int8", "uint8", "int32", "int64", "float16", "float32", "float64", "bool")
FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e-45, 3e38, -1.0)
"""Numbers in place of others: bounds of types and of what kernels take, and beyond them."""


def base(rng: np.random.Generator) -> onnx.ModelProto:
    """Return a good model of one to three layers, or of a convolution."""
    if not rng.integers(4):
        return base_convolution(rng)
    count = int(rng.integers(1, 4))
    widths = rng.integers(1, 40, count + 1).tolist()
    kind = rng.integers(4)
    parts = []
    for i in range(count):
        mask = rng.random((widths[i], widths[i + 1])) < rng.choice([0.1, 0.3])
        if rng.integers(2):
            mask = np.repeat(mask, 4, axis=1)[:, : widths[i + 1]]
        rows = np.nonzero(mask.T)[1]
        indptr = np.concatenate([[0], np.cumsum(mask.sum(0))])
        pattern = rx.Pattern.explicit(mask.shape, indptr, rows)
        weights: Any = rng.normal(size=pattern.nnz).astype(np.float16 if kind == 1 else np.float32)
        if kind == 2:
            codes = rng.integers(-9, 9, pattern.nnz).astype(np.int8)
            weights = rx.Quantized(codes, np.full(1, 0.1, np.float32), np.zeros(1, np.int8))
        made = rx.Layer(f"layer{i}", pattern, weights)
        blocks = bool(rng.integers(2)) and pattern.nnz > 0
        parts.append(pack(made, tiling(pattern, blocks_cost) if blocks else None, low=-1.0))
    if rng.integers(2):
        return model_of([stack(parts, "x", "y", "stack")], widths[0], widths[-1])
    names = ["x", *(f"x{i}" for i in range(1, count)), "y"]
    nodes = [linear(part, names[i], names[i + 1], f"l{i}") for i, part in enumerate(parts)]
    return model_of(nodes, widths[0], widths[-1])


def mutate(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Change one thing of a model in place."""
    MUTATIONS[rng.integers(len(MUTATIONS))](model, rng)


def _constant(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.TensorProto:
    return model.graph.initializer[rng.integers(len(model.graph.initializer))]


def _node(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.NodeProto:
    return model.graph.node[rng.integers(len(model.graph.node))]


def _put(constant: onnx.TensorProto, array: NDArray[Any]) -> None:
    constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), constant.name))


def _element(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    constant = _constant(model, rng)
    array = numpy_helper.to_array(constant).copy()
    if not array.size:
        return
    place = rng.integers(array.size)
    if array.dtype.kind == "i":
        bounds = np.iinfo(array.dtype)
        near = int(array.flat[place]) + int(rng.integers(-2, 3))
        value = near if rng.integers(2) else int(rng.choice(SPECIAL))
        array.flat[place] = min(max(value, bounds.min), bounds.max)
    else:
        array.flat[place] = rng.choice(FLOATS)
    _put(constant, array)


def _shape(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    constant = _constant(model, rng)
    array = numpy_helper.to_array(constant)
    size = max(0, array.size + int(rng.integers(-2, 3)))
    shape: Any = [size, (1, size), (size, 1), (1, 1, size), ()][rng.integers(5)]
    _put(constant, np.resize(array, shape) if array.size else np.zeros(shape, array.dtype))


def _type(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    constant = _constant(model, rng)
    array = np.nan_to_num(numpy_helper.to_array(constant).astype(np.float64))
    with np.errstate(all="ignore"):
        _put(constant, array.astype(rng.choice(TYPES)))


def _attribute(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _node(model, rng)
    if not node.attribute:
        return
    attribute = node.attribute[rng.integers(len(node.attribute))]
    if attribute.ints:
        attribute.ints[rng.integers(len(attribute.ints))] = int(rng.choice(SPECIAL))
    elif attribute.floats:
        attribute.floats[rng.integers(len(attribute.floats))] = float(rng.choice(FLOATS))
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = int(rng.choice(SPECIAL))
    else:
        attribute.f = float(rng.choice(FLOATS))


def _attribute_form(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _node(model, rng)
    if not node.attribute:
        return
    attribute = node.attribute[rng.integers(len(node.attribute))]
    change = rng.integers(4)
    if change == 0:
        node.attribute.remove(attribute)
    elif change == 1 and attribute.ints:
        del attribute.ints[rng.integers(len(attribute.ints)) :]
    elif change == 2 and attribute.ints:
        attribute.ints.extend(attribute.ints[:5])
    else:
        attribute.CopyFrom(helper.make_attribute(attribute.name, "text"))


def _inputs(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = _node(model, rng)
    one, other = (int(i) % len(node.input) for i in rng.integers(1, 6, 2))
    change = rng.integers(4)
    if change == 0:
        node.input[one], node.input[other] = node.input[other], node.input[one]
    elif change == 1:
        node.input[one] = node.input[other]
    elif change == 2:
        node.input[one] = node.input[0]
    else:
        del node.input[max(1, one) :]


def _width(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    shape = model.graph.input[0].type.tensor_type.shape
    shape.dim[1].dim_value = abs(int(rng.choice(SPECIAL[3:18])))


MUTATIONS = (
    _element, _element, _element, _shape, _type, _attribute, _attribute_form, _inputs, _width,
)  # fmt: skip
