"""`quantized`: integer codes with a scale and a zero point (spec §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.encodings import Encoded, Member, Vector, value_encoding
from radixfmt.findings import Finding, refuse
from radixfmt.model.digest import value_blocks
from radixfmt.model.layer import Quantized as Codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import LayerHeader, StoredArray
    from radixfmt.model.layer import Layer


class Quantized:
    """Reads and writes `values[nnz]` (the codes), `scale` and `zero_point`."""

    def accepts(self, layer: Layer) -> bool:
        """A layer whose weights are kept as codes."""
        return layer.quantized is not None

    def encode(self, layer: Layer) -> Encoded:
        """Return codes, scale and zero point as they are."""
        assert layer.quantized is not None  # noqa: S101  `accepts` says so
        codes, nnz = layer.quantized.codes, layer.pattern.nnz
        members = {"values": Member(codes.dtype, nnz, value_blocks(codes, nnz), compress=True)}
        for name in ("scale", "zero_point"):
            vector = getattr(layer.quantized, name)
            members[name] = Member(vector.dtype, vector.size, (vector,))
        return Encoded(members)

    def arrays(self, header: LayerHeader) -> Mapping[str, Vector]:
        """One code per edge; scale and zero point for each output neuron or for all."""
        dtype, sides = header.values["dtype"], (header.shape[1], 1)
        return {
            "values": Vector(dtype, (header.nnz,), "RX3011"),
            "scale": Vector("float32", sides, "RX3012"),
            "zero_point": Vector(dtype, sides, "RX3012"),
        }

    def decode(self, arrays: Mapping[str, StoredArray]) -> Codes:
        """Return the codes, read by slices, with scale and zero point, which are checked.

        Raises:
            FormatError: RX5007, a scale that is not finite and above 0.
        """
        scale = arrays["scale"][:]
        bad = np.flatnonzero(~(np.isfinite(scale) & (scale > 0)))
        if bad.size:
            finding = Finding(
                "RX5007",
                "an impossible scale",
                arrays["scale"].path,
                index=int(bad[0]),
                count=int(bad.size),
                expected="a finite number above 0",
                actual=str(scale[bad[0]]),
            )
            raise refuse(finding, file=arrays["scale"].file)
        return Codes(arrays["values"], scale, arrays["zero_point"][:])


value_encoding("quantized")(Quantized())
