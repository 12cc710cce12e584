"""`topology-only`: the file says where edges are and not what they weigh (spec §4).

`values` is one uint8 1, which Binsparse reads as `iso[bint8]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.encodings import Encoded, Member, value_encoding

if TYPE_CHECKING:
    from radixfmt.encodings import StoredArray
    from radixfmt.model.layer import Layer, Values


class TopologyOnly:
    """Reads and writes layers without weights."""

    def accepts(self, layer: Layer) -> bool:
        """A layer without weights."""
        return layer.dtype is None

    def encode(self, layer: Layer) -> Encoded:  # noqa: ARG002  the same for every layer
        """Return the one uint8."""
        return Encoded({"values": Member(np.dtype(np.uint8), 1, (np.ones(1, np.uint8),))})

    def length(self, nnz: int) -> int:  # noqa: ARG002  one value for any number of edges
        """One value."""
        return 1

    def decode(self, values: StoredArray) -> Values | None:  # noqa: ARG002  carries no weights
        """Return None."""
        return None


value_encoding("topology-only")(TopologyOnly())
