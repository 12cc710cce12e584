"""The JSON of the whole network: its graph, its tensors, and what is known of it (spec §3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import TYPE_CHECKING, Any

from radixfmt.findings import Finding, refuse
from radixfmt.model.canonical import LARGEST_FLOAT32
from radixfmt.model.dtypes import LARGEST_RANK, TENSOR_TYPES
from radixfmt.model.graph import Attribute, Node, Value
from radixfmt.model.metadata import Metadata
from radixfmt.storage.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT_VERSION = "1.0"
"""What this package writes."""

PATH = "/manifest"

FEATURES = frozenset({"layer.conv", "values.quantized", "dtype.bfloat16"})
"""What `requires` may list, beside `procedural.NAME/V` for every registered generator."""


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """What the manifest says of a dense tensor.

    Attributes:
        name: as nodes name it.
        dtype: one of `TENSOR_TYPES`.
        shape: sizes.
        digest: of its elements.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `/manifest` says.

    Attributes:
        graph: nodes.
        inputs: graph inputs.
        outputs: graph outputs.
        tensors: the dense tensors, in the order of `/tensors/000000` ….
        metadata: who, what, whence.
        requires: features a reader must know.
        profile: promises about the graph ("chain").
        unknown: JSON pointers of members that the specification does not name.
    """

    graph: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    tensors: tuple[TensorHeader, ...]
    metadata: Metadata
    requires: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def features(self) -> set[str]:
        """What a reader must know for the graph, the layers left aside: strings of `requires`."""
        return features_of((*self.tensors, *self.inputs, *self.outputs))

    @classmethod
    def from_json(cls, value: dict[str, Any], *, file: str, version: str) -> Manifest:
        """Return the manifest that a parsed text holds, every member checked.

        Args:
            value: the object.
            file: its file, for messages.
            version: what the root attribute `format_version` says.

        Raises:
            FormatError: RX0203 unknown feature, RX2007, RX2009.
        """
        fields = Fields(value, pointer="", path=PATH, file=file)
        for key, expected in (("format", "radixfmt"), ("version", version)):
            said = fields.get(key, str)
            if said != expected:
                raise fields.wrong(key, f"{expected}, as the root attribute", said[:40], "RX2009")
        tensors = tuple(_tensor(tensor) for tensor in fields.each("tensors"))
        names: set[str] = set()
        for i, tensor in enumerate(tensors):
            if tensor.name in names:
                raise fields.wrong(
                    f"tensors/{i}/name", "each tensor once", repr(tensor.name)[:60], "RX6004"
                )
            names.add(tensor.name)
        requires = tuple(fields.items("requires", str))
        unknown = sorted({name for name in requires if not _known(name)})
        if unknown:
            finding = Finding(
                "RX0203",
                f"needs features this reader does not know: {', '.join(unknown)[:200]}",
                PATH,
                pointer="/requires",
            )
            raise refuse(finding, file=file)
        graph = fields.into("graph")
        found = cls(
            tuple(_node(node) for node in graph.each("nodes")),
            tuple(_value(value) for value in graph.each("inputs")),
            tuple(_value(value) for value in graph.each("outputs")),
            tensors,
            _metadata(fields.into("metadata")),
            requires,
            tuple(fields.items("profile", str, default=[])),
        )
        return replace(found, unknown=tuple(fields.unread()))


def features_of(tensors: Iterable[TensorHeader | Value]) -> set[str]:
    """Return what a reader must know for dense tensors, inputs and outputs of these types."""
    return {f"dtype.{tensor.dtype}" for tensor in tensors if tensor.dtype == "bfloat16"}


def manifest_json(
    graph: Mapping[str, Any],
    tensors: list[TensorHeader],
    metadata: Metadata,
    requires: set[str],
    profile: list[str],
) -> dict[str, Any]:
    """Return the object to store; `graph` is `model.digest.graph_json`."""
    return {
        "format": "radixfmt",
        "version": FORMAT_VERSION,
        "requires": sorted(requires),
        "graph": graph,
        "tensors": [asdict(tensor) | {"shape": list(tensor.shape)} for tensor in tensors],
        "metadata": metadata.as_json(),
    } | ({"profile": profile} if profile else {})


def _known(feature: str) -> bool:
    from radixfmt.generators import generator

    kind, _, name = feature.partition(".")
    return feature in FEATURES or (kind == "procedural" and name in generator)


def _tensor(fields: Fields) -> TensorHeader:
    dtype, shape = fields.get("dtype", str), tuple(fields.items("shape", int))
    if dtype not in TENSOR_TYPES:
        raise fields.wrong("dtype", ", ".join(TENSOR_TYPES), dtype[:40], "RX3007")
    if len(shape) > LARGEST_RANK or min(shape, default=0) < 0:
        raise fields.wrong("shape", f"at most {LARGEST_RANK} sizes of at least 0", str(shape)[:60])
    return TensorHeader(fields.get("name", str), dtype, shape, fields.get("digest", str))


def _value(fields: Fields) -> Value:
    sizes = fields.get("shape", list)
    if len(sizes) > LARGEST_RANK:
        raise fields.wrong("shape", f"at most {LARGEST_RANK} sizes", f"{len(sizes)}")
    for i, size in enumerate(sizes):
        if isinstance(size, bool) or not isinstance(size, int | str):
            raise fields.wrong(f"shape/{i}", "a size or a symbol", repr(size)[:40])
        if isinstance(size, int) and size < 0:
            raise fields.wrong(f"shape/{i}", "a size of at least 0", str(size)[:40])
    dtype = fields.get("dtype", str)
    if dtype not in TENSOR_TYPES:
        raise fields.wrong("dtype", ", ".join(TENSOR_TYPES), repr(dtype)[:40])
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
    if len(fields.value) != 1:
        raise fields.wrong("", "one member", str(sorted(fields.value))[:60])
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
    for name, value in fields.value.items():
        if value in ("", [], {}):
            raise fields.wrong(name, "a member that says something, or none", repr(value))
    for author in fields.each("authors") if fields.has("authors") else ():
        author.get("name", str)
        author.get("orcid", str, "")
        author.value  # noqa: B018  the rest is theirs to say
    known = {field.name for field in dataclass_fields(Metadata)} - {"other"}
    return Metadata(
        fields.get("name", str, ""),
        fields.get("description", str, ""),
        fields.get("license", str, ""),
        tuple(fields.items("authors", dict, default=[])),
        tuple(fields.items("citation", dict, default=[])),
        fields.get("created", str, ""),
        tuple(fields.items("provenance", dict, default=[])),
        fields.get("training", dict, {}),
        other={name: value for name, value in fields.value.items() if name not in known},
    )
