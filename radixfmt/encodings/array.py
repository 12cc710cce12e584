"""`array`: one value per edge, in the pattern's order (spec §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.encodings import Encoded, Member, value_encoding

if TYPE_CHECKING:
    from radixfmt.encodings import StoredArray
    from radixfmt.model.layer import Layer, Values


class Array:
    """Reads and writes `values[nnz]`."""

    def accepts(self, layer: Layer) -> bool:
        """Any layer with weights, unless one value stands for all."""
        return layer.dtype is not None and not layer.iso

    def encode(self, layer: Layer) -> Encoded:
        """Return the weights as they are."""
        weights = np.empty(0) if layer.weights is None else layer.weights
        dtype = weights.dtype.newbyteorder("<")
        return Encoded({"values": Member(dtype, weights.size, (weights,))})

    def length(self, nnz: int) -> int:
        """One value per edge."""
        return nnz

    def decode(self, values: StoredArray) -> Values | None:
        """Return the weights, read by slices."""
        return values


value_encoding("array")(Array())
