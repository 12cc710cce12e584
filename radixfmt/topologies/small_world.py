"""Small-world layers: a ring lattice between two layers, some edges of which are moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.topologies import topology
from radixfmt.topologies.drawn import (
    by_output,
    check_drawn,
    degree_within,
    drawn,
    layer_shapes,
    probability,
)
from radixfmt.topologies.draws import GENERATOR, chosen, distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

    Integers = NDArray[np.integer[Any]]


@topology(
    "small-world", example={"widths": [12, 8, 10], "degree": 4, "rewire": 0.2}, random=GENERATOR
)
def small_world(*, widths: Sequence[int], degree: int, rewire: float, seed: int = 0) -> Network:
    """Return ring lattices between layers with some edges moved to random inputs.

    The graphs of Watts and Strogatz (Nature, 1998) mapped to layers, as SWNet (arXiv 1904.04862)
    does; its text was not at hand, so the mapping is our reading. Both layers lie on one ring:
    output j stands at input ⌊j·n_in/n_out⌋ and has it and its nearest neighbours as inputs, half
    of them on each side, the odd one above. An edge that is moved goes to an input that its
    output does not keep, each as likely (it may come back). Every output has exactly `degree`
    inputs; at rewire 1 all sets of inputs are equally likely. `rewired` says what is drawn.

    Args:
        widths: neurons of the input and of every layer after it.
        degree: inputs of each output neuron.
        rewire: probability that an edge is moved: 0 gives the lattice, 1 random layers.
        seed: of the random draws.

    Raises:
        ParameterError: `degree` more than a layer has inputs, `rewire` out of range, or a layer
            too large to be drawn (code "limit").
    """
    shapes = layer_shapes(widths)
    inputs = degree_within(degree, [n_in for n_in, _ in shapes])
    for shape in shapes:
        check_drawn(shape, inputs * shape[1])
    chance = probability("rewire", rewire)

    def draw(words: np.random.Philox, i: int) -> Pattern:
        ring = lattice(*shapes[i], inputs)
        moved = chosen(words, ring.size, chance).reshape(ring.shape)
        return by_output(shapes[i][0], rewired(words, ring, moved, shapes[i][0]))

    return drawn(shapes, seed, draw)


def lattice(n_in: int, n_out: int, degree: int) -> Integers:
    """Return the inputs of every output in the ring lattice, int64 `[n_out, degree]`, ascending."""
    centres = np.arange(n_out) * n_in // n_out
    around = np.arange(degree) - (degree - 1) // 2
    return np.sort((centres[:, None] + around) % n_in, axis=1)


def rewired(
    words: np.random.Philox, inputs: Integers, moved: NDArray[np.bool_], n_in: int
) -> Integers:
    """Return `inputs` with those that are `moved` replaced by random ones.

    One draw `distinct` for all outputs with m moved edges, in their order, for each m in turn
    from 1: m of the numbers that count, in ascending order, the inputs an output does not keep.

    Args:
        words: of the layer, behind the draw `chosen` of the moved edges in pattern order.
        inputs: `[n_out, degree]`, ascending in each row.
        moved: of the same shape.
        n_in: inputs of the layer.
    """
    inputs = inputs.copy()
    degree = inputs.shape[1]
    moves = moved.sum(axis=1)
    outputs = np.argsort(moves, kind="stable")
    ends = np.cumsum(np.bincount(moves, minlength=degree + 1))
    for m in range(1, degree + 1):
        group = outputs[ends[m - 1] : ends[m]]
        kept = inputs[group][~moved[group]].reshape(group.size, degree - m)
        ranks = distinct(words, n_in - degree + m, m, group.size)
        inputs[group] = np.sort(np.concatenate([kept, skipping(kept, ranks, n_in)], axis=1), axis=1)
    return inputs


def skipping(kept: Integers, ranks: Integers, n_in: int) -> Integers:
    """Return the inputs that stand at `ranks` when the inputs in `kept` are left out.

    Args:
        kept: `[rows, k]` inputs, ascending in each row.
        ranks: `[rows, m]`, 0 to n_in - k - 1.
        n_in: inputs of the layer.
    """
    rows, k = kept.shape
    starts = np.arange(rows)[:, None] * n_in
    # kept input t has kept[t] - t others below it: ranks from there on lie above it
    others_below = (starts + kept - np.arange(k)).reshape(-1)
    passed = np.searchsorted(others_below, starts + ranks, side="right")
    found: Integers = ranks + passed - np.arange(rows)[:, None] * k
    return found
