"""Generators: edges that a record could stand for, and features that few tools read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.generators import recognise
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 24
"""Edges of a layer beyond which comparing it costs more than the hint is worth."""


@check("procedural", needs=("headers",))
def procedural(view: View) -> Iterator[Finding]:
    """Yield hints about how layers are stored, each once for the file."""
    features = view.open_file.manifest.features.union(*(h.features for h in view.headers))
    features.discard("layer.conv")
    if features:
        yield Finding("RX9204", f"few tools read {', '.join(sorted(features))}")
    found: dict[str, str] = {}
    for i, header in enumerate(view.headers):
        if header.pattern["encoding"] == "explicit" and 0 < header.nnz <= LARGEST:
            with suppress(FormatError):  # broken edges are another check's business
                record = recognise(view.open_file.layer(i, header).pattern, i)
                if record is not None:
                    found[f"/layers/{i:06d}"] = record["generator"]
    if found:
        path, name = next(iter(found.items()))
        yield Finding("RX9203", f"{name} makes exactly these edges", path, count=len(found))
