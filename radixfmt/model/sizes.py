"""Do sizes meet along a graph? Shapes are followed as far as operators make them plain (spec §5).

A size is an integer, the name of a symbolic one, or None where it is not known; a shape that
begins with `...` has any number of sizes before the others. What is not known is never guessed:
a finding is certain, and no finding means only that nothing contradicts.
"""

from __future__ import annotations

from math import prod
from types import EllipsisType
from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.model.canonical import LARGEST_INTEGER
from radixfmt.model.graph import ELEMENTWISE, SPARSE_OPS, Node, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from radixfmt.model.layer import ConvGeometry

Size = int | str | None
Shape = tuple[Size | EllipsisType, ...]

UNKNOWN: Shape = (...,)

KEEP_SHAPE = ELEMENTWISE | {
    "Abs", "BatchNormalization", "Cast", "Dropout", "Erf", "Exp", "GroupNormalization", "Hardmax",
    "InstanceNormalization", "LRN", "LayerNormalization", "Log", "LogSoftmax", "Neg", "PRelu",
    "Sign", "Softmax", "Sqrt",
}  # fmt: skip
"""Operators whose first output has the shape of their first input."""

BROADCAST = frozenset({"Add", "Sub", "Mul", "Div"})
POOLS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool"})


class Conflict(Exception):  # noqa: N818  it never leaves this file
    """Sizes that contradict: the code, what contradicts, what was expected and what was found."""

    def __init__(self, code: str, message: str, expected: object, actual: object) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.expected, self.actual = str(expected), str(actual)

    def at(self, pointer: str) -> Finding:
        """Return the finding for a place in the manifest."""
        return Finding(
            self.code,
            self.message,
            "/manifest",
            pointer=pointer,
            expected=self.expected,
            actual=self.actual,
        )


def size_problems(
    nodes: Iterable[tuple[int, Node]],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    layers: Sequence[tuple[str, tuple[int, int]]],
    *,
    geometries: Mapping[int, ConvGeometry],
    tensors: Mapping[str, tuple[int, ...]],
) -> Iterator[Finding]:
    """Yield every place where sizes contradict, in one pass (RX6005, RX6011).

    Args:
        nodes: with their indices, producers first.
        inputs: graph inputs.
        outputs: graph outputs.
        layers: (kind, shape) of each layer.
        geometries: of conv layers, by layer index, where known.
        tensors: shapes of dense tensors, where known.
    """
    shapes: dict[str, Shape] = {**{value.name: value.shape for value in inputs}, **tensors}
    for i, node in nodes:
        given = [shapes.get(name, UNKNOWN) if name else UNKNOWN for name in node.inputs]
        if not given or not node.outputs:
            continue
        try:
            if node.layer is None:
                shapes[node.outputs[0]] = _shape(node, given)
            elif 0 <= node.layer < len(layers) and layers[node.layer][0] == SPARSE_OPS.get(node.op):
                _, sides = layers[node.layer]
                shapes[node.outputs[0]] = (
                    _linear(given[0], sides, node.layer)
                    if node.op == "SparseLinear"
                    else _conv(given[0], sides, node.layer, geometries.get(node.layer))
                )
        except Conflict as conflict:
            yield conflict.at(f"/graph/nodes/{i}")
    for i, value in enumerate(outputs):
        found = shapes.get(value.name, UNKNOWN)
        try:
            _same(found, value.shape, f"output {value.name!r}")
        except Conflict as conflict:
            yield conflict.at(f"/graph/outputs/{i}")


def _shape(node: Node, given: Sequence[Shape]) -> Shape:
    """Return the shape that an operator without a layer makes of those it is given."""
    first = given[0]
    if node.op in KEEP_SHAPE:
        return first
    if node.op in BROADCAST and len(given) == 2:
        return _broadcast(given[0], given[1], node.op)
    rule = RULES.get(node.op)
    return UNKNOWN if rule is None or any(... in shape for shape in given) else rule(node, given)


def _linear(given: Shape, sides: tuple[int, int], layer: int) -> Shape:
    n_in, n_out = sides
    width = given[-1] if given else "a scalar"
    if (isinstance(width, int) and width != n_in) or not given:
        raise Conflict("RX6005", f"sizes do not meet at layer {layer}", f"{n_in} values", width)
    return (*given[:-1], n_out) if given[-1] is not ... else (..., n_out)


def _conv(given: Shape, sides: tuple[int, int], layer: int, geometry: ConvGeometry | None) -> Shape:
    if geometry is None:
        return UNKNOWN
    cells, rank = prod(geometry.kernel_shape), len(geometry.kernel_shape)
    name = f"the convolution of layer {layer}"
    for what, side, part in (("n_in", sides[0], cells), ("n_out", sides[1], geometry.group)):
        if side % part:
            raise Conflict("RX6011", f"{name} is not whole", f"{what}, a multiple of {part}", side)
    if ... in given:
        return (None, sides[1], *[None] * rank)
    if len(given) != rank + 2:
        raise Conflict(
            "RX6011", f"{name} has an input of another rank", rank + 2, f"shape {_shown(given)}"
        )
    channels = sides[0] // cells * geometry.group
    if isinstance(given[1], int) and given[1] != channels:
        raise Conflict(
            "RX6005", f"sizes do not meet at layer {layer}", f"{channels} channels", given[1]
        )
    spatial: list[Size] = []
    for axis, size in enumerate(given[2:]):
        made = _windows(size, axis, geometry) if isinstance(size, int) else None
        if made is not None and made < 1:
            raise Conflict(
                "RX6011",
                f"{name} yields nothing",
                f"at least one element along axis {axis + 2}",
                f"{made} from an input of {size}",
            )
        spatial.append(made)
    return (given[0], sides[1], *spatial)


def _windows(size: int, axis: int, geometry: ConvGeometry) -> int:
    """Return how many places a kernel has along one spatial axis."""
    padded = size + geometry.pads[axis] + geometry.pads[axis + len(geometry.kernel_shape)]
    reach = geometry.dilations[axis] * (geometry.kernel_shape[axis] - 1) + 1
    return (padded - reach) // geometry.strides[axis] + 1


def _broadcast(a: Shape, b: Shape, op: str) -> Shape:
    """Return the shape of an operator that broadcasts as numpy does."""
    known = [shape[1:] if ... in shape else shape for shape in (a, b)]
    common = min(map(len, known))
    tail = []
    for i in range(-common, 0):
        x, y = known[0][i], known[1][i]
        wide = [size for size in (x, y) if isinstance(size, int) and size != 1]
        if len(wide) == 2 and wide[0] != wide[1]:
            raise Conflict("RX6005", f"sizes do not meet at {op}", _shown(a), _shown(b))
        sole = y if x == 1 else x if y in (1, x) else None
        tail.append(wide[0] if wide else sole)
    if ... in a or ... in b:
        return (..., *tail)
    longer = max(known, key=len)
    return (*longer[: len(longer) - common], *tail)


def _pool(node: Node, given: Sequence[Shape]) -> Shape:  # noqa: ARG001  a rule's signature
    """Return batch and channels as they are, and places that are not followed."""
    return (*given[0][:2], *[None for _ in given[0][2:]])


def _flatten(node: Node, given: Sequence[Shape]) -> Shape:
    axis = node.attributes.get("axis", 1)
    if not isinstance(axis, int):
        return UNKNOWN
    return (_product(given[0][:axis]), _product(given[0][axis:]))


def _transpose(node: Node, given: Sequence[Shape]) -> Shape:
    axes = range(len(given[0]))
    order = node.attributes.get("perm", tuple(reversed(axes)))
    if not isinstance(order, tuple) or sorted(map(str, order)) != sorted(map(str, axes)):
        return UNKNOWN
    return tuple(given[0][int(i)] for i in order)


def _concat(node: Node, given: Sequence[Shape]) -> Shape:
    axis, rank = node.attributes.get("axis"), len(given[0])
    if not isinstance(axis, int) or not -rank <= axis < rank:
        return UNKNOWN
    axis %= rank
    made = given[0]
    joined: list[object] = []
    for shape in given:
        joined += shape[axis : axis + 1]
        made = _same(made, (*shape[:axis], *made[axis : axis + 1], *shape[axis + 1 :]), "Concat")
    whole = [size for size in joined if isinstance(size, int)]
    size = _followed(sum(whole)) if len(whole) == len(given) else None
    return (*made[:axis], size, *made[axis + 1 :])


RULES: dict[str, Callable[[Node, Sequence[Shape]], Shape]] = {
    "Concat": _concat,
    "Flatten": _flatten,
    "Transpose": _transpose,
    **dict.fromkeys(POOLS, _pool),
}
"""What other operators make of shapes that are known to their first size."""


def _same(a: Shape, b: Shape, where: str) -> Shape:
    """Return the one shape that both can be, as far as it is known."""
    if ... in a:
        fits = len(b) >= len(a) - 1
        pairs = list(zip(a[:0:-1], b[::-1], strict=False))
    else:
        fits = len(a) == len(b)
        pairs = list(zip(a, b, strict=False))
    if not fits or any(isinstance(x, int) and isinstance(y, int) and x != y for x, y in pairs):
        raise Conflict("RX6005", f"sizes do not meet at {where}", _shown(b), _shown(a))
    return tuple(y if x is None else x for x, y in pairs) if ... not in a else b


def _product(sizes: Shape) -> Size:
    whole = [size for size in sizes if isinstance(size, int)]
    if len(whole) == len(sizes):
        return _followed(prod(whole))
    only = sizes[0] if len(sizes) == 1 else None
    return only if isinstance(only, str) else None


def _followed(size: int) -> int | None:
    """Return a size that an array could have; a few nodes can multiply sizes without end."""
    return size if size <= LARGEST_INTEGER else None


def _shown(shape: Shape) -> str:
    return f"[{', '.join('…' if n is ... else '?' if n is None else str(n) for n in shape)}]"
