"""`components`: the connected parts of each layer and of the whole network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.measures import measurement
from radixfmt.measures.limits import check_budget, check_side
from radixfmt.measures.ratio import Tally, repeats
from radixfmt.measures.recipes import recipe_of
from radixfmt.measures.run import layer_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

LISTED = 8
"""Sizes of the largest components that are named."""

BUDGET = 1 << 28
"""Edges that are walked by default: under a minute."""


@dataclass(slots=True)
class Merging:
    """Components of the layers passed so far.

    Attributes:
        labels: component of each neuron of the last side, `[n]`.
        sizes: int64 `[components with a neuron on that side]`, in neurons.
        closed: how many components of each size can grow no more.
    """

    labels: NDArray[np.integer[Any]]
    sizes: NDArray[np.int64]
    closed: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, neurons: int) -> Merging:
        """Return so many neurons without an edge."""
        return cls(np.arange(neurons), np.ones(neurons, np.int64))

    def through(self, pattern: Pattern) -> None:
        """Pass a layer: its edges join components, and its outputs become the last side."""
        n_out = pattern.shape[1]
        if self.sizes.size == 1 and Tally.of(pattern.fan_in()).count(0) == 0:
            self.sizes += n_out  # all of one component, and so is what they feed
            self.labels = np.zeros(n_out, np.intp)
            return
        outputs = np.empty(n_out, np.intp)
        for start, stop, (indptr, indices) in pattern.blocks():
            merged = self._join(indptr, indices)
            outputs[:start] = merged[outputs[:start]]
            outputs[start:stop] = merged[-(stop - start) :]
        self._turn(outputs)

    def _join(
        self, indptr: NDArray[np.int64], indices: NDArray[np.integer[Any]]
    ) -> NDArray[np.integer[Any]]:
        """Return the new component of each old one and, behind them, of each column."""
        import scipy.sparse as sp
        from scipy.sparse.csgraph import connected_components

        old, columns = self.sizes.size, indptr.size - 1
        edges = np.ones(indices.size, np.int8)
        rows = np.concatenate([np.zeros(old, np.int64), indptr])
        graph = sp.csr_array((edges, self.labels[indices], rows), shape=(old + columns,) * 2)
        count, merged = connected_components(graph, directed=False)
        sizes = np.zeros(count, np.int64)
        np.add.at(sizes, merged, np.concatenate([self.sizes, np.ones(columns, np.int64)]))
        self.labels, self.sizes = merged[self.labels], sizes
        return merged

    def _turn(self, outputs: NDArray[np.intp]) -> None:
        """Keep the components of the outputs; the others are complete."""
        alive = np.zeros(self.sizes.size, bool)
        alive[outputs] = True
        self.closed.update(self.sizes[~alive].tolist())
        self.labels = (np.cumsum(alive) - 1)[outputs]
        self.sizes = self.sizes[alive]

    def summary(self) -> dict[str, Any]:
        """Return how many components there are, and the sizes of the largest."""
        return _summary(self.closed + Counter(self.sizes.tolist()))


@measurement("components", columns={"components": "network.components"})
def components(
    network: Network, *, start: int = 0, stop: int | None = None, budget: int = BUDGET
) -> dict[str, Any]:
    """Return the connected components of each layer's bipartite graph, and of a run of layers.

    Edges are the cells a pattern stores, whatever their weight, taken without direction. A neuron
    without an edge is a component of its own, and counts. Between two layers of a chain a neuron is
    one: output j of a layer is input j of the next. A layer of a RadiX-Net has as many components
    as its place value (gcd of shift and n), known from its record; others are walked.
    A conv layer is taken as its matrix W, `[C_in / group · ∏ kernel_shape, C_out]`.

    Args:
        network: any network; the run as a whole needs a chain of linear layers.
        start: first layer of the run, from 0 in the order of application.
        stop: the layer after the last; None for the end.
        budget: edges to walk for one layer, or for the run.

    Returns:
        `layers`, each with `name`, `kind`, `components`, `connected` (there is one), `largest`
        (neurons of up to 8 largest ones), `isolated_inputs` and `isolated_outputs` (neurons
        without an edge in this layer); `network`: `start`, `stop`, `neurons`, `components`,
        `connected`, `largest` of the run. What cannot be had is None, and `why` beside it says so.
    """
    check_budget(budget)
    layers = [
        {
            "name": layer.name,
            "kind": layer.kind,
            **_of_layer(layer.pattern, budget),
            "isolated_inputs": Tally.of(layer.pattern.fan_out()).count(0),
            "isolated_outputs": Tally.of(layer.pattern.fan_in()).count(0),
        }
        for layer in network.layers
    ]
    return {"network": _of_run(network, start, stop, budget), "layers": layers}


def _of_layer(pattern: Pattern, budget: int) -> dict[str, Any]:
    recipe = recipe_of(pattern)
    if recipe is not None:
        parts = recipe.place_value
        return _summary(Counter({sum(pattern.shape) // parts: parts}))
    try:
        _check_size(pattern, budget)
    except UnsupportedError as error:
        return _unknown(str(error))
    merging = Merging.of(pattern.shape[0])
    merging.through(pattern)
    return merging.summary()


def _of_run(network: Network, start: int, stop: int | None, budget: int) -> dict[str, Any]:
    try:
        run = layer_run(network, start, stop)
    except UnsupportedError as error:
        return {"start": start, "stop": stop, "neurons": None, **_unknown(str(error))}
    sides = [network.headers[i][1] for i in run]
    neurons = sides[0][0] + sum(n_out for _, n_out in sides)
    span = {"start": start, "stop": start + len(run), "neurons": neurons}
    merging: Merging | None = None
    left = budget
    for i in run:
        pattern = network.layers[i].pattern
        one = merging is not None and merging.sizes.size == 1 and repeats(pattern.fan_in())
        try:
            _check_size(pattern, left if not one else pattern.nnz)
        except UnsupportedError as error:
            return {**span, **_unknown(f"/layers/{i:06d}: {error}")}
        left -= 0 if one else pattern.nnz
        merging = Merging.of(pattern.shape[0]) if merging is None else merging
        merging.through(pattern)
    assert merging is not None  # noqa: S101  a run has layers
    return {**span, **merging.summary()}


def _check_size(pattern: Pattern, budget: int) -> None:
    """Raise UnsupportedError unless the edges of a pattern can be walked."""
    if pattern.nnz > budget:
        raise UnsupportedError(
            f"its {pattern.nnz} edges are more than the budget of {budget} that is left"
        )
    check_side(max(pattern.shape), "components")


def _summary(sizes: Counter[int]) -> dict[str, Any]:
    largest: list[int] = []
    for neurons in sorted(sizes, reverse=True):
        largest += [neurons] * min(sizes[neurons], LISTED - len(largest))
    count = sizes.total()
    return {"components": count, "connected": count == 1, "largest": largest}


def _unknown(why: str) -> dict[str, Any]:
    return {"components": None, "connected": None, "largest": None, "why": why}
