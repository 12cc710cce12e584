"""What the manifest promises beside the graph: its spelling, and the features it lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.model.canonical import canonical_json
from radixfmt.storage.manifest import PATH
from radixfmt.storage.strict_json import parse
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator


@check("manifest", needs=("headers",))
def manifest(view: View) -> Iterator[Finding]:
    """Yield features that are in use and not listed, and JSON that is not in RFC 8785 form."""
    file = view.open_file
    features = file.manifest.features.union(*(header.features for header in view.headers))
    missing = sorted(features - set(file.manifest.requires))
    if missing:
        yield Finding(
            "RX0206",
            "features in use are not listed",
            PATH,
            pointer="/requires",
            count=len(missing),
            expected=", ".join(missing)[:200],
            actual=str(list(file.manifest.requires))[:200],
        )
    listed = {f"{i:06d}" for i in range(len(file.manifest.tensors))}
    for name in sorted(set(file.guard.names("/tensors")) - listed):
        yield Finding("RX3004", "a tensor that the manifest does not list", f"/tensors/{name}")
    texts = [(PATH, file.guard.text(PATH))]
    for i in range(len(view.headers)):
        path = f"/layers/{i:06d}"
        texts.append((path, file.guard.attribute(path, "layer") or b""))
    for path, data in texts:
        if canonical_json(parse(data, path=path, file=view.path)).encode() != data:
            yield Finding("RX2008", "JSON is not in RFC 8785 form", path)
