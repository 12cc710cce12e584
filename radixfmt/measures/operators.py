"""Matrices as operators that multiply vectors and know their adjoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import scipy.sparse as sp
    from numpy.typing import NDArray
    from scipy.sparse.linalg import LinearOperator

    from radixfmt.model.pattern import Pattern

    Vector = NDArray[np.float64]

AT_ONCE = 16
"""Columns of an operator that are made at once: layers within it may be wide."""


def edges_of(pattern: Pattern, ones: Vector) -> sp.csr_array:
    """Return a pattern as 0/1 matrix `[n_out, n_in]`, its values a part of `ones`."""
    import scipy.sparse as sp

    n_in, n_out = pattern.shape
    indptr, indices = pattern.columns(0, n_out)
    return sp.csr_array((ones[: pattern.nnz], indices, indptr), shape=(n_out, n_in))


def chained(
    matrices: Sequence[sp.csr_array], scales: Sequence[float], *, flat: bool
) -> LinearOperator:
    """Return the operator of all matrices, first to last, each divided by its scale.

    It has at least as many rows as columns: the adjoint stands in where there are more columns.

    Args:
        matrices: `[n_out, n_in]` each.
        scales: one for each matrix.
        flat: constant vectors are taken out before and after every layer; where all degrees are
            constant they belong to sigma1, and what is left is told from rounding far below it.
    """
    steps = list(zip(matrices, scales, strict=True))

    def forward(x: Vector) -> Vector:
        for matrix, scale in steps:
            x = matrix @ (levelled(x) if flat else x) / scale
        return levelled(x) if flat else x

    def backward(y: Vector) -> Vector:
        for matrix, scale in reversed(steps):
            y = matrix.T @ (levelled(y) if flat else y) / scale
        return levelled(y) if flat else y

    rows, columns = matrices[-1].shape[0], matrices[0].shape[1]
    if rows < columns:
        return _operator((columns, rows), backward, forward)
    return _operator((rows, columns), forward, backward)


def without(operator: LinearOperator, vector: Vector) -> LinearOperator:
    """Return the operator that does as `operator` across a unit vector and takes that to 0."""

    def across(x: Vector) -> Vector:
        return x - np.multiply.outer(vector, dot(vector, x))

    return _operator(
        operator.shape, lambda x: operator @ across(x), lambda y: across(operator.T @ y)
    )


def _operator(
    shape: tuple[int, int],
    forward: Callable[[Vector], Vector],
    backward: Callable[[Vector], Vector],
) -> LinearOperator:
    from scipy.sparse.linalg import LinearOperator

    return LinearOperator(  # both functions take vectors and matrices alike
        shape,
        dtype=np.float64,
        matvec=forward,
        matmat=forward,
        rmatvec=backward,
        rmatmat=backward,
    )


def symmetric(size: int, function: Callable[[Vector], Vector]) -> LinearOperator:
    """Return a function of vectors and matrices as symmetric operator."""
    return _operator((size, size), function, function)


def whole(operator: LinearOperator) -> Vector:
    """Return an operator as matrix."""
    columns = operator.shape[1]
    unit = np.eye(columns)
    parts = [operator @ unit[:, i : i + AT_ONCE] for i in range(0, columns, AT_ONCE)]
    return np.hstack(parts)


def levelled(x: Vector) -> Vector:
    """Return vectors without their constant part."""
    found: Vector = x - x.mean(axis=0)
    return found


def dot(a: Vector, b: Vector) -> Vector:
    """Return a · b without BLAS, whose threads wait for each other on a busy machine."""
    found: Vector = np.einsum("i,i...->...", a, b)
    return found
