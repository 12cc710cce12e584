"""Random layers whose degrees are the same all over, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.topologies import topology
from radixfmt.topologies.drawn import by_cell, check_drawn, degree_within, drawn, layer_shapes
from radixfmt.topologies.draws import GENERATOR, below, complement, distinct, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

    Integers = NDArray[np.int64]


@topology("random-regular", example={"widths": [12, 8, 10], "degree": 3}, random=GENERATOR)
def random_regular(*, widths: Sequence[int], degree: int, seed: int = 0) -> Network:
    """Return random layers with constant degrees on both sides, and no edge twice.

    Every output has `degree` inputs. Every input has degree·n_out/n_in outputs; where that is no
    integer, as many inputs as needed, drawn at random, have one output more than the others.
    Random regular bipartite graphs are expanders with high probability, the property that
    Bourely et al. (arXiv 1706.05683) ask of a layer; the construction is ours: the configuration
    model (ends of edges paired at random), whose doubled edges are then switched with random
    others. Sparse layers are close to uniform among all such graphs, none exactly so.

    Args:
        widths: neurons of the input and of every layer after it.
        degree: inputs of each output neuron.
        seed: of the random draws.

    Raises:
        ParameterError: `degree` more than a layer has inputs, or a layer too large to be drawn
            (code "limit").
    """
    shapes = layer_shapes(widths)
    inputs = degree_within(degree, [n_in for n_in, _ in shapes])
    for shape in shapes:
        check_drawn(shape, inputs * shape[1])

    def draw(words: np.random.Philox, i: int) -> Pattern:
        n_in, n_out = shapes[i]
        cells = regular_cells(words, n_in, n_out, min(inputs, n_in - inputs))
        if 2 * inputs > n_in:
            cells = complement(cells, n_in * n_out)
        return by_cell(shapes[i], cells)

    return drawn(shapes, seed, draw)


def regular_cells(words: np.random.Philox, n_in: int, n_out: int, degree: int) -> Integers:
    """Return the cells output·n_in + input of a random regular layer, ascending.

    Draws: `distinct` for the inputs with an edge more, then `order` of the inputs' ends (input 0's
    first), the first `degree` of which go to output 0, and so on; then `switched`.

    Args:
        words: of the layer.
        n_in: inputs.
        n_out: outputs.
        degree: inputs of each output, at most n_in/2.
    """
    least, more = divmod(degree * n_out, n_in)
    counts = np.full(n_in, least)
    counts[distinct(words, n_in, more, 1)[0]] += 1
    ends = np.repeat(np.arange(n_in), counts)[order(words, degree * n_out)]
    cells = np.repeat(np.arange(n_out) * n_in, degree) + ends
    cells.sort()
    return switched(words, cells, n_in)


def switched(words: np.random.Philox, cells: Integers, n_in: int) -> Integers:
    """Return `cells` without repeats, all degrees kept.

    In rounds: each repeat (a, b), output a and input b, takes a random edge (c, d) by `below`,
    and the two become (a, d) and (c, b). A switch is made if the edge is no repeat and was not
    taken before in this round, and both new cells are no edges and were not made up before in
    this round. Each switch removes a repeat and makes none. Where every output is joined to at
    most half of the inputs there always is an edge to switch with, so the rounds end.

    Args:
        words: of the layer.
        cells: ascending, perhaps with repeats.
        n_in: inputs.
    """
    while (repeats := np.flatnonzero(cells[1:] == cells[:-1]) + 1).size:
        others = below(words, cells.size, repeats.size)
        (a, b), (c, d) = np.divmod(cells[repeats], n_in), np.divmod(cells[others], n_in)
        made = np.stack([a * n_in + d, c * n_in + b], axis=1)
        at = np.minimum(np.searchsorted(cells, made), cells.size - 1)
        free = (cells[at] != made) & first_of_its_kind(made)
        sound = free.all(axis=1) & first_of_its_kind(others) & ~np.isin(others, repeats)
        cells[repeats[sound]], cells[others[sound]] = made[sound].T
        cells.sort(kind="stable")  # nearly in order: merges
    return cells


def first_of_its_kind(values: Integers) -> NDArray[np.bool_]:
    """Return for each element whether no element before it is equal."""
    first = np.zeros(values.size, bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first.reshape(values.shape)
