"""`array`: one value per edge, in the pattern's order (spec §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.encodings import Encoded, Member, Vector, value_encoding
from radixfmt.model.digest import value_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import LayerHeader, StoredArray
    from radixfmt.model.layer import Layer, Values


class Array:
    """Reads and writes `values[nnz]`."""

    def accepts(self, layer: Layer) -> bool:
        """Any layer with weights of its own for each edge."""
        return layer.dtype is not None and not layer.iso and layer.quantized is None

    def encode(self, layer: Layer) -> Encoded:
        """Return the weights as they are."""
        assert layer.stored is not None  # noqa: S101  `accepts` says so
        nnz = layer.pattern.nnz
        return Encoded({"values": Member(layer.stored.dtype, nnz, value_blocks(layer.stored, nnz))})

    def arrays(self, header: LayerHeader) -> Mapping[str, Vector]:
        """One value per edge."""
        code = "RX3011" if header.nnz != 1 else "RX3005"
        return {"values": Vector(header.values["dtype"], (header.nnz,), code)}

    def decode(self, arrays: Mapping[str, StoredArray]) -> Values | None:
        """Return the weights, read by slices."""
        return arrays["values"]


value_encoding("array")(Array())
