"""NNSTD: how far apart two sparse topologies are, whatever order their neurons stand in.

Liu et al., ECML-PKDD 2020 (arXiv 2006.14085). An output neuron is the set of its inputs; two
neurons are as far apart as the share of their joint inputs that they do not have in common (the
Jaccard distance; 0 if both have none). The neurons of a layer are paired off at the least total
cost, the layer's distance is the mean cost of a pair, and the second network's neurons are then
put into the first one's order before the next layer is looked at. Inputs of the network keep their
order. The distance of networks is the mean over layers, as in the authors' code; the paper's own
normalisation was not available.

Since each layer is paired off for itself, the result is an upper bound of the least distance over
all orders of all neurons, and layers after the first may depend on how ties are broken.

Cost of one layer of n outputs with k inputs each: the shared inputs are a sparse product of about
n·k² steps; `optimal` then needs a dense matrix of 8·n² bytes and up to n³ steps (4096 random
neurons take seconds), so that beyond `LARGEST_OPTIMAL` neurons `greedy` is offered: it pairs the
nearest first, needs only the sparse product, and is an upper bound; its `lower_bounds`, the mean
distance to the nearest neuron, hold for any way to pair a layer off. `identity` pairs nothing off
and costs a pass over the edges.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.measures.run import layer_run

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

LARGEST_OPTIMAL = 8192
"""Neurons of a layer that are paired off optimally: a cost matrix of 512 MiB."""

LARGEST_SHARED = 2**26
"""Pairs of neurons with an input in common that are listed: about 2 GiB."""

LARGEST_EDGES, LARGEST_SIDE = 2**27, 2**24
"""Edges and neurons of a layer that is compared."""

PAIRS_AT_ONCE = 1 << 14

MATCHINGS = ("optimal", "greedy", "identity")


@dataclass(frozen=True, slots=True, eq=False)
class NnstdResult:
    """How far apart two topologies are.

    Attributes:
        distance: mean over the layers, in [0, 1].
        layers: each layer's distance.
        lower_bounds: of each layer, given how the layer before was paired off; 0 for "identity",
            which looks at no other pair.
        matching: how layers were paired off.
        matches: of each layer, int64 `[n_out]`: neuron j of the first network goes with neuron
            `matches[l][j]` of the second.
    """

    distance: float
    layers: tuple[float, ...]
    lower_bounds: tuple[float, ...]
    matching: str
    matches: tuple[NDArray[np.int64], ...]

    def as_json(self) -> dict[str, Any]:
        """Return the distances as plain JSON values."""
        found = {"nnstd": self.distance} | asdict(self)
        return {key: found[key] for key in ("nnstd", "layers", "lower_bounds", "matching")}


def nnstd(a: Network, b: Network, *, matching: str = "optimal") -> NnstdResult:
    """Return the sparse topology distance of two chains of linear layers of the same shapes.

    Weights do not count, only where they may be nonzero.

    Args:
        a: the first network.
        b: the second.
        matching: "optimal" (the measure as published), "greedy" (an upper bound for layers too
            large for it) or "identity" (neurons as they stand, for networks with a common origin).

    Raises:
        ParameterError: no such matching, or the networks' layers differ in number or shape.
        UnsupportedError: a network is not a chain of linear layers, or a layer is too large.
    """
    if matching not in MATCHINGS:
        raise ParameterError(f"matching: expected {', '.join(MATCHINGS)}, got {matching!r}")
    runs = layer_run(a), layer_run(b)
    shapes = [
        [network.headers[i][1] for i in run] for network, run in zip((a, b), runs, strict=True)
    ]
    _check_comparable(*shapes)
    distances, bounds, matches = [], [], []
    before: NDArray[np.int64] | slice = slice(None)  # inputs stand as they are
    for i, j in zip(*runs, strict=True):
        patterns = a.layers[i].pattern, b.layers[j].pattern
        _check_size(i, *patterns)
        mine, theirs = patterns[0].to_scipy(), patterns[1].to_scipy()[before]
        sizes = np.diff(mine.indptr), np.diff(theirs.indptr)
        if matching == "identity" or not mine.shape[1]:
            match, bound = np.arange(mine.shape[1]), 0.0
            common = np.asarray(mine.multiply(theirs).sum(axis=0), np.float64).ravel()
        else:
            shared = _shared(mine, theirs)
            match, bound = _matched(shared, *sizes, matching), _nearest(shared, *sizes)
            common = np.asarray(shared[np.arange(match.size), match], np.float64).ravel()
        costs = _costs(common, sizes[0], sizes[1][match])
        distances.append(float(np.mean(costs)) if costs.size else 0.0)
        bounds.append(bound)
        matches.append(match)
        before = match
    mean = float(np.mean(distances))
    return NnstdResult(mean, tuple(distances), tuple(bounds), matching, tuple(matches))


def _check_size(i: int, *patterns: Pattern) -> None:
    edges = max(pattern.nnz for pattern in patterns)
    side = max(patterns[0].shape)
    if edges > LARGEST_EDGES or side > LARGEST_SIDE:
        raise UnsupportedError(
            f"layer {i}: NNSTD compares layers of at most {LARGEST_EDGES} edges and {LARGEST_SIDE} "
            f"neurons, got {edges} and {side}",
            hint="compare smaller networks of the same families",
        )


def _check_comparable(mine: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> None:
    if len(mine) != len(theirs):
        raise ParameterError(
            f"NNSTD compares networks of as many layers; got {len(mine)} and {len(theirs)}"
        )
    for i, (here, there) in enumerate(zip(mine, theirs, strict=True)):
        if here != there:
            raise ParameterError(
                f"layer {i}: NNSTD compares layers of the same shape; got {here} and {there}"
            )


def _shared(mine: sp.csc_array, theirs: sp.csc_array) -> sp.csr_array:
    """Return how many inputs each pair of neurons has in common, `[n_out, n_out]`."""
    import scipy.sparse as sp

    fan_out = np.bincount(mine.indices, minlength=mine.shape[0])
    pairs = int(fan_out @ np.bincount(theirs.indices, minlength=mine.shape[0]))
    if min(pairs, mine.shape[1] ** 2) > LARGEST_SHARED:
        raise UnsupportedError(
            f"a layer of {mine.shape[1]} neurons has up to {pairs} pairs with a common input; "
            f"NNSTD lists at most {LARGEST_SHARED}",
            hint="compare with --matching identity, or smaller layers",
        )
    return sp.csr_array(mine.T @ theirs)


def _matched(
    shared: sp.csr_array, mine: NDArray[Any], theirs: NDArray[Any], matching: str
) -> NDArray[np.int64]:
    """Return which neuron of the second network goes with each of the first."""
    if matching == "greedy":
        return _greedy(shared, mine, theirs)
    if mine.size > LARGEST_OPTIMAL:
        raise UnsupportedError(
            f"a layer of {mine.size} neurons would need a cost matrix of "
            f"{8 * mine.size**2 / 2**30:.0f} GiB; expected at most {LARGEST_OPTIMAL} neurons",
            hint="--matching greedy gives an upper bound and a lower one",
        )
    from scipy.optimize import linear_sum_assignment

    cost = shared.toarray().astype(np.float64)
    union = np.add.outer(mine, theirs) - cost
    np.divide(cost, union, out=cost, where=union > 0)
    cost[union == 0] = 1  # two neurons without inputs are alike
    return np.asarray(linear_sum_assignment(cost, maximize=True)[1], np.int64)


def _greedy(shared: sp.csr_array, mine: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.int64]:
    """Pair off the nearest neurons first, and in order those that have nothing in common."""
    found = shared.tocoo()
    alike = found.data / (mine[found.row] + theirs[found.col] - found.data)
    match, taken = np.full(mine.size, -1), np.zeros(mine.size, bool)
    order = np.lexsort((found.col, found.row, -alike))
    for start in range(0, order.size, PAIRS_AT_ONCE):
        pairs = order[start : start + PAIRS_AT_ONCE]
        rows, columns = found.row[pairs], found.col[pairs]
        open_ones = (match[rows] < 0) & ~taken[columns]  # ever fewer: the loop below stays short
        for i, j in zip(rows[open_ones].tolist(), columns[open_ones].tolist(), strict=True):
            if match[i] < 0 and not taken[j]:
                match[i], taken[j] = j, True
    # Those without inputs go together first, at no cost; then any two are at distance 1.
    free, left = np.flatnonzero(match < 0), np.flatnonzero(~taken)
    free = free[np.argsort(mine[free] > 0, kind="stable")]
    match[free] = left[np.argsort(theirs[left] > 0, kind="stable")]
    return match


def _costs(
    common: NDArray[np.float64], mine: NDArray[Any], theirs: NDArray[Any]
) -> NDArray[np.float64]:
    """Return how far apart paired neurons are: 1 - shared / joint inputs, 0 without any."""
    union = mine + theirs - common
    different = union - common
    return np.asarray(np.divide(different, union, out=np.zeros(union.size), where=union > 0))


def _nearest(shared: sp.csr_array, mine: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Return the mean distance to the nearest neuron, from the side where it is larger."""
    found = shared.tocoo()
    alike = found.data / (mine[found.row] + theirs[found.col] - found.data)
    bounds = []
    for here, own, other in ((found.row, mine, theirs), (found.col, theirs, mine)):
        best = np.zeros(own.size)
        np.maximum.at(best, here, alike)
        if (other == 0).any():
            best[own == 0] = 1
        bounds.append(float(np.mean(1 - best)) if best.size else 0.0)
    return max(bounds)
