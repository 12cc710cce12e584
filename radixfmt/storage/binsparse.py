"""The Binsparse 0.1.0 descriptor of an explicit layer: its group is a Binsparse container too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import Member
    from radixfmt.storage.header import LayerHeader

NOT_REPRESENTABLE = ("float16",)


def descriptor(header: LayerHeader, members: Mapping[str, Member]) -> dict[str, Any] | None:
    """Return the descriptor, or None for a value type that Binsparse does not know."""
    if header.dtype in NOT_REPRESENTABLE:
        return None
    values = header.dtype or "bint8"
    iso = header.values["encoding"] != "array"
    return {
        "version": "0.1.0",
        "format": "CSC",
        "shape": list(header.shape),
        "number_of_stored_values": header.nnz,
        "data_types": {
            "pointers_to_1": members["pointers_to_1"].dtype.name,
            "indices_1": members["indices_1"].dtype.name,
            "values": f"iso[{values}]" if iso else values,
        },
    }
