"""ONNX's nodes, values and constants, as the model of this package has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.onnx_opset import OPSET, shape_of
from radixfmt.converters.onnx_policy import STANDARD, label
from radixfmt.converters.onnx_tensors import dense, sparse, type_name
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.model.canonical import LARGEST_FLOAT32
from radixfmt.model.dtypes import LARGEST_RANK
from radixfmt.model.graph import ELEMENT_TYPES, Node, Value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import onnx

    from radixfmt.converters.onnx_external import ExternalData
    from radixfmt.converters.onnx_opset import Constant

WIDENED = {"bfloat16": "float32"}
"""Types of inputs and outputs that the format lacks, and those that hold all their values."""

LISTS = {"value_float": np.float32, "value_floats": np.float32,
         "value_int": np.int64, "value_ints": np.int64}  # fmt: skip
"""Attributes of `Constant` that are numbers, and the element types they stand for."""


def constants_of(
    graph: onnx.GraphProto, external: ExternalData, *, file: str
) -> dict[str, Constant]:
    """Return initializers, sparse ones and the results of `Constant` nodes, by name.

    Raises:
        InputError: one without a name, two of one name, or as `radixfmt.converters.onnx_tensors`.
        UnsupportedError: an element type that the format does not hold, text among them.
    """
    found: dict[str, Constant] = {}

    def add(name: str, constant: Constant) -> None:
        if not name or name in found:
            raise InputError(f"{file}: expected each constant to have its own name, got {name!r}")
        found[name] = constant

    for tensor in graph.initializer:
        what = f"initializer {tensor.name!r:.120}"
        add(tensor.name, dense(tensor, external, file=file, what=what))
    for entries in graph.sparse_initializer:
        what = f"sparse initializer {entries.values.name!r:.120}"
        add(entries.values.name, sparse(entries, external, file=file, what=what))
    for i, node in enumerate(graph.node):
        if node.op_type == "Constant" and node.domain in STANDARD:
            where = f"{label(i, node)}"
            if len(node.output) != 1 or len(node.attribute) != 1:
                raise InputError(f"{file}: {where}: expected one output and one attribute")
            add(node.output[0], _constant(node.attribute[0], external, file=file, what=where))
    return found


def _constant(
    attribute: onnx.AttributeProto, external: ExternalData, *, file: str, what: str
) -> Constant:
    """Return what a `Constant` node makes."""
    if attribute.name == "value":
        return dense(attribute.t, external, file=file, what=what)
    if attribute.name == "sparse_value":
        return sparse(attribute.sparse_tensor, external, file=file, what=what)
    if attribute.name not in LISTS:
        raise UnsupportedError(
            f"{file}: {what}: the format holds tensors of numbers, got {attribute.name!r:.60}"
        )
    return np.array(_value(attribute, f"{file}: {what}", finite=False), LISTS[attribute.name])


def computing(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes that are no constants."""
    return [n for n in graph.node if n.op_type != "Constant" or n.domain not in STANDARD]


def wiring(node: onnx.NodeProto) -> Node:
    """Return a node's operator and tensors, without what it does with them."""
    outputs = list(node.output)
    while len(outputs) > 1 and not outputs[-1]:
        outputs.pop()
    return Node(node.op_type, tuple(node.input), tuple(outputs))


def node_of(node: onnx.NodeProto, where: str) -> Node:
    """Return a node of opset 21, attributes and all.

    Raises:
        InputError: an attribute that its operator does not have.
        UnsupportedError: numbers that are not finite, or text that is not UTF-8.
    """
    from onnx import defs

    known = defs.get_schema(node.op_type, OPSET).attributes
    for attribute in node.attribute:  # onnx's checker lets names with two underscores pass
        if attribute.name not in known:
            raise InputError(
                f"{where}: expected attributes out of {', '.join(sorted(known)) or 'none'}, got "
                f"{attribute.name!r:.60}"
            )
    attributes = {a.name: _value(a, f"{where}: attribute {a.name!r:.60}") for a in node.attribute}
    return replace(wiring(node), attributes=attributes)


def filled(
    graph: onnx.GraphProto, constants: dict[str, Constant], external: ExternalData, *, file: str
) -> None:
    """Make each ConstantOfShape that has a value an Expand of it, which is the same.

    The format has no attributes that are tensors; the values join `constants`.
    """
    taken = {name for node in graph.node for name in node.output} | constants.keys()
    for i, node in enumerate(graph.node):
        if node.op_type != "ConstantOfShape" or not node.attribute:
            continue
        where = label(i, node)
        value = dense(node.attribute[0].t, external, file=file, what=where)
        if value.size != 1 or len(node.input) != 1:
            raise InputError(f"{file}: {where}: expected one value, got {list(value.shape)}")
        name = unused(f"{node.output[0]}_value", taken)
        constants[name] = value.reshape(())
        shape = node.input[0]
        node.ClearField("attribute")
        node.ClearField("input")
        node.op_type = "Expand"
        node.input.extend([name, shape])


def _value(attribute: onnx.AttributeProto, where: str, *, finite: bool = True) -> Any:
    """Return one attribute's value in Python's types."""
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    found = tuple(value) if isinstance(value, list) else value
    items = found if isinstance(found, tuple) else (found,)
    if finite and any(isinstance(x, float) and not abs(x) <= LARGEST_FLOAT32 for x in items):
        raise UnsupportedError(f"{where}: expected finite numbers, got {str(value)[:60]}")
    try:
        texts = [x.decode() if isinstance(x, bytes) else x for x in items]
    except UnicodeDecodeError:
        raise UnsupportedError(f"{where}: expected text in UTF-8, got {str(value)[:60]}") from None
    return tuple(texts) if isinstance(found, tuple) else texts[0]


def values_of(infos: Sequence[onnx.ValueInfoProto], what: str, *, file: str) -> tuple[Value, ...]:
    """Return graph inputs or outputs; sizes without a name get one, bfloat16 becomes float32.

    Args:
        infos: as the model declares them.
        what: "input" or "output", for messages.
        file: for messages.

    Raises:
        UnsupportedError: no tensor, an element type or rank that the format does not hold, or no
            declared rank.
        InputError: a negative size.
    """
    symbols = {d.dim_param for info in infos for d in info.type.tensor_type.shape.dim}
    found = []
    for info in infos:
        where = f"{file}: graph {what} {info.name!r:.120}"
        shape = shape_of(info.type)
        if shape is None:
            raise UnsupportedError(
                f"{where}: expected a tensor of declared shape",
                hint="onnx.shape_inference.infer_shapes(model) may know it; sizes that vary have "
                "names",
            )
        name = type_name(info.type.tensor_type.elem_type)
        name = WIDENED.get(name, name)
        if name not in ELEMENT_TYPES or len(shape) > LARGEST_RANK:
            raise UnsupportedError(
                f"{where}: {name} of rank {len(shape)}; expected {', '.join(ELEMENT_TYPES)} of "
                f"rank at most {LARGEST_RANK}"
            )
        sizes: list[int | str] = []
        for axis, size in enumerate(shape):
            if isinstance(size, int) and size < 0:
                raise InputError(
                    f"{where}: axis {axis}: expected a size of at least 0, got {size}",
                    hint="a size that varies has a name (dim_param) in place of a number",
                )
            sizes.append(unused(f"{info.name}_{axis}", symbols) if size is None else size)
        found.append(Value(info.name, tuple(sizes), name))
    return tuple(found)


def unused(wanted: str, taken: set[str]) -> str:
    """Return `wanted`, or it with a number if that is taken, and take it."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    taken.add(name)
    return name


def live(nodes: Sequence[Node], outputs: Iterable[str]) -> list[int]:
    """Return the positions of nodes that some output depends on, in their order."""
    maker = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
    needed: set[int] = set()
    stack = [maker[name] for name in outputs if name in maker]
    while stack:
        i = stack.pop()
        if i not in needed:
            needed.add(i)
            stack += [maker[name] for name in nodes[i].inputs if name in maker]
    return sorted(needed)


def shown(names: Collection[str]) -> str:
    """Return names for a message: the first few, and how many more there are."""
    first = ", ".join(repr(name) for name in list(names)[:4])
    return first + (f" and {len(names) - 4} more" if len(names) > 4 else "")
