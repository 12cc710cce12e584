"""Layer headers: numbering, JSON, and whether the arrays they declare, and no others, are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.encodings import pattern_encoding, value_encoding
from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.storage.header import LayerHeader


@check("headers", needs=("structure",))
def headers(view: View) -> Iterator[Finding]:
    """Yield what is wrong with each layer's header; a broken one does not hide the next."""
    file = view.open_file
    for i in range(file.count()):
        path = f"/layers/{i:06d}"
        try:
            header = file.header(i)
            file.layer(i, header)
        except FormatError as error:
            if not isinstance(error.finding, Finding):
                raise
            yield error.finding
        else:
            view.headers.append(header)
            for pointer in header.unknown:
                yield Finding("RX9101", "an unknown member", path, pointer=pointer)
            for name in sorted(set(file.guard.names(path)) - _used(header)):
                yield Finding(
                    "RX3004",
                    "the layer's encodings do not use this",
                    f"{path}/{name}",
                    expected=f"nothing but {', '.join(sorted(_used(header)))}",
                    actual=name[:64],
                )


def _used(header: LayerHeader) -> set[str]:
    """Return the names of the datasets that a layer has."""
    patterns = pattern_encoding[header.pattern["encoding"]].arrays_of(header.pattern)
    vectors = value_encoding[header.values["encoding"]].arrays(header)
    return {*patterns, *vectors, *(("bias",) if header.bias is not None else ())}
