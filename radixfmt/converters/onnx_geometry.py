"""The geometry of ONNX's Conv, its padding said in numbers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError
from radixfmt.model.layer import ConvGeometry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from radixfmt.converters.onnx_opset import Shape
    from radixfmt.model.graph import Attribute


def geometry_of(
    attributes: Mapping[str, Attribute], weight: Sequence[int], given: Shape | None
) -> ConvGeometry | str:
    """Return how a Conv moves, or why that cannot be said.

    Args:
        attributes: of the node.
        weight: shape of its weight, `[C_out, C_in / group, *kernel]`.
        given: shape of its input, as far as it is known; padding that depends on the input's size
            (`auto_pad`, with strides) needs it.
    """
    rank = len(weight) - 2
    kernel = _integers(attributes, "kernel_shape", tuple(weight[2:]))
    strides = _integers(attributes, "strides", (1,) * rank)
    dilations = _integers(attributes, "dilations", (1,) * rank)
    group = attributes.get("group", 1)
    how = attributes.get("auto_pad", "NOTSET")
    pads: tuple[int, ...] | None = (0,) * (2 * rank)
    if how == "NOTSET":
        pads = _integers(attributes, "pads", pads or ())
    elif how in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same(kernel, strides, dilations, given, upper=how == "SAME_UPPER")
    elif how != "VALID":
        return f"auto_pad {how!r:.40} is unknown"
    if pads is None:
        return f"auto_pad {how} depends on the size of its input, which is not known"
    if kernel != tuple(weight[2:]):
        return f"kernel_shape {list(kernel)} is not that of its weight, {list(weight[2:])}"
    try:
        found = ConvGeometry(
            kernel, strides, pads, dilations, group if isinstance(group, int) else 0
        )
        found.check((prod(weight[1:]), weight[0]))
    except ParameterError as error:
        return str(error)
    return found


def _integers(
    attributes: Mapping[str, Attribute], name: str, default: tuple[int, ...]
) -> tuple[int, ...]:
    """Return a list of integers, or `default` where it is left out."""
    value = attributes.get(name)
    if not isinstance(value, tuple):
        return default
    return tuple(item for item in value if isinstance(item, int))


def _same(
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    given: Shape | None,
    *,
    upper: bool,
) -> tuple[int, ...] | None:
    """Return the padding that gives ceil(input / stride) places along each axis, if it is known."""
    begins, ends = [], []
    for axis, (size, step, spacing) in enumerate(zip(kernel, strides, dilations, strict=False)):
        total = (size - 1) * spacing
        if step != 1:
            length = given[axis + 2] if given is not None and axis + 2 < len(given) else None
            if not isinstance(length, int) or step < 1:
                return None
            total = max((-(-length // step) - 1) * step + total + 1 - length, 0)
        less = total // 2
        begins.append(less if upper else total - less)
        ends.append(total - less if upper else less)
    return (*begins, *ends)
