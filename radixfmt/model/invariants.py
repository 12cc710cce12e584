"""What can be wrong with the two arrays of an explicit pattern (spec §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def problems(
    shape: tuple[int, int], nnz: int, indptr: NDArray[Any], indices: NDArray[Any]
) -> Iterator[Finding]:
    """Yield what is wrong with the two arrays of an explicit pattern, pointers first.

    Index checks are made only where the pointers are sound, since they rest on them.
    """
    sound = True
    for finding in pointer_problems(shape, nnz, indptr):
        sound = False
        yield finding
    if sound:
        yield from index_problems(shape[0], indptr, indices)


def pointer_problems(shape: tuple[int, int], nnz: int, indptr: NDArray[Any]) -> Iterator[Finding]:
    """Yield what is wrong with the column pointers of a pattern with `nnz` edges."""
    where = "pointers_to_1"
    if indptr.dtype.kind not in "iu":
        yield Finding(
            "RX3007",
            "pointers are not integers",
            where,
            actual=str(indptr.dtype),
            expected="an integer type",
        )
        return
    if indptr.shape != (shape[1] + 1,):
        yield Finding(
            "RX3005",
            "wrong number of column pointers",
            where,
            expected=f"n_out + 1 = {shape[1] + 1}",
            actual=str(indptr.size),
        )
        return
    if indptr[0] != 0:
        yield Finding(
            "RX4001",
            "the first pointer is not zero",
            where,
            index=0,
            expected="0",
            actual=str(indptr[0]),
        )
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if falls.size:
        at = int(falls[0]) + 1
        yield Finding(
            "RX4002",
            "pointers decrease",
            where,
            index=at,
            count=int(falls.size),
            expected=f"at least {indptr[at - 1]}",
            actual=str(indptr[at]),
        )
    if int(indptr[-1]) != nnz:
        yield Finding(
            "RX4003",
            "the last pointer is not the number of edges",
            where,
            index=shape[1],
            expected=str(nnz),
            actual=str(indptr[-1]),
            hint="the file was cut or edited; write it again",
        )


def index_problems(
    n_in: int, indptr: NDArray[Any], indices: NDArray[Any], *, offset: int = 0
) -> Iterator[Finding]:
    """Yield what is wrong with the indices of a column range whose pointers are sound.

    Args:
        n_in: every index is below it.
        indptr: pointers of the range, starting at 0.
        indices: its input neurons.
        offset: position of the range's first edge in the whole array, for messages.
    """
    where = "indices_1"
    if indices.dtype.kind not in "iu":
        yield Finding(
            "RX3007",
            "indices are not integers",
            where,
            actual=str(indices.dtype),
            expected="an integer type",
        )
        return
    outside = indices >= n_in
    if indices.dtype.kind == "i":
        outside |= indices < 0
    bad = np.flatnonzero(outside)
    if bad.size:
        value = int(indices[bad[0]])
        hint = None
        if value == n_in and not (indices == 0).any():
            hint = "these look like 1-based indices; subtract 1"
        yield Finding(
            "RX4004",
            "an index lies outside the layer",
            where,
            hint=hint,
            index=offset + int(bad[0]),
            count=int(bad.size),
            expected=f"0 <= index < n_in = {n_in}",
            actual=str(value),
        )
        return
    if indices.size < 2:
        return
    same_column = np.ones(indices.size - 1, bool)
    starts = indptr[1:-1]
    same_column[starts[(starts > 0) & (starts < indices.size)] - 1] = False
    for code, message, broken in (
        ("RX4005", "indices fall inside a column", indices[1:] < indices[:-1]),
        ("RX4006", "an edge appears twice", indices[1:] == indices[:-1]),
    ):
        bad = np.flatnonzero(broken & same_column)
        if bad.size:
            at = int(bad[0]) + 1
            yield Finding(
                code,
                message,
                where,
                index=offset + at,
                count=int(bad.size),
                expected=f"more than {indices[at - 1]}",
                actual=str(indices[at]),
            )
