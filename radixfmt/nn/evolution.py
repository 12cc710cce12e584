"""Changing a module's edges and weights in place: initialisation, pruning, SET and RigL.

Each function works on all sparse layers (`SparseLinear`, `SparseConv`) and all masked ones
(`apply`) of a module, in the module's order. How much to prune or move at a training step is said
by `radixfmt.pruning.gradual_sparsity` and `drop_fraction`. Give the optimizer, and what it keeps of
each edge (momentum, say) moves along; new edges start from zero.
"""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import InputError, UnknownNameError
from radixfmt.initialization import weighted
from radixfmt.model.pattern import Pattern
from radixfmt.nn.cells import flat_cells
from radixfmt.nn.edges import as_network, edged, numpy_of, take
from radixfmt.pruning import prune, rewire
from radixfmt.pruning.arguments import share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from radixfmt.model.layer import Layer


def init_(module: nn.Module, weights: str = "he", *, seed: int = 0) -> None:
    """Draw the weights of all edges anew; biases stay.

    Args:
        module: with sparse or masked layers.
        weights: "he" or "variance", which use each neuron's own fan-in, or another rule of
            `generate` (but "none"). Layer i gets the same weights as layer i of a network.
        seed: 0 to 2^53 - 1.

    Raises:
        ParameterError: an unknown rule, "none", a seed out of range, no sparse layers.
    """
    layers = edged(module)
    drawn = weighted(as_network(layers), weights=weights, seed=seed)
    if any(layer.weights is None for layer in drawn.layers):
        raise InputError("weights: expected a rule that draws weights, got 'none'")
    take(layers, drawn)


def prune_(
    module: nn.Module,
    sparsity: float,
    *,
    by: str = "magnitude",
    scope: str = "layer",
    seed: int = 0,
    optimizer: Optimizer | None = None,
) -> None:
    """Drop the edges that matter least until layers are this sparse, as `radixfmt.prune` does.

    Once for one-time pruning; every some hundred steps with `gradual_sparsity(step, …)` for
    gradual pruning.

    Args:
        module: with sparse or masked layers.
        sparsity: share of cells that are no edges afterwards, 0 to 1.
        by: "magnitude" or "random".
        scope: "layer", or "global" to compare the edges of all layers.
        seed: of "random".
        optimizer: that trains the module.

    Raises:
        ParameterError: a value that is not one of these, or no sparse layers.
    """
    layers = edged(module)
    pruned = prune(as_network(layers), sparsity, by=by, scope=scope, seed=seed)
    take(layers, pruned, optimizer)


def rewire_(
    module: nn.Module,
    *,
    zeta: float = 0.3,
    seed: int = 0,
    deviation: float = 0.1,
    optimizer: Optimizer | None = None,
) -> None:
    """Take one step of SET, as `radixfmt.pruning.rewire` does: weak edges go, random ones come.

    Every layer keeps its number of edges.

    Args:
        module: with sparse or masked layers.
        zeta: share of the positive and of the negative weights that is dropped, 0 to 1.
        seed: another one for every step.
        deviation: of the new weights.
        optimizer: that trains the module.

    Raises:
        ParameterError: a value out of range, or no sparse layers.
    """
    layers = edged(module)
    moved = rewire(as_network(layers), zeta=zeta, seed=seed, deviation=deviation)
    take(layers, moved, optimizer)


def rigl_(
    module: nn.Module,
    gradients: Mapping[str, Tensor],
    *,
    fraction: float = 0.3,
    optimizer: Optimizer | None = None,
) -> None:
    """Take one step of RigL (Evci et al., arXiv 1911.11134).

    In each layer ⌊fraction·nnz⌋ edges of the smallest |w| go, and as many cells of the largest
    |gradient| become edges, among all cells that are none then. New weights are 0; an edge that
    goes and comes back in the same step stays what it is. Of equals, later edges go and earlier
    cells come.

    Args:
        module: with sparse or masked layers.
        gradients: of every layer by name, from `dense_gradients`.
        fraction: share of the edges that move, 0 to 1, from `drop_fraction`, say.
        optimizer: that trains the module.

    Raises:
        ParameterError: `fraction` out of range, or no sparse layers.
        UnknownNameError: a layer without a gradient.
        InputError: a gradient of another shape, or one that is not finite.
    """
    dropped = share("fraction", fraction)
    layers = edged(module)
    network = as_network(layers)
    made = []
    for layer in network.layers:
        if layer.name not in gradients:
            raise UnknownNameError(
                f"gradients: layer {layer.name!r} has none; expected one of every sparse layer",
                hint="run forward and backward inside `with dense_gradients(module) as gradients:`",
            )
        gradient = np.abs(numpy_of(gradients[layer.name]))
        n_in, n_out = layer.pattern.shape
        if gradient.shape != (n_out, n_in) or not np.isfinite(gradient).all():
            raise InputError(
                f"gradients, {layer.name}: expected finite numbers [{n_out}, {n_in}], got shape "
                f"{list(gradient.shape)}{'' if np.isfinite(gradient).all() else ', not finite'}"
            )
        made.append(_grown(layer, gradient.reshape(-1), floor(dropped * layer.pattern.nnz)))
    take(layers, replace(network, layers=made), optimizer)


def _grown(layer: Layer, gradient: NDArray[Any], moved: int) -> Layer:
    """Return the layer with `moved` edges dropped and grown."""
    n_in, n_out = layer.pattern.shape
    weights: Any = layer.weights
    cells = flat_cells(layer.pattern)
    kept = largest(np.abs(weights), cells.size - moved)
    scores = gradient.astype(np.float64)
    scores[cells[kept]] = -1
    new = largest(scores, moved)
    all_weights = np.zeros(n_in * n_out, weights.dtype)
    all_weights[cells] = weights
    after = np.sort(np.concatenate([cells[kept], new]))
    indptr = np.searchsorted(after, np.arange(n_out + 1) * n_in)
    pattern = Pattern.explicit((n_in, n_out), indptr, after % n_in if n_in else after)
    return layer.replace(pattern=pattern, weights=all_weights[after])


def largest(scores: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the places of the `count` largest scores, ascending; of equals the first."""
    if not count:
        return np.empty(0, np.intp)
    least = np.partition(scores, scores.size - count)[scores.size - count]
    above = np.flatnonzero(scores > least)
    equal = np.flatnonzero(scores == least)[: count - above.size]
    return np.sort(np.concatenate([above, equal]))
