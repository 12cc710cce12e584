"""Erdős-Rényi-Kernel layers: one density for the network, shared out by the layers' widths."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from radixfmt.topologies import topology
from radixfmt.topologies.drawn import by_cell, check_drawn, drawn, layer_shapes, probability
from radixfmt.topologies.draws import GENERATOR, distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern


@topology("erk", example={"widths": [20, 15, 10], "density": 0.2}, random=GENERATOR)
def erk(*, widths: Sequence[int], density: float, seed: int = 0) -> Network:
    """Return layers whose densities go with (n_in + n_out)/(n_in·n_out), and meet a total.

    The rule of RigL (Evci et al., arXiv 1911.11134), which generalises SET's; the text was not at
    hand, the rule is that of public codes (`raw_density`, whose terms for kernel sizes do not apply
    to linear layers). A layer that would be more than dense is dense, and the others share what
    is left. The number of edges of each layer is exact (`edge_counts`); the edges are one draw
    `distinct` out of all cells of the layer, output by output.

    Args:
        widths: neurons of the input and of every layer after it.
        density: share of all cells of the network that are edges.
        seed: of the random draws.

    Raises:
        ParameterError: `density` out of range, or a layer too large to be drawn (code "limit").
    """
    shapes = layer_shapes(widths)
    counts = edge_counts(shapes, probability("density", density))
    for shape, count in zip(shapes, counts, strict=True):
        check_drawn(shape, count)

    def draw(words: np.random.Philox, i: int) -> Pattern:
        n_in, n_out = shapes[i]
        return by_cell(shapes[i], distinct(words, n_in * n_out, counts[i], 1)[0])

    return drawn(shapes, seed, draw)


def raw_density(n_in: int, n_out: int, kernel: Sequence[int] = ()) -> Fraction:
    """Return what ERK scales to a layer's density: the sum of its sizes over their product.

    (n_in + n_out + k1 + k2 + …)/(n_in·n_out·k1·k2·…). Without a kernel it is the rule of SET.

    Args:
        n_in: input neurons or channels.
        n_out: output neurons or channels.
        kernel: sizes of a convolution's kernel; none for a linear layer.
    """
    sizes = (n_in, n_out, *kernel)
    return Fraction(sum(sizes), prod(sizes))


def edge_counts(shapes: Sequence[tuple[int, int]], density: Fraction) -> list[int]:
    """Return the number of edges of each layer; the sum is the integer nearest to the density.

    Shares are exact fractions, rounded by largest remainders; of equal ones the first layer's is
    rounded up.

    Args:
        shapes: (n_in, n_out) of each layer.
        density: of the network, 0 to 1.
    """
    cells = [n_in * n_out for n_in, n_out in shapes]
    weights = [raw_density(*shape) * size for shape, size in zip(shapes, cells, strict=True)]
    total = round(density * sum(cells))
    free, scale = list(range(len(shapes))), Fraction(0)
    while free:
        full = sum(cells) - sum(cells[i] for i in free)
        scale = Fraction(total - full, sum(weights[i] for i in free))
        within = [i for i in free if scale * weights[i] <= cells[i]]
        if len(within) == len(free):
            break
        free = within
    shares = {i: scale * weights[i] for i in free}
    counts = [int(shares.get(i, Fraction(cells[i]))) for i in range(len(shapes))]
    by_remainder = sorted(free, key=lambda i: counts[i] - shares[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts
