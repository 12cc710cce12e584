"""Erdős-Rényi layers: each cell is an edge with the same probability."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError
from radixfmt.topologies import topology
from radixfmt.topologies.drawn import (
    by_cell,
    check_drawn,
    drawn,
    layer_shapes,
    positive,
    probability,
)
from radixfmt.topologies.draws import GENERATOR, bernoulli

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern


@topology("erdos-renyi", example={"widths": [20, 15, 10], "density": 0.2}, random=GENERATOR)
def erdos_renyi(
    *,
    widths: Sequence[int],
    density: float | None = None,
    epsilon: float | None = None,
    seed: int = 0,
) -> Network:
    """Return layers in which every cell is an edge with the same probability, independently.

    With `epsilon` the probability is that of SET (Mocanu et al., Nat. Commun. 2018),
    ε·(n_in + n_out)/(n_in·n_out), at most 1. SET's public code exists in two readings; this is
    that of its masked networks, one Bernoulli draw for each cell. (Its sparse networks draw
    ε·(n_in + n_out) cells with replacement, so that some edges coincide.) Each layer takes one
    draw `bernoulli` over its cells, output by output.

    Args:
        widths: neurons of the input and of every layer after it.
        density: probability of each edge.
        epsilon: SET's parameter: expected edges per neuron of either side. Give this or a density.
        seed: of the random draws.

    Raises:
        ParameterError: both or neither of `density` and `epsilon`, one out of range, or a layer
            that is expected to be too large to be drawn (code "limit").
    """
    shapes = layer_shapes(widths)
    if (density is None) == (epsilon is None):
        found = "neither" if density is None else "both"
        raise ParameterError(
            f"density and epsilon: expected one of them, got {found}",
            hint="density is the share of cells that are edges; epsilon is SET's parameter",
        )
    if epsilon is None:
        chances = [probability("density", density)] * len(shapes)
    else:
        scale = positive("epsilon", epsilon)
        chances = [min(Fraction(1), scale * Fraction(a + b, a * b)) for a, b in shapes]
    for shape, chance in zip(shapes, chances, strict=True):
        check_drawn(shape, int(chance * shape[0] * shape[1]))

    def draw(words: np.random.Philox, i: int) -> Pattern:
        n_in, n_out = shapes[i]
        return by_cell(shapes[i], bernoulli(words, n_in * n_out, chances[i]))

    return drawn(shapes, seed, draw)
