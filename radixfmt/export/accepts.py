"""What a graph must be before anything is made of it; files come from strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.model.dtypes import TENSOR_TYPES, dtype_of
from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

LARGEST_SIZE = 2**63 - 1


def element_type(where: str, name: object) -> np.dtype[Any]:
    """Return the type in which a model computes with elements of this type of the format.

    It is the type itself, but float32 for bfloat16: onnxruntime has next to no bfloat16 on CPU, and
    float32 holds every one of its values.

    Raises:
        UnsupportedError: no such type.
    """
    if name not in TENSOR_TYPES:
        raise UnsupportedError(
            f"{where}: expected an element type of {', '.join(TENSOR_TYPES)}, got {name!r}"
        )
    return dtype_of("float32" if name == "bfloat16" else str(name))


def native(array: Any) -> NDArray[Any]:
    """Return a dense tensor of the network as a model has it, in this machine's byte order.

    Raises:
        UnsupportedError: an element type that is none of the format's.
    """
    found = np.asarray(array)
    return found.astype(element_type("tensor", found.dtype.name), copy=False)


def fitted(where: str, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return weights or biases as the float type that they meet in the model.

    Raises:
        UnsupportedError: finite values that would become infinite.
    """
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        made = values.astype(dtype)
    if not np.isfinite(made).all() and np.isfinite(values).all():
        largest = np.abs(values.astype(np.float64)).max()
        raise UnsupportedError(
            f"{where}: expected values that {dtype} can hold, got one of size {largest:g}",
            hint="give the network's inputs a wider type",
        )
    return made


def check_weights(layer: Layer) -> None:
    """Refuse a layer that is topology only.

    Raises:
        UnsupportedError: it has no weights.
    """
    if layer.dtype is None:
        raise UnsupportedError(
            f"{layer.name}: it has no weights, so there is nothing to run",
            hint="radixfmt convert IN OUT --weights he --seed S gives it some",
        )


def check_graph(network: Network) -> None:
    """Refuse what no way to run a network could make sense of.

    Raises:
        UnsupportedError: an element type, a size, a name or a node's tensors; says which.
    """
    names = [name for node in network.graph for name in (node.op, *node.outputs)]
    for value in (*network.inputs, *network.outputs):
        names += [value.name, *(size for size in value.shape if isinstance(size, str))]
        element_type(value.name, value.dtype)
        for size in value.shape:
            if not isinstance(size, str) and not 0 <= size <= LARGEST_SIZE:
                raise UnsupportedError(f"{value.name}: expected sizes from 0 to 2^63, got {size}")
    for name, array in network.tensors.items():
        names.append(name)
        element_type(f"tensor {name!r}", np.asarray(array).dtype.name)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UnsupportedError(f"name {name!r}: expected text that UTF-8 can hold") from None
    for i, node in enumerate(network.graph):
        if node.layer is not None or node.op in ELEMENTWISE:
            _check_tensors(i, node)


def _check_tensors(i: int, node: Node) -> None:
    """Refuse a linear layer or an elementwise operator without its input or output."""
    most = 3 if node.op == "Clip" else 1
    if not (node.inputs and node.inputs[0] and len(node.inputs) <= most):
        raise UnsupportedError(
            f"node {i}: {node.op}: expected an input{' and bounds' if most > 1 else ''}, "
            f"got {list(node.inputs)}"
        )
    if len(node.outputs) != 1 or not node.outputs[0]:
        raise UnsupportedError(
            f"node {i}: {node.op}: expected one output, got {list(node.outputs)}"
        )
