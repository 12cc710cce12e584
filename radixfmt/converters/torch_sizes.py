"""Sizes that torch's exporter asks a tensor for though they never vary, as constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnxscript import ir


def fix_sizes(model: ir.Model) -> bool:
    """Make a constant of every Slice of a tensor's shape that holds no varying size.

    onnxscript's folding knows such sizes but for Slice, which the causal mask of attention is cut
    with: without this, masks of constants would be computed in every run.

    Args:
        model: changed in place.

    Returns:
        whether anything changed; what was made constant may let more be folded.
    """
    from onnxscript import ir

    found = [(node, sizes) for node in model.graph if (sizes := _sizes(node)) is not None]
    for node, sizes in found:
        constant = ir.node("Constant", [], {"value": ir.tensor(np.array(sizes, np.int64))})
        constant.outputs[0].name = node.outputs[0].name
        model.graph.insert_before(node, constant)
        ir.convenience.replace_all_uses_with(node.outputs[0], constant.outputs[0])
        model.graph.remove(node, safe=True)
    return bool(found)


def _sizes(node: ir.Node) -> list[int] | None:
    """Return what a Slice cuts out of a shape, where that is known."""
    source = node.inputs[0] if node.op_type == "Slice" and node.inputs else None
    maker = None if source is None else source.producer()
    if maker is None or maker.op_type != "Shape" or maker.inputs[0] is None:
        return None
    given = [_integer(value) for value in node.inputs[1:]]  # start, end, axis, step
    shape, bounds = maker.inputs[0].shape, [bound for bound in given if bound is not None]
    if shape is None or len(bounds) < len(given):
        return None
    first, last = (maker.attributes.get(name) for name in ("start", "end"))
    whole = list(shape)[
        slice(None if first is None else first.as_int(), None if last is None else last.as_int())
    ]
    cut: list[Any] = whole[slice(bounds[0], bounds[1], *bounds[3:])]
    return cut if all(isinstance(size, int) for size in cut) else None


def _integer(value: ir.Value | None) -> int | None:
    """Return the integer that a constant holds."""
    from onnxscript import ir

    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None or tensor.size != 1 else int(tensor.numpy().reshape(()))
