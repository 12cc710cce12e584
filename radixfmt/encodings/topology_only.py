"""`topology-only`: the file says where edges are and not what they weigh (spec §4).

`values` is one uint8 1, which Binsparse reads as `iso[bint8]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.encodings import Encoded, Member, Vector, value_encoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import LayerHeader, StoredArray
    from radixfmt.model.layer import Layer, Values


class TopologyOnly:
    """Reads and writes layers without weights."""

    def accepts(self, layer: Layer) -> bool:
        """A layer without weights."""
        return layer.dtype is None

    def encode(self, layer: Layer) -> Encoded:  # noqa: ARG002  the same for every layer
        """Return the one uint8."""
        return Encoded({"values": Member(np.dtype(np.uint8), 1, (np.ones(1, np.uint8),))})

    def arrays(self, header: LayerHeader) -> Mapping[str, Vector]:  # noqa: ARG002  always the same
        """One value for any number of edges."""
        return {"values": Vector("uint8", (1,), "RX3011")}

    def decode(self, arrays: Mapping[str, StoredArray]) -> Values | None:  # noqa: ARG002
        """Return None: there are no weights."""
        return None


value_encoding("topology-only")(TopologyOnly())
