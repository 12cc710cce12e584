"""The JSON of one layer: everything that is known without reading its arrays (spec §4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.findings import Finding, refuse
from radixfmt.model.layer import ConvGeometry
from radixfmt.storage.strict_json import Fields, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.model.layer import Kind

VALUE_TYPES = (
    "float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8",
)  # fmt: skip


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
        digests: `rx1:` digests by name.
    """

    name: str
    kind: Kind
    shape: tuple[int, int]
    nnz: int
    pattern: Mapping[str, Any]
    values: Mapping[str, Any]
    bias: Mapping[str, Any] | None = None
    geometry: ConvGeometry | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def dtype(self) -> str | None:
        """Element type of the weights; None for topology only."""
        return self.values["dtype"] if self.values["encoding"] != "topology-only" else None

    @property
    def density(self) -> float:
        """Share of cells that are edges."""
        cells = self.shape[0] * self.shape[1]
        return self.nnz / cells if cells else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the object to store."""
        found = {key: value for key, value in asdict(self).items() if value is not None}
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
            raise fields.wrong("kind", "'linear' or 'conv'", repr(kind))
        shape, nnz = fields.shape(), fields.get("nnz", int)
        if not 0 <= nnz <= shape[0] * shape[1]:
            finding = Finding(
                "RX3009",
                "impossible number of edges",
                path,
                pointer="/nnz",
                expected=f"0 to n_in · n_out = {shape[0] * shape[1]}",
                actual=str(nnz),
            )
            raise refuse(finding, file=file)
        pattern, values = fields.into("pattern"), fields.into("values")
        pattern.get("encoding", str)
        if values.get("encoding", str) != "topology-only":
            _known_type(values, path, file)
        bias = None
        if fields.has("bias"):
            access = fields.into("bias")
            _known_type(access, path, file)
            if access.get("length", int) not in (1, shape[1]):
                raise access.wrong("length", f"1 or n_out = {shape[1]}", str(access.value))
            bias = access.value
        return cls(
            fields.get("name", str),
            "conv" if kind == "conv" else "linear",
            shape,
            nnz,
            pattern.value,
            values.value,
            bias,
            _geometry(fields, path, file) if kind == "conv" else None,
            {name: fields.into("digests").get(name, str) for name in fields.get("digests", dict)},
        )


def _known_type(fields: Fields, path: str, file: str) -> None:
    name = fields.get("dtype", str)
    if name not in VALUE_TYPES:
        finding = Finding(
            "RX3007",
            "a type that values may not have",
            path,
            pointer="/dtype",
            expected=", ".join(VALUE_TYPES),
            actual=name[:40],
        )
        raise refuse(finding, file=file)
    np.dtype(name)


def _geometry(fields: Fields, path: str, file: str) -> ConvGeometry:
    access = fields.into("geometry")
    try:
        return ConvGeometry(
            tuple(access.items("kernel_shape", int)),
            tuple(access.items("strides", int)),
            tuple(access.items("pads", int)),
            tuple(access.items("dilations", int)),
            access.get("group", int),
        )
    except ParameterError as error:
        finding = Finding("RX6011", str(error), path, pointer="/geometry")
        raise refuse(finding, file=file) from None
