"""The float64 reference of any graph: layers by scipy, other nodes by ONNX's own reference."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends import activations
from radixfmt.backends.layer_products import TooLargeError, apply, check_size
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.export.accepts import check_graph, check_weights, element_type, native
from radixfmt.export.nodes import BFLOAT16, DOUBLE, FLOAT, FLOAT16, IR_VERSION, OPSET, node_proto
from radixfmt.export.shapes import SMALL, inferred
from radixfmt.model.graph import ACTIVATIONS, topological_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.graph import Node, Value
    from radixfmt.model.network import Network

RANDOM = frozenset({
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",
})  # fmt: skip
"""Operators without one right answer."""

AS_DOUBLE = {FLOAT: DOUBLE, FLOAT16: DOUBLE, BFLOAT16: DOUBLE}
"""Elements that nodes make, by ONNX's numbers: the reference knows one float type."""

SLOW = frozenset({
    "AveragePool", "Col2Im", "ConvTranspose", "DeformConv", "GridSample", "LpPool", "MaxPool",
    "MaxRoiPool", "MaxUnpool", "Resize", "RoiAlign",
})  # fmt: skip
"""Operators whose reference is a loop in Python: about 2^12 times a multiplication per element."""

LARGEST_WORK = 2**32
"""Multiplications, or as long as they take: about 20 seconds."""


def evaluate(network: Network, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return a network's outputs by name, floats in float64; one layer is in memory at a time.

    Args:
        network: with weights, any graph.
        inputs: an array for each input, by name.

    Raises:
        InputError: arrays of other names or shapes.
        TooLargeError: more than can be done in some seconds, or too large a tensor.
        UnsupportedError: no weights, random operators, or what onnx's reference cannot do.
    """
    check_graph(network)
    made: dict[str, Any] = {"": None} | _checked(network, inputs)
    nodes = [network.graph[i] for i in topological_order(network.graph) or ()]
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update([*(value.name for value in network.outputs), ""])
    work = 0.0
    for i, node in enumerate(nodes):
        for name in node.inputs:
            if name not in made:
                made[name] = _double(native(network.tensors[name]))
        given = {name: made[name] for name in node.inputs}
        work += _work(i, node, given, network)
        if work > LARGEST_WORK:
            raise TooLargeError(
                f"node {i}: {node.op}: the float64 reference would take minutes from here on"
            )
        made.update(zip(node.outputs, _outputs(i, node, given, network), strict=False))
        uses.subtract(node.inputs)
        for name in given:
            if uses[name] <= 0:
                del made[name]
    for value in network.outputs:
        if value.name not in made:  # a dense tensor
            made[value.name] = _double(native(network.tensors[value.name]))
    return {value.name: made[value.name] for value in network.outputs}


def _checked(network: Network, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs as the reference takes them."""
    names = [value.name for value in network.inputs]
    if inputs.keys() != set(names):
        raise InputError(f"inputs: expected {names}, got {list(inputs)}")
    return {value.name: _array(value, inputs[value.name]) for value in network.inputs}


def _array(value: Value, given: Any) -> NDArray[Any]:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{value.name}: expected numbers, got dtype {array.dtype}")
    fits = array.ndim == len(value.shape) and all(
        isinstance(size, str) or size == found
        for size, found in zip(value.shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"{value.name}: expected shape {list(value.shape)}, got {list(array.shape)}"
        )
    kind = element_type(value.name, value.dtype)
    return array.astype(np.float64 if kind.kind == "f" else kind)


def _double(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _outputs(i: int, node: Node, given: Mapping[str, Any], network: Network) -> Sequence[Any]:
    """Return what a node makes."""
    x = given[node.inputs[0]] if node.inputs else None
    if node.layer is not None:
        layer = network.layers[node.layer]
        check_weights(layer)
        return [apply(layer, np.asarray(x, np.float64))]
    if node.op in ACTIVATIONS and isinstance(x, np.ndarray) and x.dtype == np.float64:
        return [activations.apply(node, x.copy(), {})]  # onnx's reference lacks some of them
    if node.op in RANDOM or (node.op == "Dropout" and np.any(given.get((*node.inputs, "", "")[2]))):
        raise UnsupportedError(f"node {i}: {node.op} is random, so there is nothing to compare")
    return _onnx(i, node, given)


def _onnx(i: int, node: Node, given: Mapping[str, Any]) -> Sequence[Any]:
    """Return what ONNX's reference makes of one node."""
    import onnx
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    types = _types(given)
    named = [name for name in node.outputs if name]
    graph = helper.make_graph(
        [node_proto(i, node, node.inputs, node.outputs, AS_DOUBLE)],
        "node",
        [onnx.ValueInfoProto(name=name, type=types.get(name)) for name in given if name],
        [onnx.ValueInfoProto(name=name) for name in named],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[opset])
    feeds = {name: array for name, array in given.items() if name}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = dict(zip(named, ReferenceEvaluator(model).run(None, feeds), strict=True))
    except Exception as error:  # its operators raise whatever numpy does, and more
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UnsupportedError(f"node {i}: {node.op}: onnx's reference fails: {problem}") from error
    # what nodes make of nothing, such as constants, is float32
    return [_double(y) if isinstance(y := found.get(n), np.ndarray) else y for n in node.outputs]


def _types(given: Mapping[str, Any], double: int = DOUBLE) -> dict[str, onnx.TypeProto]:
    """Return the types of arrays; of sequences and what is left out there are none.

    Args:
        given: arrays and others, by name.
        double: what stands for float64; shapes are inferred as of float32, for all
            operators take that.
    """
    from onnx import helper

    found = {}
    for name, array in given.items():
        if isinstance(array, np.ndarray):
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            shape = list(array.shape)
            found[name] = helper.make_tensor_type_proto(double if kind == DOUBLE else kind, shape)
    return found


def _work(i: int, node: Node, given: Mapping[str, Any], network: Network) -> float:
    """Return about how many multiplications a node takes, after a look at what it will make.

    Raises:
        TooLargeError: what it will make.
    """
    x = given[node.inputs[0]] if node.inputs else None
    size = x.size if isinstance(x, np.ndarray) else 0
    if node.layer is not None:
        cells, places = network.headers[node.layer][1][0], size
        geometry = network.geometries.get(node.layer)
        if geometry is not None:  # one place may see every input anew
            return float(places * np.prod(geometry.kernel_shape) * cells)
        return float(size / max(cells, 1) * network.layers[node.layer].pattern.nnz)
    known = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in given.items()
        if isinstance(array, np.ndarray) and array.size <= SMALL
    }
    proto = node_proto(i, node, node.inputs, node.outputs)
    elements = 0
    for kind in inferred(proto, _types(given, FLOAT), known).values():
        shape = [dim.dim_value for dim in kind.tensor_type.shape.dim]
        check_size(f"node {i}: {node.op}", shape)
        elements += int(np.prod(shape))
    if node.op == "Conv":
        weight = given[node.inputs[1]]
        return float(elements * weight.size / max(weight.shape[0], 1))
    return max(elements, size) * (2.0**12 if node.op in SLOW else 16.0)
