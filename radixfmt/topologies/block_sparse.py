"""Block-sparse layers: full blocks at random places of a grid."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import topology
from radixfmt.topologies.drawn import check_drawn, drawn, layer_shapes, probability
from radixfmt.topologies.draws import GENERATOR, distinct
from radixfmt.topologies.structured import (
    check_edges,
    check_multiples,
    regular,
    stretched,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from radixfmt.model.network import Network

EXAMPLE = {"widths": [12, 8], "block": 2, "degree": 3}


@topology("block-sparse", example=EXAMPLE, random=GENERATOR)
def block_sparse(
    *,
    widths: Sequence[int],
    block: int,
    degree: int | None = None,
    density: float | None = None,
    seed: int = 0,
) -> Network:
    """Return layers of full square blocks at random places, as many in each column of blocks.

    What block-sparse matrix kernels compute with. No paper defines one mask; constant degrees by
    output, random ones by input, are our reading. All sets of blocks are equally likely; each
    layer takes one draw `distinct`, a row for each column of blocks.

    Args:
        widths: neurons of the input and of every layer after it, multiples of `block`.
        block: neurons of a block's side.
        degree: blocks in each column of blocks; give this or `density`.
        density: share of the blocks that are there; each layer has the nearest whole degree.
        seed: of the random draws.

    Raises:
        ParameterError: a rule above is broken, a column of blocks would have none or more than
            there are, or a layer is too large (code "limit").
    """
    shapes = layer_shapes(widths)
    block = whole("block", block)
    sides = [n_in for n_in, _ in shapes] + [shapes[-1][1]]
    check_multiples({f"width {i}": size for i, size in enumerate(sides)}, block)
    if (degree is None) == (density is None):
        given = "neither" if degree is None else "both"
        raise ParameterError(f"degree and density: expected one of them, got {given}")
    rows = [n_in // block for n_in, _ in shapes]
    if degree is not None:
        degrees = [whole("degree", degree)] * len(shapes)
    else:
        share = probability("density", density)
        degrees = [int(share * count + Fraction(1, 2)) for count in rows]
    for i, (shape, count, chosen) in enumerate(zip(shapes, rows, degrees, strict=True)):
        if not 1 <= chosen <= count:
            raise ParameterError(
                f"{'density' if degree is None else 'degree'}: layer {i} has columns of {count} "
                f"blocks, of which {chosen} would be there; expected 1 to {count}",
                hint=f"use a density of at least 1/{count}" if degree is None else None,
            )
        check_drawn((count, shape[1] // block), chosen * (shape[1] // block))
        check_edges(shape, chosen * block * shape[1])

    def draw(words: np.random.Philox, i: int) -> Pattern:
        n_in, n_out = shapes[i]
        blocks = distinct(words, rows[i], degrees[i], n_out // block)
        rule = partial(stretched, blocks.__getitem__, block, block)
        return Pattern(regular((n_in, n_out), degrees[i] * block, rule))

    return drawn(shapes, seed, draw)
