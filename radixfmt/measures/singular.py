"""The largest singular value of an operator: by dense algebra where small, else by Lanczos."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.measures.operators import dot, symmetric, whole
from radixfmt.measures.spectrum import LANCZOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy.sparse.linalg import LinearOperator

    Vector = NDArray[np.float64]

SMALL = 2**18
"""Cells of an operator that is decomposed whole (512 x 512)."""

MEDIUM = 2048
"""Size of a symmetric operator that is decomposed whole if Lanczos does not converge."""

TOLERANCE = 1e-8
"""Residual at which Lanczos stops, as a share of the eigenvalue; that is then far more exact."""

STEPS = 1500
"""Steps after which Lanczos gives up."""

CHECK_EVERY = 20

KEPT = 2**25
"""Numbers of the Lanczos basis that are kept: 256 MiB; a larger basis is made twice."""

EXHAUSTED = 1e-13
"""Length of the next basis vector, as a share of the operator's, at which there is none."""

PROBES = 8
"""Products with BᵀB that show whether an operator is 0 but for rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Largest:
    """A singular value with its right vector; sigma is None where Lanczos did not converge."""

    sigma: float | None
    vector: Vector
    residual: float
    method: str


def largest(operator: LinearOperator, floor: float = 0.0, *, again: bool = False) -> Largest:
    """Return the largest singular value of an operator of at least as many rows as columns.

    Args:
        operator: float64, with its adjoint.
        floor: a value up to this one is called 0.
        again: the operator is what an earlier call left over. It then starts elsewhere: from the
            same start, another vector of the same value would never be met.
    """
    rows, columns = operator.shape
    if rows * columns <= SMALL or columns == 1:
        matrix = whole(operator)
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        sigma = float(values[0])
        residual = float(np.linalg.norm(matrix.T @ left[:, 0] - sigma * right[0]))
        return Largest(0.0 if sigma <= floor else sigma, right[0], residual, "dense SVD")
    estimate, start = _probe(operator, int(again))
    if estimate <= floor:
        return Largest(0.0, start, estimate, LANCZOS)
    gram = symmetric(columns, lambda x: operator.T @ (operator @ x))
    vector, method = top_eigenvector(gram, int(again))
    if vector is None:
        return Largest(None, start, np.inf, method)
    vector = operator.T @ (operator @ vector)  # far more exact if the next value is far below
    vector /= np.linalg.norm(vector)
    image = operator @ vector
    sigma = float(np.linalg.norm(image))
    residual = float(np.linalg.norm(operator.T @ (image / sigma) - sigma * vector))
    return Largest(sigma, vector, residual, method)


def top_eigenvector(operator: LinearOperator, seed: int = 0) -> tuple[Vector | None, str]:
    """Return a unit vector of a symmetric operator's largest eigenvalue, and how it was found.

    It is None if Lanczos does not converge and the operator is too large to be decomposed whole.
    """
    from scipy.linalg import eigh

    size = operator.shape[0]
    vector = _lanczos(operator, seed)
    if vector is not None or size > MEDIUM:
        return vector, LANCZOS
    _, vectors = eigh(whole(operator), subset_by_index=(size - 1, size - 1))
    return vectors[:, 0], "dense eigenvalues"


def _lanczos(operator: LinearOperator, seed: int) -> Vector | None:
    """Return a unit vector of the largest eigenvalue; None if there is no convergence.

    The three-term recurrence of Lanczos without restarts. It loses orthogonality once it has
    converged, which does not harm the vector that it converged to. scipy's `eigsh` restarts,
    which takes more steps where the spectrum is dense, and most of its time goes into keeping
    its basis orthogonal.
    """
    from scipy.linalg import eigh_tridiagonal

    diagonal: list[float] = []
    beside: list[float] = []
    kept: list[Vector] = []
    room = KEPT // operator.shape[0]
    for q, alpha, beta in _krylov(operator, seed):
        diagonal.append(alpha)
        beside.append(beta)
        if len(diagonal) <= room:
            kept.append(q)
        steps = len(diagonal)
        exhausted = beta <= EXHAUSTED * max(map(abs, diagonal))
        if steps % CHECK_EVERY and not exhausted:
            continue
        values, weights = eigh_tridiagonal(
            diagonal, beside[:-1], select="i", select_range=(steps - 1, steps - 1)
        )
        if exhausted or abs(beta * weights[-1, 0]) <= TOLERANCE * values[0]:
            break
        if steps >= STEPS:
            return None
    basis = kept if steps <= room else (q for q, _, _ in _krylov(operator, seed))
    vector = np.zeros(operator.shape[0])
    for weight, q in zip(weights[:, 0], basis, strict=False):
        vector += weight * q
    return vector / np.linalg.norm(vector)


def _krylov(operator: LinearOperator, seed: int) -> Iterator[tuple[Vector, float, float]]:
    """Yield vectors of the Lanczos basis with the entries on and beside the diagonal."""
    q = _start(operator.shape[0], seed)
    q /= np.linalg.norm(q)
    before, beta = np.zeros_like(q), 0.0
    while True:
        w = operator @ q
        alpha = float(dot(q, w))
        w -= alpha * q
        w -= beta * before
        beta = sqrt(dot(w, w))
        yield q, alpha, beta
        before, q = q, w / beta


def _start(size: int, seed: int) -> Vector:
    """Return the same normal numbers for a seed: results do not depend on chance."""
    return np.random.default_rng(seed).standard_normal(size)


def _probe(operator: LinearOperator, seed: int) -> tuple[float, Vector]:
    """Return a lower bound of the largest singular value, close to it or to rounding, and where."""
    x = _start(operator.shape[1], seed)
    x /= np.linalg.norm(x)
    for _ in range(PROBES):
        y = operator.T @ (operator @ x)
        norm = float(np.linalg.norm(y))
        if not norm:
            return 0.0, x
        x = y / norm
    return float(np.sqrt(norm)), x
