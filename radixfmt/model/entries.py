"""A matrix entry by entry, as other formats keep it, made a pattern and weights.

Nothing is believed: positions are checked before anything is computed from them, and no library
sees them before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import InputError
from radixfmt.findings import locate, refuse
from radixfmt.limits import EXPANSION
from radixfmt.model.dtypes import FOREIGN_TYPES, VALUE_TYPES
from radixfmt.model.invariants import pointer_problems
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer

LARGEST_SIDE = 2**27
"""Rows or columns; even an empty matrix needs a pointer for each, 1 GiB in all."""

MODEST, USUAL_EXPANSION = 1 << 29, 16
"""Bytes that any file may declare, and by how much more than its size a larger one may."""

ENTRY = 16
"""Bytes that the row and the column of one entry take while a matrix is read."""

WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}
"""Types of weights that the format lacks, and those that hold them."""


def most_bytes(size: int) -> int:
    """Return how many bytes of arrays a file of `size` bytes may declare to be read whole."""
    return min(EXPANSION * size, max(MODEST, USUAL_EXPANSION * size))


def most_entries(size: int) -> int:
    """Return how many entries a file of `size` bytes may hold, whatever they take in it.

    As many as it has bytes, so that only one whose entries take less than a byte is refused.
    """
    return max(MODEST, USUAL_EXPANSION * size) // ENTRY


def widened(layer: Layer) -> tuple[Layer, list[str]]:
    """Return the layer with weights of a type that other formats hold, and what that loses.

    Halves become float32, which holds the same values; codes become what they mean.
    """
    if layer.quantized is not None:
        lost = "the quantised codes (their float32 values are written)"
    elif layer.dtype is not None and layer.dtype.name in FOREIGN_TYPES:
        lost = f"weight type {layer.dtype.name} (the same values are written as float32)"
    else:
        return layer, []
    return layer.replace(weights=np.asarray(layer.weights).astype(np.float32)), [lost]


def pattern_of(
    shape: tuple[int, int], rows: NDArray[Any], columns: NDArray[Any], *, file: str
) -> tuple[Pattern, NDArray[np.int64] | None]:
    """Return the pattern of entries in any order, and the order that sorts their values.

    Args:
        shape: (n_in, n_out).
        rows: `[nnz]` input neurons.
        columns: `[nnz]` output neurons.
        file: for messages.

    Returns:
        The pattern, and `[nnz]` positions of entries in canonical order, None where they stand in
        it already.

    Raises:
        InputError: positions that are no integers or outside the shape, an entry given twice, or
            a side of more than `LARGEST_SIDE`.
    """
    if not all(0 <= size <= LARGEST_SIDE for size in shape):
        raise InputError(
            f"{file}: expected sizes from 0 to {LARGEST_SIDE}, got {shape[0]} by {shape[1]}"
        )
    if rows.shape != columns.shape:
        raise InputError(
            f"{file}: expected a row and a column for each entry, got {rows.shape} and "
            f"{columns.shape}"
        )
    i = positions(rows, shape[0], "row", file=file)
    j = positions(columns, shape[1], "column", file=file)
    order = None
    if not _ascending(i, j):
        order = np.lexsort((i, j))
        i, j = i[order], j[order]
        if not _ascending(i, j):
            at = int(np.flatnonzero((np.diff(i) == 0) & (np.diff(j) == 0))[0])
            raise InputError(
                f"{file}: expected every entry once, got row {i[at]}, column {j[at]} twice"
            )
    indptr = np.zeros(shape[1] + 1, np.int64)
    np.cumsum(np.bincount(j, minlength=shape[1]), out=indptr[1:])
    return Pattern.explicit(shape, indptr, i), order


def positions(array: NDArray[Any], size: int, what: str, *, file: str) -> NDArray[np.int64]:
    """Return the positions of entries along one side as int64.

    Args:
        array: `[nnz]`.
        size: every position is below it.
        what: "row" or "column", for messages.
        file: for messages.

    Raises:
        InputError: no vector of integers, or (code RX4004) one outside the matrix.
    """
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise InputError(
            f"{file}: expected a list of {what}s as integers, got {array.dtype} of rank "
            f"{array.ndim}"
        )
    outside = (array < 0) | (array >= size)
    if outside.any():
        at = int(outside.argmax())
        raise InputError(
            f"{file}: entry {at}: expected a {what} from 0 to {size - 1}, got {array[at]} "
            f"({np.count_nonzero(outside)} such entries)",
            code="RX4004",
        )
    return array.astype(np.int64, copy=False)


def owners(pointers: NDArray[Any], lines: int, nnz: int, *, file: str) -> NDArray[np.int64]:
    """Return to which row (or column) each entry of a compressed matrix belongs.

    Args:
        pointers: `[lines + 1]`; line k owns entries `pointers[k]` to `pointers[k + 1]`.
        lines: number of rows (or columns).
        nnz: number of entries.
        file: for messages.

    Raises:
        FormatError: RX3005, RX3007, RX4001 to RX4003, pointers that cannot be.
        InputError: more than `LARGEST_SIDE` lines.
    """
    if lines > LARGEST_SIDE:
        raise InputError(f"{file}: expected sizes from 0 to {LARGEST_SIDE}, got {lines}")
    for finding in pointer_problems((0, lines), nnz, pointers):
        raise locate(refuse(finding), path=finding.path, file=file)
    ends = pointers.astype(np.int64)
    return np.repeat(np.arange(lines), ends[1:] - ends[:-1])


def weights_of(values: NDArray[Any], *, file: str) -> tuple[NDArray[Any] | None, list[str]]:
    """Return values as weights of a type that the format holds, and what that changed.

    Truth values that are all true say only where entries are: None, a topology.

    Raises:
        InputError: complex numbers, objects, or integers beyond int64.
    """
    name = values.dtype.name
    if values.dtype == np.bool_:
        if values.all():
            return None, []
        return values.astype(np.uint8), ["type bool (the values are the uint8 0 and 1)"]
    if name in WIDER:
        if values.size and int(values.max()) > np.iinfo(np.int64).max:
            raise InputError(f"{file}: expected values within int64, got {values.max()}")
        return values.astype(WIDER[name]), [f"type {name} (the values are {WIDER[name]})"]
    if name not in VALUE_TYPES:
        raise InputError(
            f"{file}: expected values of type {', '.join(VALUE_TYPES)}, or bool; got {name}"
        )
    return values.astype(values.dtype.newbyteorder("="), copy=False), []


def _ascending(i: NDArray[np.int64], j: NDArray[np.int64]) -> bool:
    """Return whether entries stand by column and then by row, none twice."""
    return bool(((j[1:] > j[:-1]) | ((j[1:] == j[:-1]) & (i[1:] > i[:-1]))).all())
