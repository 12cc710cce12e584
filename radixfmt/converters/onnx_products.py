"""Nodes of ONNX that apply a weight: which they are, and the edges of the weight."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.onnx_geometry import geometry_of
from radixfmt.converters.onnx_opset import shape_of
from radixfmt.converters.onnx_tensors import Coordinates
from radixfmt.errors import InputError
from radixfmt.model.dtypes import is_float
from radixfmt.model.entries import pattern_of
from radixfmt.model.graph import Node
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.converters.onnx_opset import Constant, Shape
    from radixfmt.model.layer import ConvGeometry

BLOCK = 1 << 22
"""Elements of a weight that are compared at a time."""


@dataclass(frozen=True, slots=True)
class Product:
    """A node that can become a layer.

    Attributes:
        weight: name of its weight.
        by_output: whether each row of the weight (its later axes as one) belongs to an output.
        bias: name of the constant that is added, or None.
        geometry: of a Conv.
    """

    weight: str
    by_output: bool
    bias: str | None = None
    geometry: ConvGeometry | None = None


def product_of(
    node: Node,
    constants: Mapping[str, Constant],
    turned: Mapping[str, str],
    given: Shape | None,
) -> Product | str | None:
    """Return how a node applies a constant weight.

    Args:
        node: with its attributes.
        constants: of the graph.
        turned: names of transposed constants, and of what they are transposed from.
        given: shape of the node's first input, as far as it is known.

    Returns:
        The product; why there can be none, for a Conv; or None for other nodes.
    """
    if node.op not in ("MatMul", "Gemm", "Conv") or len(node.inputs) < 2:
        return None
    name = turned.get(node.inputs[1], node.inputs[1])
    weight = constants.get(name)
    if weight is None or not is_float(weight.dtype):
        return None
    if node.op == "Conv":
        plain = name == node.inputs[1] and 3 <= len(weight.shape) <= 5
        return _convolution(node, constants, given) if plain else None
    if len(weight.shape) != 2:
        return None
    by_output = (name != node.inputs[1]) != bool(node.attributes.get("transB", 0))
    added = node.inputs[2] if len(node.inputs) > 2 else ""
    alone = node.attributes.get("alpha", 1.0) == node.attributes.get("beta", 1.0) == 1.0
    outputs = weight.shape[0 if by_output else 1]
    bias = added if alone and fits(constants.get(added), outputs, weight.dtype) else None
    return Product(name, by_output=by_output, bias=bias)


def _convolution(
    node: Node, constants: Mapping[str, Constant], given: Shape | None
) -> Product | str:
    name = node.inputs[1]
    weight = constants[name]
    added = node.inputs[2] if len(node.inputs) > 2 else ""
    if added and not fits(constants.get(added), weight.shape[0], weight.dtype):
        return f"its bias {added!r:.80} is no constant of one value for each output"
    geometry = geometry_of(node.attributes, weight.shape, given)
    if isinstance(geometry, str):
        return geometry
    return Product(name, by_output=True, bias=added or None, geometry=geometry)


def transposed(nodes: Sequence[Node], constants: Mapping[str, Constant]) -> dict[str, str]:
    """Return the names of constant matrices that nodes transpose, and of what they came from.

    Some exporters keep a linear layer's weight by output and transpose it in the graph.
    """
    return {
        node.outputs[0]: node.inputs[0]
        for node in nodes
        if node.op == "Transpose"
        and node.inputs[0] in constants
        and len(constants[node.inputs[0]].shape) == 2
        and node.attributes.get("perm", (1, 0)) == (1, 0)
    }


def weights_second(
    nodes: Sequence[Node],
    constants: Mapping[str, Constant],
    types: Mapping[str, onnx.TypeProto],
    sparse: Callable[[str], bool],
    unused: Callable[[str], str],
) -> list[Node]:
    """Return the nodes with y = W·x of a sparse W as yᵀ = xᵀ·Wᵀ, which is how layers apply it.

    Args:
        nodes: with their attributes.
        constants: of the graph.
        types: of its tensors.
        sparse: whether a constant of this name is to become a layer.
        unused: makes a name for a new tensor.
    """
    found = []
    for node in nodes:
        name, other = (*node.inputs, "", "")[:2]
        weight, given = constants.get(name), shape_of(types.get(other))
        applied = (
            node.op == "MatMul"
            and weight is not None
            and is_float(weight.dtype)
            and given is not None
            and len(weight.shape) == len(given) == 2
            and other not in constants
        )
        if not applied or not sparse(name):
            found.append(node)
        else:
            x, w, y = (unused(f"{n}_transposed") for n in (other, name, node.outputs[0]))
            turn = {"perm": (1, 0)}
            found += [
                Node("Transpose", (other,), (x,), turn),
                Node("Transpose", (name,), (w,), turn),
                Node("MatMul", (x, w), (y,)),
                Node("Transpose", (y,), node.outputs, turn),
            ]
    return found


def fits(constant: Constant | None, outputs: int, dtype: np.dtype[Any]) -> bool:
    """Return whether a constant is one value for each output, or one for all."""
    if not isinstance(constant, np.ndarray) or constant.dtype != dtype:
        return False
    ahead, last = constant.shape[:-1], constant.shape[-1:]
    return prod(ahead) == 1 and len(ahead) <= 1 and last in ((), (1,), (outputs,))


def zeros(weight: Constant) -> float:
    """Return the share of elements, of a weight or a mask, that are zero; 0 where it has none."""
    if not prod(weight.shape):
        return 0.0
    used = weight.values.size if isinstance(weight, Coordinates) else int(np.count_nonzero(weight))
    return 1 - used / prod(weight.shape)


def pattern_and_weights(
    weight: Constant, mask: NDArray[np.bool_] | None = None, *, by_output: bool, what: str
) -> tuple[Pattern, NDArray[Any]]:
    """Return a weight's edges and their values, in pattern order.

    Exact zeros of a dense weight without a mask are no edges; entries of a sparse one all are.

    Args:
        weight: of rank 2, or of more where `by_output`.
        mask: of the shape of a dense weight; whatever is inside is an edge.
        by_output: as in `Product`.
        what: the weight, for messages.

    Raises:
        InputError: more neurons than a pattern has pointers for.
    """
    if isinstance(weight, Coordinates):
        inner = prod(weight.shape[1:])
        rows, columns = np.divmod(weight.positions, max(inner, 1))
        sides = (inner, weight.shape[0]) if by_output else (weight.shape[0], inner)
        edges = (columns, rows) if by_output else (rows, columns)
        pattern, order = pattern_of(sides, *edges, file=what)
        return pattern, weight.values if order is None else weight.values[order]
    table = weight.reshape(weight.shape[0], -1) if weight.size else weight
    if table.ndim != 2:
        raise InputError(f"{what}: expected a weight with elements, got {list(weight.shape)}")
    inside = table if mask is None else mask.reshape(table.shape)
    table, inside = (table, inside) if by_output else (table.T, inside.T)
    outputs, inputs = table.shape
    indptr = np.zeros(outputs + 1, np.int64)
    indices, values = [], []
    step = max(BLOCK // max(inputs, 1), 1)
    for start in range(0, outputs, step):  # a large weight's mask is never made whole
        rows = np.ascontiguousarray(table[start : start + step])
        row, column = np.nonzero(inside[start : start + step])
        indptr[start + 1 : start + 1 + len(rows)] = np.bincount(row, minlength=len(rows))
        indices.append(column)
        values.append(rows[row, column])
    np.cumsum(indptr, out=indptr)
    edges_in = np.concatenate(indices) if indices else np.zeros(0, np.int64)
    weights = np.concatenate(values) if values else np.zeros(0, table.dtype)
    return Pattern.explicit((inputs, outputs), indptr, edges_in), weights
