"""The edges themselves: every pointer, every index, and how many edges neurons have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.model.digest import EXPANSION_LIMIT
from radixfmt.model.invariants import INDICES, POINTERS, index_problems, pointer_run_problems
from radixfmt.validation.checks import View, check
from radixfmt.validation.degrees import Degrees
from radixfmt.validation.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from radixfmt.encodings import StoredArray
    from radixfmt.storage.header import LayerHeader

BLOCK_POINTERS = 1 << 20
BLOCK_EDGES = 1 << 22
"""Elements read at a time, whatever the size of the layer."""

DENSE = 64
"""Edges below which nobody gains by storing a layer dense."""


@check("arrays", needs=("headers",))
def arrays(view: View) -> Iterator[Finding]:
    """Yield what is wrong with each layer's edges."""
    left_out = 0
    for i, (header, made) in enumerate(zip(view.headers, view.made, strict=True)):
        path = f"/layers/{i:06d}"
        try:
            if header.pattern["encoding"] == "explicit":
                yield from _stored(view, path, header)
                continue
            pattern = view.open_file.layer(i, header).pattern
            pattern.columns(0, min(1, header.shape[1]))  # also reads permutations, which are whole
            if header.nnz > EXPANSION_LIMIT or not made:
                left_out += header.fan_in is not None or header.fan_out is not None
            else:
                degrees = Degrees(header.shape[0])
                for _, _, block in pattern.blocks():
                    degrees.add_groups(np.diff(block.indptr))
                    degrees.add_edges(block.indices)
                yield from _degree_problems(view, path, header, degrees)
        except FormatError as error:
            if not isinstance(error.finding, Finding):
                raise
            yield error.finding
    if left_out:
        why = f"the declared degrees of {left_out} generated layers were not counted; --expand does"
        view.skipped.append(Skipped("arrays", why))


def _stored(view: View, path: str, header: LayerHeader) -> Iterator[Finding]:
    """Yield what is wrong with pointers and, where these are sound, with indices."""
    guard = view.open_file.guard
    pointers, indices = guard.array(f"{path}/{POINTERS}"), guard.array(f"{path}/{INDICES}")
    others, groups = header.shape if header.pattern["format"] == "CSC" else header.shape[::-1]
    broken = _merged(
        finding
        for first, run in _pointer_runs(pointers, groups)
        for finding in pointer_run_problems(run, first, groups, header.nnz)
    )
    degrees = Degrees(others)
    if not broken:
        broken = _merged(_index_findings(pointers, indices, groups, others, degrees))
    yield from (replace(finding, path=f"{path}/{finding.path}") for finding in broken)
    if not broken:
        yield from _degree_problems(view, path, header, degrees)
    if header.nnz >= DENSE and header.density > 0.5:
        yield Finding(
            "RX4010",
            "more than half of all cells are edges",
            path,
            expected="a density of at most 0.5",
            actual=f"{header.density:.3g}",
        )


def _index_findings(
    pointers: StoredArray, indices: StoredArray, groups: int, others: int, degrees: Degrees
) -> Iterator[Finding]:
    """Yield what is wrong with each run of indices, and count the degrees on the way."""
    sound = True
    for _, ends in _pointer_runs(pointers, groups):
        degrees.add_groups(np.diff(ends))
        for run in _edge_runs(ends.astype(np.int64), indices):
            for finding in index_problems(others, run.pointers, run.indices, offset=run.first):
                sound = False
                yield finding
            if sound:
                degrees.add_edges(run.indices[run.seen :])


def _pointer_runs(pointers: StoredArray, groups: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (position, run) of all pointers; runs overlap by one."""
    for first in range(0, max(groups, 1), BLOCK_POINTERS):
        yield first, pointers[first : min(first + BLOCK_POINTERS, groups) + 1]


class _EdgeRun(NamedTuple):
    """Edges to look at together.

    `first` is the position of the first edge, `pointers` begin at 0, and the first `seen` indices
    were in the run before: a group too large for one run is cut where both runs see an index.
    """

    first: int
    pointers: NDArray[np.int64]
    indices: NDArray[Any]
    seen: int = 0


def _edge_runs(ends: NDArray[np.int64], indices: StoredArray) -> Iterator[_EdgeRun]:
    """Yield the edges of a run of pointers, whole groups as far as they fit."""
    start = 0
    while start < ends.size - 1:
        first = int(ends[start])
        stop = int(np.searchsorted(ends, first + BLOCK_EDGES, side="right")) - 1
        stop = max(stop, start + 1)
        last = int(ends[stop])
        if last - first <= BLOCK_EDGES:
            if last > first:
                yield _EdgeRun(first, ends[start : stop + 1] - first, indices[first:last])
        else:
            for piece in range(first, last, BLOCK_EDGES):
                begin = max(piece - 1, first)
                part = indices[begin : min(piece + BLOCK_EDGES, last)]
                yield _EdgeRun(begin, np.array([0, part.size]), part, piece - begin)
        start = stop


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding of each code, the first, with the count of all."""
    found: dict[str, Finding] = {}
    for finding in findings:
        before = found.get(finding.code)
        count = (finding.count or 1) + (before.count or 1 if before else 0)
        found[finding.code] = replace(before or finding, count=count)
    return list(found.values())


def _degree_problems(
    view: View, path: str, header: LayerHeader, degrees: Degrees
) -> Iterator[Finding]:
    """Yield neurons without an edge and declared degrees that are not so."""
    by_input = header.pattern.get("format") == "CSR"
    fan_in, fan_out = degrees.groups, degrees.others
    if by_input:
        fan_in, fan_out = fan_out, fan_in  # type: ignore[assignment]  # None is dealt with below
    for name, spread, declared, what in (
        ("fan_in", fan_in, header.fan_in, "output neurons without an input"),
        ("fan_out", fan_out, header.fan_out, "input neurons that feed no output"),
    ):
        if spread is None:
            if declared is not None:
                why = f"{path}: {name} of so many neurons is not counted"
                view.skipped.append(Skipped("arrays", why))
            continue
        if declared is not None and tuple(declared) != (spread.least, spread.largest):
            yield Finding(
                "RX4009",
                f"{name} is not what the edges say",
                path,
                pointer=f"/{name}",
                expected=f"[{spread.least}, {spread.largest}]",
                actual=str(list(declared)),
            )
        if spread.isolated:
            yield Finding("RX4008", what, path, index=spread.first, count=spread.isolated)
