"""`iso`: one value that all edges share (spec §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.encodings import Encoded, Member, value_encoding

if TYPE_CHECKING:
    from radixfmt.encodings import StoredArray
    from radixfmt.model.layer import Layer, Values


class Iso:
    """Reads and writes `values[1]`."""

    def accepts(self, layer: Layer) -> bool:
        """A layer whose weights are given as one value."""
        return layer.iso

    def encode(self, layer: Layer) -> Encoded:
        """Return the one value."""
        weights = np.empty(0) if layer.weights is None else layer.weights
        dtype = weights.dtype.newbyteorder("<")
        return Encoded({"values": Member(dtype, 1, (weights,))})

    def length(self, nnz: int) -> int:  # noqa: ARG002  one value for any number of edges
        """One value."""
        return 1

    def decode(self, values: StoredArray) -> Values | None:
        """Return the value."""
        return values


value_encoding("iso")(Iso())
