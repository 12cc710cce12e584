"""The native operators' definitions in standard operators, which models carry with them.

A runtime without the compiled kernels runs these. They are written in ONNX's own text form, as the
specification (spec/operators) shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import UnsupportedError
from radixfmt.native import DOMAIN, OPSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from radixfmt.native.packed import Packed

LARGEST_BODY = 2**30
"""Bytes that definitions may make of a model's weights when it is loaded without the kernels."""

ROWS = """
    edges{i} = Shape (inputs{i})
    more{i} = Add (edges{i}, one)
    pointers64{i} = Cast <to = 7> (pointers{i})
    ends{i} = Slice (pointers64{i}, one, last)
    count{i} = Shape (ends{i})
    ones{i} = ConstantOfShape <value = int64[1] {{1}}> (count{i})
    zeros{i} = ConstantOfShape <value = int64[1] {{0}}> (more{i})
    marks{i} = ScatterElements <axis = 0, reduction = "add"> (zeros{i}, ends{i}, ones{i})
    sums{i} = CumSum (marks{i}, axis)
    outputs{i} = Slice (sums{i}, zero, edges{i})
    firsts{i} = Mul (outputs{i}, n_in{i})
    columns{i} = Cast <to = 7> (inputs{i})
    cells{i} = Add (firsts{i}, columns{i})
    n_out{i} = Shape (bias{i})
    shape{i} = Concat <axis = 0> (n_out{i}, n_in{i})
    size{i} = Mul (n_out{i}, n_in{i})
    empty{i} = ConstantOfShape <value = float[1] {{0}}> (size{i})
    values{i} = Cast <to = 1> (weights{i})
    filled{i} = ScatterElements <axis = 0> (empty{i}, cells{i}, values{i})
    matrix{i} = Reshape <allowzero = 1> (filled{i}, shape{i})
"""
"""The matrix `[n_out, n_in]` of a layer of rows; an output's edges are marked where they end."""

BLOCKS = """
    read{i} = Gather <axis = 0> (x{i}, inputs{i})
    values{i} = Cast <to = 1> (weights{i})
    tiles{i} = MatMul (values{i}, read{i})
    all{i} = Flatten <axis = 2> (tiles{i})
    product{i} = Gather <axis = 0> (all{i}, place{i})
"""
"""The product of a layer of blocks with features `x`, `[n_in, B]`: `[n_out, B]`."""

CONSTANTS = """
    zero = Constant <value_ints = [0]> ()
    one = Constant <value_ints = [1]> ()
    last = Constant <value_ints = [-1]> ()
    axis = Constant <value = int64 {0}> ()
"""

BOUNDS = """
    low = Constant <value_float: float = @min> ()
    high = Constant <value_float: float = @max> ()
    Y = Clip (sum, low, high)
"""

LINEAR_ENDS = """
    scaled = Mul (product, scale)
    sum = Add (scaled, bias)
""" + BOUNDS.lstrip("\n")

LINEARS = {
    "SparseLinear": (
        "X, weights, inputs, pointers, bias, scale",
        CONSTANTS
        + "    wide = Constant <value_int: int = @n_in> ()\n    n_in = Reshape (wide, one)"
        + ROWS.format(i="")
        + "    turned = Transpose <perm = [1, 0]> (matrix)\n    product = MatMul (X, turned)"
        + LINEAR_ENDS,
    ),
    "BlockLinear": (
        "X, weights, inputs, place, bias, scale",
        "    x = Transpose <perm = [1, 0]> (X)"
        + BLOCKS.format(i="").replace("product =", "made =")
        + "    product = Transpose <perm = [1, 0]> (made)"
        + LINEAR_ENDS,
    ),
}

CONVOLUTION = (
    CONSTANTS
    + """
    channels = Constant <value_int: int = @n_in> ()
    groups = Constant <value_int: int = @group> ()
    each = Div (channels, groups)
    width = Reshape (each, one)
    kernel = Constant <value_ints: ints = @kernel_shape> ()
    taps = ReduceProd (kernel)
    n_in = Mul (width, taps)
"""
    + ROWS.format(i="")
    + """
    column = Constant <value_ints = [-1, 1]> ()
    factors = Reshape (scale, column)
    scaled = Mul (matrix, factors)
    whole = Concat <axis = 0> (n_out, width, kernel)
    filters = Reshape <allowzero = 1> (scaled, whole)
    sum = Conv <kernel_shape: ints = @kernel_shape, strides: ints = @strides, pads: ints = @pads,
                dilations: ints = @dilations, group: int = @group> (X, filters, bias)
"""
    + BOUNDS
)


def linear_function(name: str) -> onnx.FunctionProto:
    """Return the definition of "SparseLinear" or "BlockLinear", the same in every model."""
    inputs, body = LINEARS[name]
    return _function(name, "n_in, min, max", inputs, body)


def convolution_function() -> onnx.FunctionProto:
    """Return the definition of "SparseConv", the same in every model."""
    attributes = "n_in, kernel_shape, strides, pads, dilations, group, min, max"
    inputs = "X, weights, inputs, pointers, bias, scale"
    return _function("SparseConv", attributes, inputs, CONVOLUTION)


def stack_function(layers: Sequence[Packed]) -> onnx.FunctionProto:
    """Return the definition of "SparseStack" for these layers, and no others."""
    body = [
        CONSTANTS,
        "    all_weights = Cast <to = 1> (weights)\n    x0 = Transpose <perm = [1, 0]> (X)\n",
    ]
    weight = index = neuron = 0
    for i, layer in enumerate(layers):
        outputs, inputs = layer.outputs.size, layer.inputs.size
        kind = "pointers" if layer.form == "rows" else "place"
        sizes = [outputs, inputs, layer.weights.size, layer.n_out]
        body.append(_sliced(f"{kind}{i}", "indices", index, outputs, None))
        shape = list(layer.inputs.shape)
        body.append(_sliced(f"inputs{i}", "indices", index + outputs, inputs, shape))
        body.append(
            _sliced(f"weights{i}", "all_weights", weight, sizes[2], list(layer.weights.shape))
        )
        body.append(_sliced(f"bias{i}", "bias", neuron, layer.n_out, None))
        body.append(_sliced(f"scale{i}", "scale", neuron, layer.n_out, None))
        if layer.form == "rows":
            body.append(f"    n_in{i} = Constant <value_ints = [{layer.n_in}]> ()")
            body.append(ROWS.format(i=i) + f"    product{i} = MatMul (matrix{i}, x{i})\n")
        else:
            body.append(BLOCKS.format(i=i))
        body.append(_ends(i, layer))
        weight, index = weight + sizes[2], index + outputs + inputs
        neuron += layer.n_out
    body.append(f"    Y = Transpose <perm = [1, 0]> (x{len(layers)})\n")
    text = "".join(body)
    return _function(
        "SparseStack", "n_in, layers, min, max", "X, weights, indices, bias, scale", text
    )


def check_body(layers: Sequence[Packed]) -> None:
    """Refuse definitions that fill the memory of whoever loads the model without the kernels.

    Raises:
        UnsupportedError: the layers' matrices would take more than `LARGEST_BODY` bytes.
    """
    total = sum(layer.body_bytes for layer in layers)
    if total > LARGEST_BODY:
        raise UnsupportedError(
            f"without the compiled operators these layers would take {total} bytes as dense "
            f"matrices; at most {LARGEST_BODY} are put into a model",
            hint="use another lowering for them",
        )


def _sliced(name: str, packed: str, start: int, size: int, shape: list[int] | None) -> str:
    """Return the lines that cut a layer's array out of a packed one."""
    flat = f"{name}_flat" if shape else name
    lines = (
        f"    {name}_from = Constant <value_ints = [{start}]> ()\n"
        f"    {name}_to = Constant <value_ints = [{start + size}]> ()\n"
        f"    {flat} = Slice ({packed}, {name}_from, {name}_to)\n"
    )
    if shape:
        lines += (
            f"    {name}_shape = Constant <value_ints = {shape}> ()\n"
            f"    {name} = Reshape <allowzero = 1> ({flat}, {name}_shape)\n"
        )
    return lines


def _ends(i: int, layer: Packed) -> str:
    """Return the lines from a layer's product to its result."""
    lines = (
        f"    scales{i} = Unsqueeze (scale{i}, one)\n"
        f"    scaled{i} = Mul (product{i}, scales{i})\n"
        f"    biases{i} = Unsqueeze (bias{i}, one)\n"
    )
    bounds = []
    for name, value in (("low", layer.low), ("high", layer.high)):
        if abs(value) == float("inf"):
            bounds.append("")
            continue
        lines += f"    {name}{i} = Constant <value = float {{{float(value)!r}}}> ()\n"
        bounds.append(f"{name}{i}")
    if not any(bounds):
        return lines + f"    x{i + 1} = Add (scaled{i}, biases{i})\n"
    rest = ", ".join(bounds).rstrip(", ")
    return (
        lines
        + f"    sum{i} = Add (scaled{i}, biases{i})\n"
        + f"    x{i + 1} = Clip (sum{i}, {rest})\n"
    )


def _function(name: str, attributes: str, inputs: str, body: str) -> onnx.FunctionProto:
    from onnx import parser

    return parser.parse_function(
        f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}]>\n'
        f"{name} <{attributes}> ({inputs}) => (Y)\n{{\n{body}}}"
    )
