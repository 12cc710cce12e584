"""The computation: nodes that name ONNX operators (opset 21), wired into a DAG.

Two operators are ours, `SparseLinear` and `SparseConv`; each applies one layer. Bounds, axes and
shapes that opset 21 takes as tensor inputs are entries of the network's `tensors`; `''` is an
omitted input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.model.canonical import LARGEST_FLOAT32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from radixfmt.model.layer import Kind

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]

ELEMENT_TYPES = (
    "float32", "float64", "float16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64",
)  # fmt: skip
"""Element types of inputs and outputs that converters take; a file may also hold bfloat16 ones."""

SPARSE_OPS: dict[str, Kind] = {"SparseLinear": "linear", "SparseConv": "conv"}
"""Our operators and the kind of layer each applies."""


@dataclass(frozen=True, slots=True)
class Value:
    """A graph input or output.

    Attributes:
        name: the tensor's name.
        shape: sizes; a string is a symbolic dimension.
        dtype: numpy's name of the element type.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the computation.

    Attributes:
        op: an `ai.onnx` operator name at opset 21, or one of `SPARSE_OPS`.
        inputs: tensor names; `''` is an omitted optional input.
        outputs: tensor names this node makes.
        attributes: ONNX attribute values.
        layer: index of the layer it applies (`SPARSE_OPS` only).
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    layer: int | None = None


ACTIVATIONS = frozenset({
    "Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Mish", "Relu",
    "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu",
})  # fmt: skip
"""Operators of one input that act on each element alone, with usable default attributes."""

ELEMENTWISE = ACTIVATIONS | {"Clip"}
"""Operators whose output has the shape of their first input, element by element."""


def topological_order(nodes: Sequence[Node]) -> list[int] | None:
    """Return node indices so that producers come first (given order kept), None for a cycle."""
    from graphlib import CycleError, TopologicalSorter

    producer = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
    known: set[int] = set()
    for i, node in enumerate(nodes):  # the usual case: already in order
        if any(producer[name] not in known for name in node.inputs if name in producer):
            break
        known.add(i)
    else:
        return list(range(len(nodes)))
    sorter = TopologicalSorter(
        {i: {producer[n] for n in node.inputs if n in producer} for i, node in enumerate(nodes)}
    )
    try:
        return list(sorter.static_order())
    except CycleError:
        return None


def typed(value: Attribute) -> dict[str, Any]:
    """Return an attribute as `{"int": 1}` or alike, since JSON has one kind of number.

    Floats are ONNX's float32: the shortest decimal that gives the same float32 stands for each.
    """
    if isinstance(value, tuple):
        kinds = [typed(item) for item in value]
        names = {name for kind in kinds for name in kind} or {"int"}
        if len(names) > 1:
            raise ParameterError(f"attribute: expected values of one type, got {value}")
        (name,) = names
        return {f"{name}s": [kind[name] for kind in kinds]}
    if isinstance(value, float):
        if not abs(value) <= LARGEST_FLOAT32:
            raise ParameterError(f"attribute: expected a finite float32, got {value}")
        return {"float": float(str(np.float32(value)))}
    return {"string" if isinstance(value, str) else "int": value}
