"""The graph: names that resolve, no cycle, nothing unused, sizes that meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.model.wiring import problems
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.findings import Finding


@check("graph", needs=("headers",))
def graph(view: View) -> Iterator[Finding]:
    """Yield what is wrong with the wiring."""
    manifest = view.open_file.manifest
    layers = [(header.kind, header.shape) for header in view.headers]
    yield from problems(manifest.graph, manifest.inputs, manifest.outputs, manifest.tensors, layers)
