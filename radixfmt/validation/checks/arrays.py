"""The arrays themselves: every pointer, every index, and numbers that are numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.model.invariants import problems
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer


@check("arrays", needs=("headers",))
def arrays(view: View) -> Iterator[Finding]:
    """Yield what is wrong inside each layer's arrays."""
    for i, header in enumerate(view.headers):
        path = f"/layers/{i:06d}"
        layer = view.open_file.layer(i, header)
        try:
            if header.pattern["encoding"] == "explicit":
                yield from _edges(view, path, layer)
            yield from _numbers(f"{path}/values", layer.weights)
            yield from _numbers(f"{path}/bias", layer.bias)
        except FormatError as error:
            if not isinstance(error.finding, Finding):
                raise
            yield error.finding


def _edges(view: View, path: str, layer: Layer) -> Iterator[Finding]:
    guard = view.open_file.guard
    pointers = guard.array(f"{path}/pointers_to_1")[:]
    indices = guard.array(f"{path}/indices_1")[:]
    for finding in problems(layer.pattern.shape, layer.pattern.nnz, pointers, indices):
        yield replace(finding, path=f"{path}/{finding.path}")


def _numbers(path: str, values: NDArray[Any] | None) -> Iterator[Finding]:
    if values is None or values.dtype.kind != "f":
        return
    for code, what, bad in (
        ("RX5001", "NaN", np.isnan(values)),
        ("RX5002", "infinite", np.isinf(values)),
    ):
        where = np.flatnonzero(bad)
        if where.size:
            yield Finding(
                code,
                f"{what} values",
                path,
                index=int(where[0]),
                count=int(where.size),
                expected="finite numbers",
                actual=str(values[where[0]]),
            )
