"""The graph: names that resolve, no cycle, nothing unused, sizes that meet, promises kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.model.wiring import problems, profile_problems
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.findings import Finding


@check("graph", needs=("headers",))
def graph(view: View) -> Iterator[Finding]:
    """Yield what is wrong with the wiring."""
    manifest = view.open_file.manifest
    shapes = {tensor.name: tensor.shape for tensor in manifest.tensors}
    yield from problems(
        manifest.graph,
        manifest.inputs,
        manifest.outputs,
        shapes.keys(),
        [(header.kind, header.shape) for header in view.headers],
        geometries={
            i: header.geometry
            for i, header in enumerate(view.headers)
            if header.geometry is not None
        },
        shapes=shapes,
    )
    for profile in manifest.profile:
        yield from profile_problems(profile, manifest.graph, manifest.inputs, manifest.outputs)
