"""`iso`: one value that all edges share (spec §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.encodings import Encoded, Member, Vector, value_encoding
from radixfmt.model.digest import value_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import LayerHeader, StoredArray
    from radixfmt.model.layer import Layer, Values


class Iso:
    """Reads and writes `values[1]`."""

    def accepts(self, layer: Layer) -> bool:
        """A layer whose weights are given as one value."""
        return layer.iso

    def encode(self, layer: Layer) -> Encoded:
        """Return the one value."""
        assert layer.stored is not None  # noqa: S101  `accepts` says so
        return Encoded({"values": Member(layer.stored.dtype, 1, value_blocks(layer.stored, 1))})

    def arrays(self, header: LayerHeader) -> Mapping[str, Vector]:
        """One value for any number of edges."""
        return {"values": Vector(header.values["dtype"], (1,), "RX3011")}

    def decode(self, arrays: Mapping[str, StoredArray]) -> Values | None:
        """Return the value."""
        return arrays["values"]


value_encoding("iso")(Iso())
