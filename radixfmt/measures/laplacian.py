"""How well a connected layer of uneven degrees holds together: its two Laplacians.

L = D - A of the bipartite graph, and D^(-1/2) L D^(-1/2), whose second-smallest eigenvalue is
1 - sigma2 of the matrix with an entry 1/√(degree · degree) for every edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from radixfmt.measures.operators import chained, levelled, symmetric, without
from radixfmt.measures.singular import Largest, largest, top_eigenvector
from radixfmt.measures.spectrum import ROUNDING

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


class Degrees(NamedTuple):
    """Edges of each input, int64 `[n_in]`, and of each output, int64 `[n_out]`."""

    out: NDArray[np.int64]
    into: NDArray[np.int64]

    @property
    def constant(self) -> tuple[int, int] | None:
        """Edges of every input and of every output, where both are constant and not 0."""
        left, right = (
            int(side[0]) if side.size and (side == side[0]).all() else 0 for side in self
        )
        return (left, right) if left and right else None


def components_of(edges: sp.csr_array) -> int:
    """Return the connected components of a layer's graph, isolated neurons included.

    Args:
        edges: 0/1 `[n_out, n_in]`.
    """
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    n_out, n_in = edges.shape
    indptr = np.concatenate([np.zeros(n_in, edges.indptr.dtype), edges.indptr])
    graph = sp.csr_array((edges.data, edges.indices, indptr), shape=(n_in + n_out,) * 2)
    count, _ = connected_components(graph, directed=False)
    return int(count)


def algebraic_connectivity(edges: sp.csr_array, degrees: Degrees) -> tuple[float | None, float]:
    """Return the second-smallest eigenvalue of L of a connected graph, and ‖Lx - λx‖.

    Args:
        edges: 0/1 `[n_out, n_in]`.
        degrees: of both sides.

    Returns:
        None in place of the eigenvalue if Lanczos does not converge.
    """
    n_in = degrees.out.size
    together = np.concatenate(degrees).astype(np.float64)
    most = float(degrees.out.max() + degrees.into.max())  # no eigenvalue is larger

    def laplacian(x: Vector) -> Vector:
        neighbours = np.concatenate([edges.T @ x[n_in:], edges @ x[:n_in]])
        found: Vector = (together * x.T).T - neighbours
        return found

    def flipped(x: Vector) -> Vector:
        across = levelled(x)  # constant vectors belong to the eigenvalue 0
        return levelled(most * across - laplacian(across))

    vector, _ = top_eigenvector(symmetric(together.size, flipped))
    if vector is None:
        return None, np.inf
    image = laplacian(vector)
    value = float(vector @ image)
    return value, float(np.linalg.norm(image - value * vector))


def normalised_second(edges: sp.csr_array, degrees: Degrees) -> Largest:
    """Return sigma2 of the matrix with entries 1/√(degree · degree) of a connected graph.

    Args:
        edges: 0/1 `[n_out, n_in]`.
        degrees: of both sides.
    """
    import scipy.sparse as sp

    inputs, outputs = (1 / np.sqrt(side) for side in degrees)
    values = np.repeat(outputs, degrees.into) * inputs[edges.indices]
    matrix = sp.csr_array((values, edges.indices, edges.indptr), shape=edges.shape)
    operator = chained([matrix], [1.0], flat=False)
    right = 1 / (inputs if edges.shape[0] >= edges.shape[1] else outputs)
    return largest(without(operator, right / np.linalg.norm(right)), ROUNDING)
