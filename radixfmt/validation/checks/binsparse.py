"""Layer groups as Binsparse containers: the descriptor is there, and says what the layer says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.storage.binsparse import descriptor
from radixfmt.storage.fields import escaped
from radixfmt.storage.strict_json import parse
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.storage.header import LayerHeader


@check("binsparse", needs=("headers",))
def binsparse(view: View) -> Iterator[Finding]:
    """Yield descriptors that are missing, out of place, or of something else."""
    for i, header in enumerate(view.headers):
        path = f"/layers/{i:06d}"
        data = view.open_file.guard.attribute(path, "binsparse")
        expected = _expected(view, path, header)
        if expected is None and data is not None:
            yield Finding("RX3022", "Binsparse cannot represent this layer", path)
        elif expected is not None and data is None:
            yield Finding("RX3021", "the Binsparse descriptor is missing", path)
        elif expected is not None and data is not None:
            found = parse(data, path=path, file=view.path).get("binsparse")
            yield from _differences(path, expected, found if isinstance(found, dict) else {})


def _expected(view: View, path: str, header: LayerHeader) -> dict[str, object] | None:
    names = ("pointers_to_1", "indices_1")
    if header.pattern["encoding"] != "explicit":
        return None
    guard = view.open_file.guard
    return descriptor(header, {name: guard.array(f"{path}/{name}").dtype.name for name in names})


def _differences(
    path: str, expected: dict[str, object], found: dict[str, object]
) -> Iterator[Finding]:
    for key in expected | found:  # a member more, say `structure`, can be another matrix
        if key not in found or key not in expected or found[key] != expected[key]:
            yield Finding(
                "RX3024" if key == "version" else "RX3023",
                "the Binsparse descriptor is not that of the layer",
                path,
                pointer=f"/binsparse/{escaped(key)}",
                expected=str(expected.get(key, "no such member")),
                actual=str(found.get(key, "no such member"))[:80],
            )
