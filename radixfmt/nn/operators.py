"""ONNX operators in torch: a table of functions, one for each operator of opset 21 that is known.

`SparseLinear` and `SparseConv` are modules and stand apart, and so do the two operators that a
module's mode changes, `BatchNormalization` and `Dropout`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radixfmt.errors import UnsupportedError
from radixfmt.nn.activations import ACTIVATIONS
from radixfmt.nn.spatial import SPATIAL, batch_norm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from radixfmt.model.graph import Node

    Attributes = Any

MODAL = frozenset({"BatchNormalization", "Dropout"})

# TensorProto.DataType, which Cast's attribute gives as a number
DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32,
    7: torch.int64, 9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip


def run(node: Node, given: Sequence[Tensor | None], *, training: bool) -> tuple[Tensor, ...]:
    """Return the outputs of a node whose operator is in `OPERATORS` or `MODAL`.

    Args:
        node: to run.
        given: its inputs, None where one is left out.
        training: the module's mode.

    Raises:
        UnsupportedError: attributes that are not known here.
    """
    inputs: Any = list(given)
    while inputs and inputs[-1] is None:
        inputs.pop()
    if node.op == "BatchNormalization":
        made: Any = batch_norm(node.attributes, inputs, training=training)
    elif node.op == "Dropout":
        made = functional.dropout(inputs[0], _ratio(inputs), training)
    elif node.op == "Split":
        made = _split(node, *inputs)
    else:
        made = OPERATORS[node.op](node.attributes, *inputs)
    return made if isinstance(made, tuple) else (made,)


def _ratio(inputs: Sequence[Tensor | None]) -> float:
    ratio = inputs[1] if len(inputs) > 1 else None
    return 0.5 if ratio is None else float(ratio)


def _gemm(a: Attributes, x: Tensor, w: Tensor, c: Tensor | None = None) -> Tensor:
    x = x.T if a.get("transA", 0) else x
    made = x @ (w.T if a.get("transB", 0) else w)
    if "alpha" in a:
        made = a["alpha"] * made
    return made if c is None else made + (a["beta"] * c if "beta" in a else c)


def _reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = shape.tolist()
    if not a.get("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return x.reshape(sizes)


def _squeeze(_: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    if axes is None:
        return x.squeeze()
    return x.squeeze(tuple(axes.reshape(-1).tolist()))


def _unsqueeze(_: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.dim() + axes.numel()
    for axis in sorted(int(axis) % rank for axis in axes.reshape(-1)):
        x = x.unsqueeze(axis)
    return x


def _split(node: Node, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis: Any = node.attributes.get("axis", 0)
    if sizes is not None:
        return torch.split(x, sizes.tolist(), axis)
    parts = len(node.outputs)
    return torch.split(x, -(-x.shape[axis] // parts), axis)


def _slice(
    _: Attributes, x: Tensor, starts: Tensor, ends: Tensor,
    axes: Tensor | None = None, steps: Tensor | None = None,
) -> Tensor:  # fmt: skip
    count = starts.numel()
    where = range(count) if axes is None else axes.tolist()
    strides = [1] * count if steps is None else steps.tolist()
    for axis, start, stop, step in zip(where, starts.tolist(), ends.tolist(), strides, strict=True):
        chosen = range(*slice(start, stop, step).indices(x.shape[axis]))
        x = x.index_select(axis, torch.tensor(chosen, dtype=torch.int64, device=x.device))
    return x


def _gather(a: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = a.get("axis", 0) % x.dim()
    places = torch.where(indices < 0, indices + x.shape[axis], indices)
    made = x.index_select(axis, places.reshape(-1))
    return made.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _expand(_: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(np.broadcast_shapes(x.shape, tuple(shape.tolist())))


def _shape(a: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(x.shape[a.get("start", 0) : a.get("end")], dtype=torch.int64)


def _cast(a: Attributes, x: Tensor) -> Tensor:
    if a.get("to") not in DTYPES:
        raise UnsupportedError(f"expected a type of {sorted(DTYPES)}, got to = {a.get('to')}")
    return x.to(DTYPES[a["to"]])


def _pad(
    a: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    if a.get("mode", "constant") != "constant":
        raise UnsupportedError(f"expected mode constant, got {a['mode']!r}")
    sizes, chosen = pads.tolist(), range(x.dim()) if axes is None else axes.tolist()
    sides = [0] * 2 * x.dim()
    for i, axis in enumerate(chosen):
        place = 2 * (x.dim() - 1 - axis % x.dim())
        sides[place : place + 2] = sizes[i], sizes[len(sizes) // 2 + i]
    return functional.pad(x, sides, value=0 if value is None else value.item())


def _reduced(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the operator that folds axes by a function of (tensor, axes, keepdim)."""

    def reduce(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = [] if axes is None else axes.tolist()
        if not chosen and a.get("noop_with_empty_axes", 0):
            return x
        every = tuple(chosen or range(x.dim()))
        return function(x, every, keepdim=bool(a.get("keepdims", 1)))

    return reduce


OPERATORS: dict[str, Callable[..., Any]] = {
    **ACTIVATIONS,
    **SPATIAL,
    "Cast": _cast,
    "Concat": lambda a, *given: torch.cat(given, a["axis"]),
    "Einsum": lambda a, *given: torch.einsum(a["equation"], *given),
    "Expand": _expand,
    "Gather": _gather,
    "Gemm": _gemm,
    "Pad": _pad,
    "Range": lambda _, start, stop, step: torch.arange(start.item(), stop.item(), step.item()),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": lambda a, x: x.permute(a.get("perm", tuple(reversed(range(x.dim()))))),
    "Unsqueeze": _unsqueeze,
}
"""Operator → function of attributes and inputs."""

KNOWN = frozenset(OPERATORS) | MODAL
"""Every operator that `run` takes."""
