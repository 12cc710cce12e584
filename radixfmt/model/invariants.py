"""What can be wrong with the two arrays of an explicit pattern (spec §4).

Pointers delimit columns and indices name inputs; for a layer stored as CSR the sides change places
and the caller passes the shape reversed. Sound arrays cost one pass in cache-sized blocks; only
broken ones are looked at closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

POINTERS, INDICES = "pointers_to_1", "indices_1"

BLOCK = 1 << 16
"""Elements compared at a time: operands and answers stay in the fastest caches."""


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
    if indptr.dtype.kind not in "iu":
        yield _no_integers("pointers", POINTERS, indptr)
    elif indptr.shape != (shape[1] + 1,):
        yield Finding(
            "RX3005",
            "wrong number of pointers",
            POINTERS,
            expected=f"one for each column and one more, {shape[1] + 1}",
            actual=str(indptr.size),
        )
    else:
        yield from pointer_run_problems(indptr, 0, shape[1], nnz)


def pointer_run_problems(
    pointers: NDArray[Any], first: int, columns: int, nnz: int
) -> Iterator[Finding]:
    """Yield what is wrong with a run of the pointers of a pattern, at least one of them.

    Args:
        pointers: integers; runs that follow each other overlap by one pointer.
        first: position of the run's first pointer.
        columns: of the whole pattern, which has one pointer more.
        nnz: edges of the whole pattern.
    """
    if first == 0 and pointers[0] != 0:
        yield Finding(
            "RX4001",
            "the first pointer is not zero",
            POINTERS,
            index=0,
            expected="0",
            actual=str(pointers[0]),
        )
    falls = pointers[1:] < pointers[:-1]
    if falls.any():
        at = int(falls.argmax()) + 1
        yield Finding(
            "RX4002",
            "pointers decrease",
            POINTERS,
            index=first + at,
            count=int(np.count_nonzero(falls)),
            expected=f"at least {pointers[at - 1]}",
            actual=str(pointers[at]),
        )
    if first + pointers.size == columns + 1 and int(pointers[-1]) != nnz:
        yield Finding(
            "RX4003",
            "the last pointer is not the number of edges",
            POINTERS,
            index=columns,
            expected=str(nnz),
            actual=str(pointers[-1]),
            hint="the file was cut or edited; write it again",
        )


def index_problems(
    n_in: int, indptr: NDArray[Any], indices: NDArray[Any], *, offset: int = 0
) -> Iterator[Finding]:
    """Yield what is wrong with the indices of a column range whose pointers are sound.

    Args:
        n_in: every index is below it.
        indptr: pointers of the range, from 0 to the number of its edges.
        indices: its input neurons.
        offset: position of the range's first edge in the whole array, for messages.
    """
    if indices.dtype.kind not in "iu":
        yield _no_integers("indices", INDICES, indices)
    elif indices.size and not _sound(n_in, indptr, indices):
        yield from _range_problem(n_in, indices, offset) or _order_problems(indptr, indices, offset)


def _sound(n_in: int, indptr: NDArray[Any], indices: NDArray[Any]) -> bool:
    """Return whether indices ascend inside each column and lie in [0, n_in).

    Where they ascend only the ends of columns can lie outside. They ascend inside columns if the
    places where they do, less those where a column begins, are all places inside a column.
    """
    ends = indptr[1:][indptr[1:] > indptr[:-1]].astype(np.intp)  # of columns with edges
    lasts, firsts = indices[ends - 1], indices[ends[:-1]]
    between = int(np.count_nonzero(firsts > lasts[:-1]))
    if _ascents(indices) - between != indices.size - ends.size:
        return False
    least = min(int(indices[0]), int(firsts.min(initial=indices[0])))
    return least >= 0 and int(lasts.max()) < n_in


def _ascents(indices: NDArray[Any]) -> int:
    """Return at how many places an index is larger than the one before it."""
    found = 0
    answers = np.empty(BLOCK, bool)
    for first in range(0, indices.size - 1, BLOCK):
        last = min(first + BLOCK, indices.size - 1)
        higher = answers[: last - first]
        np.greater(indices[first + 1 : last + 1], indices[first:last], out=higher)
        found += int(np.count_nonzero(higher))
    return found


def _range_problem(n_in: int, indices: NDArray[Any], offset: int) -> list[Finding]:
    """Return the finding for indices outside [0, n_in), if there are any."""
    outside = indices >= n_in
    if indices.dtype.kind == "i":
        outside |= indices < 0
    if not outside.any():
        return []
    at = int(outside.argmax())
    value, top = int(indices[at]), int(np.iinfo(indices.dtype).max)
    hint = None
    if (indices[outside] == n_in).all() and indices.all():
        hint = "these look like 1-based indices; subtract 1"
    elif indices.dtype.kind == "u" and value >= 2**31 and top - value < 2**31:
        hint = "this looks like a negative number cast to unsigned; mend the program that wrote it"
    return [
        Finding(
            "RX4004",
            "an index lies outside the layer",
            INDICES,
            hint=hint,
            index=offset + at,
            count=int(np.count_nonzero(outside)),
            expected=f"0 <= index < {n_in}",
            actual=str(value),
        )
    ]


def _order_problems(indptr: NDArray[Any], indices: NDArray[Any], offset: int) -> Iterator[Finding]:
    """Yield places inside columns where indices fall or repeat."""
    inside = np.ones(indices.size - 1, bool)
    starts = indptr[1:-1]
    inside[starts[(starts > 0) & (starts < indices.size)].astype(np.intp) - 1] = False
    for code, message, compare in (
        ("RX4005", "indices fall inside a column", np.less),
        ("RX4006", "an edge appears twice", np.equal),
    ):
        broken = compare(indices[1:], indices[:-1])
        broken &= inside
        if broken.any():
            at = int(broken.argmax()) + 1
            yield Finding(
                code,
                message,
                INDICES,
                index=offset + at,
                count=int(np.count_nonzero(broken)),
                expected=f"more than {indices[at - 1]}",
                actual=str(indices[at]),
            )


def _no_integers(what: str, where: str, found: NDArray[Any]) -> Finding:
    return Finding(
        "RX3007",
        f"{what} are not integers",
        where,
        expected="an integer type",
        actual=str(found.dtype),
    )
