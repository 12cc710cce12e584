"""Operators: is each one of the format's, with the inputs and attributes that it asks for?

What an operator of ONNX takes is what `onnx` says; no table of ours repeats it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.findings import Finding
from radixfmt.model.dtypes import FLOAT_TYPES
from radixfmt.model.graph import SPARSE_OPS, Node
from radixfmt.validation.checks import View, check
from radixfmt.validation.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from radixfmt.model.graph import Attribute

OPSET = 21

CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators of ai.onnx with subgraphs."""

FLOATS = (*FLOAT_TYPES, None)
"""Types of what a sparse operator takes; None: a node makes it, of what type is not followed."""

WHERE = "/manifest"


@check("operators", needs=("graph",))
def operators(view: View) -> Iterator[Finding]:
    """Yield nodes whose operator is unknown, or does not take what they give it."""
    kinds: dict[Hashable, int] = {}  # the first node of each kind stands for all of it
    manifest = view.open_file.manifest
    nodes = manifest.graph
    types = {value.name: value.dtype for value in manifest.inputs}
    types |= {tensor.name: tensor.dtype for tensor in manifest.tensors}
    for i, node in enumerate(nodes):
        kinds.setdefault(_kind(node), i)
        if node.op in SPARSE_OPS and (dtype := types.get(node.inputs[0])) not in FLOATS:
            yield _wrong(f"/graph/nodes/{i}", node, "inputs/0", "a tensor of floats", str(dtype))
    others = []
    for i in kinds.values():
        pointer, node = f"/graph/nodes/{i}", nodes[i]
        if node.op in CONTROL_FLOW:
            yield _unknown(pointer, node, "has subgraphs")
        elif node.op not in SPARSE_OPS:
            others.append((pointer, node))
        elif node.attributes:
            yield _wrong(pointer, node, "attributes", "none", ", ".join(sorted(node.attributes)))
    if not others:
        return
    try:
        yield from _schema_problems(others)
    except ImportError:
        why = "onnx is not installed, which knows its operators: pip install onnx"
        view.skipped.append(Skipped("operators", why))


def _schema_problems(nodes: list[tuple[str, Node]]) -> Iterator[Finding]:
    """Yield what `onnx` says about nodes of ai.onnx.

    Raises:
        ImportError: onnx is not installed.
    """
    from onnx import defs

    for pointer, node in nodes:
        try:
            schema = defs.get_schema(node.op, OPSET, "")
        except defs.SchemaError:
            yield _unknown(pointer, node, "is unknown")
            continue
        if schema.deprecated:
            yield _unknown(pointer, node, "is no longer one")
            continue
        yield from _arity_problems(pointer, node, schema)
        yield from _attribute_problems(pointer, node, schema)


def _kind(node: Node) -> Hashable:
    """Return what the checks of a node depend on."""
    given = tuple(name != "" for name in node.inputs)
    return node.op, given, len(node.outputs), tuple(sorted(node.attributes.items(), key=str))


def _arity_problems(pointer: str, node: Node, schema: Any) -> Iterator[Finding]:
    for what, names, least, most in (
        ("inputs", node.inputs, schema.min_input, schema.max_input),
        ("outputs", node.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            expected = str(least) if least == most else f"{least} or more, at most {most}"
            yield _wrong(pointer, node, what, expected, str(len(names)))
    for i, (name, formal) in enumerate(zip(node.inputs, schema.inputs, strict=False)):
        if not name and formal.option == type(formal.option).Single:
            yield _wrong(pointer, node, f"inputs/{i}", f"the required input {formal.name}", "''")


def _attribute_problems(pointer: str, node: Node, schema: Any) -> Iterator[Finding]:
    known = schema.attributes
    for name, value in node.attributes.items():
        place, kind = f"attributes/{name}", _type_name(value)
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            yield _wrong(pointer, node, place, expected, name[:64])
        elif known[name].type.name != kind and not (value == () and kind[-1] == "S"):
            yield _wrong(pointer, node, place, known[name].type.name, kind)
    for name, attribute in known.items():
        if attribute.required and name not in node.attributes:
            yield _wrong(pointer, node, f"attributes/{name}", "the required attribute", "nothing")


def _type_name(value: Attribute) -> str:
    """Return the name of ONNX's attribute type for a value."""
    if isinstance(value, tuple):
        return f"{_type_name(value[0]) if value else 'INT'}S"
    return "FLOAT" if isinstance(value, float) else "INT" if isinstance(value, int) else "STRING"


def _unknown(pointer: str, node: Node, why: str) -> Finding:
    return Finding(
        "RX6002",
        f"operator {node.op[:64]!r} {why}",
        WHERE,
        pointer=f"{pointer}/op",
        expected=f"SparseLinear, SparseConv or one of ai.onnx, opset {OPSET}, without subgraphs",
        actual=node.op[:64],
    )


def _wrong(pointer: str, node: Node, what: str, expected: str, actual: str) -> Finding:
    return Finding(
        "RX6008",
        f"{node.op} does not take this",
        WHERE,
        pointer=f"{pointer}/{what}",
        expected=expected,
        actual=actual[:200],
    )
