"""What a graph must be before anything is made of it; files come from strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.model.graph import ELEMENT_TYPES, ELEMENTWISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.graph import Node
    from radixfmt.model.network import Network

DTYPES = {name: np.dtype(name) for name in ELEMENT_TYPES}
"""Element types that a graph's values and dense tensors may have, by numpy's name."""

LARGEST_SIZE = 2**63 - 1


def element_type(where: str, name: object) -> np.dtype[Any]:
    """Return the element type of this name, in native byte order.

    Raises:
        UnsupportedError: no such type, or none that ONNX shares with numpy.
    """
    found = DTYPES.get(str(name))
    if found is None:
        raise UnsupportedError(
            f"{where}: expected an element type of {', '.join(DTYPES)}, got {name!r}"
        )
    return found


def native(array: Any) -> NDArray[Any]:
    """Return a dense tensor of the network in this machine's byte order, the only one ONNX takes.

    Raises:
        UnsupportedError: an element type that ONNX does not share with numpy.
    """
    found = np.asarray(array)
    return found.astype(element_type("tensor", found.dtype.newbyteorder("=")), copy=False)


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
        element_type(f"tensor {name!r}", np.asarray(array).dtype.newbyteorder("="))
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
