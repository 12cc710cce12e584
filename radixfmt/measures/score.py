"""A score of topologies that needs no data: how well a cascade can imitate random linear maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.measures import measurement
from radixfmt.measures.run import layer_run

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.model.network import Network

LARGEST_MAP = 2**24
"""Cells of a map that is imitated: 4096 x 4096."""

LARGEST_COST = 2**42
"""Multiplications that one call may take: some minutes."""


@measurement("score", columns={"residual": "residual"}, slow=True)
def score(network: Network, *, targets: int = 1, steps: int = 50, seed: int = 0) -> dict[str, Any]:
    """Return how well a network, its activations left out, can imitate random maps.

    A target T is a matrix of independent standard normal entries, `[inputs, outputs]`. The weights
    W1 … WL, zero wherever the topology has no edge, are fitted to bring ‖T - W1·…·WL‖ (Frobenius)
    down, by L-BFGS from a start that keeps variances. Isakov & Kinsy (NeuroFabric, arXiv
    2002.08339) score topologies without data; only their abstract was available, and this is our
    reading, not their formula. A local search can stop early: `residual` is an upper bound of the
    least possible.

    Returns:
        `residual`, mean of ‖T - W1·…·WL‖/‖T‖, 0 (imitates anything) to 1; `explained`, mean of
        1 - residual²; `efficiency`, explained · cells / edges: 1 when an edge explains as much as
        a free cell of T would, and more where products choose what they explain; `residuals` of
        each target; `steps` taken at most; `converged`, whether every search ended by itself.

    Args:
        network: a chain of linear layers.
        targets: number of random maps.
        steps: of the search, at most, for each target.
        seed: of targets and starts.

    Raises:
        ParameterError: an option is out of range.
        UnsupportedError: the network is no chain, or too large to be fitted.
    """
    from scipy.optimize import minimize

    for name, value, least in (("targets", targets, 1), ("steps", steps, 1), ("seed", seed, 0)):
        if type(value) is not int or not least <= value < 2**53:
            raise ParameterError(f"{name}: expected an integer of at least {least}, got {value!r}")
    run = layer_run(network)
    shapes = [network.headers[i][1] for i in run]
    cells = shapes[0][0] * shapes[-1][1]
    _check_size(shapes, targets * steps)
    layers = (network.layers[i] for i in run)
    factors = [layer.pattern.to_scipy().astype(np.float64).T.tocsr() for layer in layers]
    edges = sum(factor.nnz for factor in factors)
    residuals, converged = [], True
    for i in range(targets):
        rng = np.random.Generator(np.random.Philox(key=np.array([seed, i], np.uint64)))
        target = rng.standard_normal((shapes[-1][1], shapes[0][0]))  # transposed, as all below
        total = float(np.vdot(target, target))
        if not edges or not total:
            residuals.append(1.0 if total else 0.0)
            continue
        found = minimize(
            _loss, _start(factors, rng), (factors, target), "L-BFGS-B", jac=True,
            options={"maxiter": steps},
        )  # fmt: skip
        residuals.append(float(np.sqrt(min(2 * found.fun / total, 1.0))))
        converged &= bool(found.success)
    explained = 1 - float(np.mean(np.square(residuals)))
    return {
        "residual": float(np.mean(residuals)),
        "explained": explained,
        "efficiency": explained * cells / edges if edges else None,
        "residuals": residuals,
        "steps": steps,
        "converged": converged,
    }


def _check_size(shapes: list[tuple[int, int]], searches: int) -> None:
    cells = shapes[0][0] * max(n_out for _, n_out in shapes)
    cost = 6 * searches * shapes[0][0] * sum(n_in * n_out for n_in, n_out in shapes)
    if cells > LARGEST_MAP or cost > LARGEST_COST:
        raise UnsupportedError(
            f"score: fitting this network would take about {cost:.1e} multiplications and maps of "
            f"{cells} cells; expected at most {LARGEST_COST:.1e} and {LARGEST_MAP}",
            hint="score a smaller network of the same family, or fewer steps",
        )


def _start(factors: list[sp.csr_array], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return normal weights of variance 1/fan_in, so that no product vanishes or explodes."""
    drawn = []
    for factor in factors:
        fan_in = np.diff(factor.indptr)
        deviation = np.repeat(1 / np.sqrt(np.maximum(fan_in, 1)), fan_in)
        drawn.append(deviation * rng.standard_normal(factor.nnz))
    return np.concatenate(drawn)


def _loss(
    weights: NDArray[np.float64], factors: list[sp.csr_array], target: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return half the squared error and its gradient, edges in the factors' order."""
    ends = np.cumsum([factor.nnz for factor in factors])[:-1]
    for factor, values in zip(factors, np.split(weights, ends), strict=True):
        factor.data = values
    maps = [np.eye(target.shape[1])]
    for factor in factors:
        maps.append(factor @ maps[-1])
    error = maps.pop() - target
    loss = float(np.vdot(error, error)) / 2
    gradients = []
    for factor in reversed(factors):
        rows = np.repeat(np.arange(factor.shape[0]), np.diff(factor.indptr))
        gradients.append((error @ maps.pop().T)[rows, factor.indices])
        error = factor.T @ error
    return loss, np.concatenate(gradients[::-1])
