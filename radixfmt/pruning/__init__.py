"""Sparser networks from the weights of a network: the edges that matter least are dropped.

Sparsity is counted over all cells of a layer's matrix W, so a layer that is 90 % sparse already
loses nothing when 0.9 is asked for. With `cells` of them, cells - floor(sparsity·cells) edges are
kept, or all if there are no more: rounded so that no sparsity below 1 empties a layer. A sparser
network keeps a subset of the edges of a denser one. Of equally important edges
those earlier in pattern order are kept (by layer, then output neuron, then input neuron).

`rewire` keeps the number of edges instead, and moves the weakest: sparse evolutionary training.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import accumulate
from math import floor, prod
from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.generators.regular import shown
from radixfmt.model.network import LazyLayers
from radixfmt.pruning.arguments import check_seed, share
from radixfmt.pruning.cut import Cut, cut_off, kept_layer, standing
from radixfmt.pruning.importance import RULES
from radixfmt.pruning.rewiring import rewire
from radixfmt.pruning.schedule import drop_fraction, gradual_sparsity
from radixfmt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

    Ranking = Callable[[Layer, int], Iterator[NDArray[np.int64]]]

__all__ = ["drop_fraction", "gradual_sparsity", "prune", "prune_gradually", "rewire"]

SCOPES = ("layer", "global")


def prune(
    network: Network,
    sparsity: float,
    *,
    by: str = "magnitude",
    scope: str = "layer",
    seed: int = 0,
) -> Network:
    """Return the network with fewer edges; names, biases, graph and value types stay.

    Layers are pruned when they are asked for, one in memory at a time, convolutions as their
    matrix W; a layer that loses nothing stays what it is, procedural ones too. Dense `tensors`
    are not touched. A network from a file reads it until the result is written or closed.

    Args:
        network: any network.
        sparsity: share of cells that are no edges afterwards, 0 to 1, rounded as said above;
            read as the decimal number it prints as. What is sparser already stays.
        by: "magnitude" drops the smallest |w|, quantised weights by what their codes mean;
            "random" any edges, which needs no weights.
        scope: "layer" makes every layer this sparse; "global" compares the edges of all layers
            and makes the network this sparse, by four passes over it at once.
        seed: of "random"; the same seed drops more of the same edges at a higher sparsity.

    Raises:
        ParameterError: a value that is not one of these.
        UnsupportedError: magnitudes are asked for and a layer has no weights.
    """
    wanted = share("sparsity", sparsity)
    _check(by, scope, seed)
    if by == "magnitude":
        _check_weights(network)

    def rank(layer: Layer, index: int) -> Iterator[NDArray[np.int64]]:
        return RULES[by](layer, index, seed)

    pruned = (_each if scope == "layer" else _together)(network, wanted, rank)
    step: dict[str, Any] = {"activity": "prune", "tool": f"radixfmt {__version__}"}
    step |= {"sparsity": float(sparsity), "by": by, "scope": scope}
    if by == "random":
        step["seed"] = seed
    metadata = replace(network.metadata, provenance=(*network.metadata.provenance, step))
    layers = LazyLayers(network.headers, pruned, network.geometries)
    return replace(network, layers=layers, metadata=metadata)


def prune_gradually(
    network: Network,
    steps: Iterable[int],
    *,
    initial: float = 0.0,
    final: float,
    begin: int,
    end: int,
    **options: Any,
) -> Iterator[Network]:
    """Return the networks that the gradual schedule makes of these weights, one for each step.

    Each is pruned from `network` itself, and for fixed weights keeps a subset of the edges of the
    one before. Training between steps is the caller's: with weights that change, call
    `prune(trained, gradual_sparsity(step, …))` instead.

    Args:
        network: with weights, unless they are pruned at random.
        steps: training steps, ascending.
        initial: as in `gradual_sparsity`, and so `final`, `begin` and `end`.
        final: see there.
        begin: see there.
        end: see there.
        **options: `by`, `scope` and `seed` of `prune`.

    Raises:
        ParameterError: as `gradual_sparsity` and `prune`, at once for the schedule.
    """
    schedule = partial(gradual_sparsity, initial=initial, final=final, begin=begin, end=end)
    schedule(begin)
    if not isinstance(steps, Iterable):
        raise ParameterError(f"steps: expected a list of training steps, got {shown(steps)}")
    return (prune(network, schedule(step), **options) for step in steps)


def _each(network: Network, wanted: Fraction, rank: Ranking) -> Callable[[int], Layer]:
    """Return what makes layer i, each pruned for itself."""

    def make(i: int) -> Layer:
        layer = network.layers[i]
        keep = _kept(prod(layer.pattern.shape), wanted)
        if layer.pattern.nnz <= keep:
            return layer
        cut = cut_off(lambda: rank(layer, i), keep)
        return kept_layer(layer, rank(layer, i), cut)

    return make


def _together(network: Network, wanted: Fraction, rank: Ranking) -> Callable[[int], Layer]:
    """Return what makes layer i, after the edges of all layers have been compared."""
    keep = _kept(sum(prod(shape) for _, shape in network.headers), wanted)
    if network.nnz <= keep:
        return lambda i: network.layers[i]

    def ranks() -> Iterator[NDArray[np.int64]]:
        for i, layer in enumerate(network.layers):
            yield from rank(layer, i)

    cut = cut_off(ranks, keep)
    found = [standing(rank(layer, i), cut) for i, layer in enumerate(network.layers)]
    before = [0, *accumulate(equal for _, equal in found)]

    def make(i: int) -> Layer:
        layer = network.layers[i]
        above, equal = found[i]
        ties = max(0, min(equal, cut.ties - before[i]))
        if above + ties == layer.pattern.nnz:
            return layer
        return kept_layer(layer, rank(layer, i), Cut(cut.least, ties))

    return make


def _kept(cells: int, sparsity: Fraction) -> int:
    """Return how many edges a matrix, or all of them, keep at most."""
    return cells - floor(sparsity * cells)


def _check(by: str, scope: str, seed: int) -> None:
    for what, value, known in (("by", by, tuple(RULES)), ("scope", scope, SCOPES)):
        if value not in known:
            raise ParameterError(f"{what}: expected {' or '.join(known)}, got {shown(value)}")
    check_seed(seed)


def _check_weights(network: Network) -> None:
    for layer in network.layers:
        if layer.dtype is None:
            raise UnsupportedError(
                f"{layer.name}: no weights, so there are no magnitudes to prune by",
                hint="prune by random, or give it weights first: radixfmt convert IN OUT "
                "--weights he --prune 0.9",
            )
