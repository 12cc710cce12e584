"""The Binsparse 0.1.0 descriptor of an explicit layer: its group is a Binsparse container too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.model.dtypes import FOREIGN_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.storage.header import LayerHeader


def descriptor(header: LayerHeader, types: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the descriptor, or None for a layer that Binsparse cannot represent.

    Args:
        header: of the layer.
        types: names of the stored types of `pointers_to_1` and `indices_1`.
    """
    if header.pattern["encoding"] != "explicit" or header.dtype in FOREIGN_TYPES:
        return None
    values = header.dtype or "bint8"
    iso = header.values["encoding"] in ("iso", "topology-only")
    return {
        "version": "0.1.0",
        "format": header.pattern["format"],
        "shape": list(header.shape),
        "number_of_stored_values": header.nnz,
        "data_types": {
            "pointers_to_1": types["pointers_to_1"],
            "indices_1": types["indices_1"],
            "values": f"iso[{values}]" if iso else values,
        },
    }
