"""Good models with native operators, and what may be changed in them: for fuzz_native.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
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
TYPES = (
    *("int8", "uint8", "int32", "int64", "float16", "float32", "float64", "bool"),
    ml_dtypes.bfloat16,
)
FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e-45, 3e38, -1.0)
"""Numbers in place of others: bounds of types and of what kernels take, and beyond them."""

BATCHES = (0, 1, 2, 4, 5, 16, 20, 33, 64, 70)
NOTHING = 2**46
"""Samples without a number in them: what is made of so many cannot be had."""

WEIGHTS = (np.float32, np.float32, np.float16, ml_dtypes.bfloat16, np.int8)
"""Types of a good model's weights, all of its layers alike."""


def base(rng: np.random.Generator) -> onnx.ModelProto:
    """Return a good model of a convolution, or of one to three layers.

    One in five of the latter has layers without neurons.
    """
    if not rng.integers(4):
        return base_convolution(rng)
    count = int(rng.integers(1, 4))
    widths = rng.integers(1, 40, count + 1)
    if not rng.integers(5):
        widths[rng.integers(count + 1)] = 0
    widths = widths.tolist()
    dtype = WEIGHTS[rng.integers(len(WEIGHTS))]
    parts = []
    for i in range(count):
        mask = rng.random((widths[i], widths[i + 1])) < rng.choice([0.1, 0.3])
        if rng.integers(2):
            mask = np.repeat(mask, 4, axis=1)[:, : widths[i + 1]]
        rows = np.nonzero(mask.T)[1]
        indptr = np.concatenate([[0], np.cumsum(mask.sum(0))])
        pattern = rx.Pattern.explicit(mask.shape, indptr, rows)
        weights: Any = (rng.normal(size=pattern.nnz) * 3).astype(dtype)
        if dtype == np.int8:
            weights = rx.Quantized(weights, np.full(1, 0.1, np.float32), np.zeros(1, np.int8))
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


def lie(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Let a constant say a size that it does not have; numpy may not read it any more."""
    constant = _constant(model, rng)
    if constant.dims and rng.integers(4):
        constant.dims[rng.integers(len(constant.dims))] = int(rng.choice(SPECIAL))
    else:
        constant.raw_data = constant.raw_data[: rng.integers(len(constant.raw_data) + 1)]


def samples(model: onnx.ModelProto, rng: np.random.Generator) -> NDArray[Any]:
    """Return samples of the type and shape that the model declares, or of one left open."""
    tensor = model.graph.input[0].type.tensor_type
    shape = [int(rng.choice(BATCHES))]
    for dim in tensor.shape.dim[1:]:
        known = dim.HasField("dim_value")
        shape.append(min(dim.dim_value, 1 << 16) if known else int(rng.integers(40)))
    if not tensor.shape.dim:
        shape = shape[: rng.integers(2)]
    if len(shape) == 2 and shape[1] == 0 and rng.integers(2):
        shape[0] = NOTHING
    x = rng.normal(size=shape)
    if x.size and not rng.integers(3):
        x.flat[rng.integers(x.size)] = rng.choice(FLOATS)
    return x.astype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))


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


def _order(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Repeat, exchange or reverse elements, so that places overlap and pointers descend."""
    constant = _constant(model, rng)
    array = numpy_helper.to_array(constant).copy()
    if not array.size:
        return
    one, other = rng.integers(array.size, size=2)
    change = rng.integers(3)
    if change == 0:
        array.flat[one] = array.flat[other]
    elif change == 1:
        array.flat[[one, other]] = array.flat[[other, one]]
    else:
        array = array[::-1] if array.ndim else array
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
    change = rng.integers(6)
    if change == 0:
        node.input[one], node.input[other] = node.input[other], node.input[one]
    elif change == 1:
        node.input[one] = node.input[other]
    elif change == 2:
        node.input[one] = node.input[0]
    elif change == 3:
        node.input[one] = ""
    elif change == 4:
        node.input.append(node.input[other])
    else:
        del node.input[max(1, one) :]


def _fed(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Make an input of a constant: fuzz_native.py feeds it what the constant holds."""
    constant = _constant(model, rng)
    known = {i.name for i in model.graph.input}
    if constant.name not in known:
        shape = [None] * len(constant.dims) if rng.integers(2) else list(constant.dims)
        fed = helper.make_tensor_value_info(constant.name, constant.data_type, shape)
        model.graph.input.append(fed)


def _behind(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Put a node that onnxruntime folds between a constant and its reader."""
    constant, name = _constant(model, rng), f"folded{len(model.graph.node)}"
    for node in model.graph.node:
        for i, read in enumerate(node.input):
            if read == constant.name:
                node.input[i] = name
    model.graph.node.insert(0, helper.make_node("Identity", [constant.name], [name]))


def _x(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Let the samples have another type, or another rank."""
    tensor = model.graph.input[0].type.tensor_type
    change = rng.integers(4)
    if change == 0:
        tensor.elem_type = int(rng.choice([6, 10, 11, 16]))
    elif change == 1:
        tensor.shape.dim.add().dim_value = int(rng.integers(4))
    elif change == 2:
        del tensor.shape.dim[rng.integers(2) :]
    else:
        tensor.ClearField("shape")


def _width(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    shape = model.graph.input[0].type.tensor_type.shape
    if len(shape.dim) > 1:
        shape.dim[1].dim_value = abs(int(rng.choice(SPECIAL[3:18])))


MUTATIONS = (
    _element, _element, _element, _order, _shape, _type, _attribute, _attribute_form,
    _inputs, _fed, _behind, _x, _width,
)  # fmt: skip
