"""The JSON of one layer: everything that is known without reading its arrays (spec §4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError
from radixfmt.findings import Finding, refuse
from radixfmt.model.canonical import LARGEST_INTEGER
from radixfmt.model.digest import EXPANSION_LIMIT
from radixfmt.model.dtypes import QUANTIZED_TYPES, VALUE_TYPES
from radixfmt.model.layer import ConvGeometry
from radixfmt.storage.fields import Fields
from radixfmt.storage.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.model.layer import Kind

PATTERN_MEMBERS = ("encoding", "format", "generator", "parameters")


@dataclass(frozen=True, slots=True)
class LayerHeader:
    """What the attribute `layer` of a layer group says.

    Attributes:
        name: the layer's name.
        kind: "linear" or "conv".
        shape: (n_in, n_out).
        nnz: number of edges.
        pattern: `{"encoding": …}` and that encoding's facts.
        values: `{"encoding": …, "dtype": …}`.
        bias: `{"dtype": …, "length": n_out or 1}`, or None.
        geometry: of a conv layer.
        fan_in: (least, largest) number of edges into an output neuron, if the file says so.
        fan_out: likewise out of an input neuron.
        digests: `rx1:` digests by name.
        unknown: JSON pointers of members that the specification does not name.
    """

    name: str
    kind: Kind
    shape: tuple[int, int]
    nnz: int
    pattern: Mapping[str, Any]
    values: Mapping[str, Any]
    bias: Mapping[str, Any] | None = None
    geometry: ConvGeometry | None = None
    fan_in: tuple[int, int] | None = None
    fan_out: tuple[int, int] | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def dtype(self) -> str | None:
        """Element type of what the file keeps for each edge; None for topology only."""
        return self.values["dtype"] if self.values["encoding"] != "topology-only" else None

    @property
    def density(self) -> float:
        """Share of cells that are edges."""
        cells = self.shape[0] * self.shape[1]
        return self.nnz / cells if cells else 0.0

    @property
    def features(self) -> set[str]:
        """What a reader must know for this layer: strings of the manifest's `requires`."""
        found = set()
        if self.pattern["encoding"] == "procedural":
            found |= generators_of(self.pattern)
        if self.kind == "conv":
            found.add("layer.conv")
        if self.values["encoding"] == "quantized":
            found.add("values.quantized")
        if "bfloat16" in (self.values["dtype"], (self.bias or {}).get("dtype")):
            found.add("dtype.bfloat16")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the object to store."""
        found = {key: value for key, value in asdict(self).items() if value is not None}
        del found["unknown"]
        return found | {"shape": list(self.shape)}

    @classmethod
    def from_json(cls, data: bytes, *, path: str, file: str) -> LayerHeader:
        """Return the header that `data` spells, every member checked.

        Raises:
            FormatError: RX2002 to RX2007, RX3007 to RX3009, RX6011.
        """
        fields = Fields(parse(data, path=path, file=file), pointer="", path=path, file=file)
        kind = fields.get("kind", str)
        if kind not in ("linear", "conv"):
            raise fields.wrong("kind", "'linear' or 'conv'", repr(kind)[:40])
        shape, nnz = fields.shape(), fields.get("nnz", int)
        pattern, values = fields.into("pattern"), fields.into("values")
        explicit = pattern.get("encoding", str) == "explicit"
        most = min(shape[0] * shape[1], EXPANSION_LIMIT if explicit else LARGEST_INTEGER)
        if not 0 <= nnz <= most:
            raise fields.wrong("nnz", f"0 to {most}", str(nnz), "RX3009")
        _check_type(values, *_types(values.get("encoding", str)))
        bias = None
        if fields.has("bias"):
            access = fields.into("bias")
            _check_type(access, *VALUE_TYPES)
            if access.get("length", int) not in (1, shape[1]):
                raise access.wrong(
                    "length", f"1 or n_out = {shape[1]}", str(access.get("length", int)), "RX3012"
                )
            bias = {"dtype": access.get("dtype", str), "length": access.get("length", int)}
        if kind == "linear" and fields.has("geometry"):
            raise fields.wrong("geometry", "none: the layer is linear", "one")
        digests = fields.into("digests")
        stored = values.get("encoding", str)
        arrays = {"pattern", *(["values"] if stored != "topology-only" else [])}
        arrays |= {"bias"} if bias else set()
        arrays |= {"scale", "zero_point"} if stored == "quantized" else set()
        return cls(
            fields.get("name", str),
            "conv" if kind == "conv" else "linear",
            shape,
            nnz,
            {name: pattern.get(name, object) for name in PATTERN_MEMBERS if pattern.has(name)},
            {"encoding": values.get("encoding", str), "dtype": values.get("dtype", str)},
            bias,
            _geometry(fields, shape, path, file) if kind == "conv" else None,
            _fan(fields, "fan_in"),
            _fan(fields, "fan_out"),
            {name: digests.get(name, str) for name in sorted(arrays) if digests.has(name)},
            tuple(fields.unread()),
        )


def generators_of(record: Mapping[str, Any]) -> set[str]:
    """Return the features that a generator record and the one it may wrap need."""
    found = {f"procedural.{record.get('generator')}"}
    parameters = record.get("parameters")
    base = parameters.get("base") if isinstance(parameters, dict) else None
    if isinstance(base, dict):
        found.add(f"procedural.{base.get('generator')}")
    return found


def _types(encoding: str) -> tuple[str, ...]:
    """Return the types that values of an encoding may have; an unknown one is found later."""
    return {"quantized": QUANTIZED_TYPES, "topology-only": ("uint8",)}.get(encoding, VALUE_TYPES)


def _check_type(fields: Fields, *known: str) -> None:
    name = fields.get("dtype", str)
    if name not in known:
        raise fields.wrong("dtype", ", ".join(known), name[:40], "RX3007")


def _fan(fields: Fields, name: str) -> tuple[int, int] | None:
    if not fields.has(name):
        return None
    ends = fields.items(name, int)
    if len(ends) != 2 or not 0 <= ends[0] <= ends[1]:
        raise fields.wrong(name, "[least, largest]", str(ends)[:40])
    return ends[0], ends[1]


def _geometry(fields: Fields, shape: tuple[int, int], path: str, file: str) -> ConvGeometry:
    access = fields.into("geometry")
    try:
        geometry = ConvGeometry(
            tuple(access.items("kernel_shape", int)),
            tuple(access.items("strides", int)),
            tuple(access.items("pads", int)),
            tuple(access.items("dilations", int)),
            access.get("group", int),
        )
        geometry.check(shape)
    except ParameterError as error:
        finding = Finding("RX6011", str(error), path, pointer="/geometry")
        raise refuse(finding, file=file) from None
    return geometry
