"""The JSON of the whole network: its graph, its tensors, and what is known of it (spec §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radixfmt.errors import FormatError
from radixfmt.generators import generator
from radixfmt.model.canonical import LARGEST_FLOAT32
from radixfmt.model.graph import ELEMENT_TYPES, Attribute, Node, Value
from radixfmt.model.metadata import Metadata
from radixfmt.storage.strict_json import Fields, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT_VERSION = "1.0-draft.1"
"""What this package writes; other drafts are refused, since drafts promise nothing."""

PATH = "/manifest"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `/manifest` says.

    Attributes:
        graph: nodes.
        inputs: graph inputs.
        outputs: graph outputs.
        tensors: names of the dense tensors, in the order of `/tensors/000000` ….
        metadata: who, what, whence.
        requires: features a reader must know.
    """

    graph: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    tensors: tuple[str, ...]
    metadata: Metadata
    requires: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: bytes, *, file: str, version: str) -> Manifest:
        """Return the manifest that `data` spells, every member checked.

        Args:
            data: UTF-8 JSON.
            file: its file, for messages.
            version: what the root attribute `format_version` says.

        Raises:
            FormatError: RX0203 unknown feature, RX2002 to RX2007.
        """
        fields = Fields(parse(data, path=PATH, file=file), pointer="", path=PATH, file=file)
        if fields.get("version", str) != version:
            raise fields.wrong(
                "version", f"{version}, as the root attribute says", fields.get("version", str)[:40]
            )
        requires = tuple(fields.items("requires", str))
        unknown = sorted(set(requires) - {f"procedural.{name}" for name in generator})
        if unknown:
            raise FormatError(
                f"{file}:{PATH}: RX0203 needs features this reader does not know: "
                f"{', '.join(unknown)[:200]}",
                hint="pip install -U radixfmt",
                code="RX0203",
            )
        graph = fields.into("graph")
        return cls(
            tuple(_node(node) for node in graph.each("nodes")),
            tuple(_value(value) for value in graph.each("inputs")),
            tuple(_value(value) for value in graph.each("outputs")),
            tuple(fields.items("tensors", str)),
            _metadata(fields.into("metadata")),
            requires,
        )


def manifest_json(
    graph: Mapping[str, Any], tensors: list[str], metadata: Metadata, requires: set[str]
) -> dict[str, Any]:
    """Return the object to store; `graph` is `model.digest.graph_json`."""
    return {
        "format": "radixfmt",
        "version": FORMAT_VERSION,
        "requires": sorted(requires),
        "graph": graph,
        "tensors": tensors,
        "metadata": metadata.as_json(),
    }


def _value(fields: Fields) -> Value:
    sizes = fields.get("shape", list)
    for i, size in enumerate(sizes):
        if isinstance(size, bool) or not isinstance(size, int | str):
            raise fields.wrong(f"shape/{i}", "a size or a symbol", repr(size)[:40])
        if isinstance(size, int) and size < 0:
            raise fields.wrong(f"shape/{i}", "a size of at least 0", str(size)[:40])
    dtype = fields.get("dtype", str)
    if dtype not in ELEMENT_TYPES:
        raise fields.wrong("dtype", ", ".join(ELEMENT_TYPES), repr(dtype)[:40])
    return Value(fields.get("name", str), tuple(sizes), dtype)


def _node(fields: Fields) -> Node:
    attributes = {}
    if fields.has("attributes"):
        access = fields.into("attributes")
        attributes = {name: _attribute(access.into(name)) for name in access.value}
    return Node(
        fields.get("op", str),
        tuple(fields.items("inputs", str)),
        tuple(fields.items("outputs", str)),
        attributes,
        fields.get("layer", int) if fields.has("layer") else None,
    )


def _attribute(fields: Fields) -> Attribute:
    """Return the value of `{"int": 1}`, `{"floats": […]}` and alike."""
    if fields.has("int"):
        return fields.get("int", int)
    if fields.has("string"):
        return fields.get("string", str)
    if fields.has("ints"):
        return tuple(fields.items("ints", int))
    if fields.has("strings"):
        return tuple(fields.items("strings", str))
    if fields.has("floats"):
        return tuple(_real(fields, value) for value in fields.get("floats", list))
    return _real(fields, fields.value.get("float"))


def _real(fields: Fields, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise fields.wrong("float", "a number", repr(value)[:40])
    number = float(value)
    if abs(number) > LARGEST_FLOAT32:
        raise fields.wrong("float", "a number within float32", repr(value)[:40])
    return number


def _metadata(fields: Fields) -> Metadata:
    return Metadata(
        fields.get("name", str, ""),
        fields.get("description", str, ""),
        fields.get("license", str, ""),
        tuple(fields.items("authors", dict, default=[])),
        tuple(fields.items("citation", dict, default=[])),
        fields.get("created", str, ""),
        tuple(fields.items("provenance", dict, default=[])),
        fields.get("training", dict, {}),
    )
