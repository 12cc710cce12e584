"""Pixelated butterflies: all butterfly factors in one mask of blocks, with a low-rank term."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.topologies import topology
from radixfmt.topologies.structured import (
    RuleColumns,
    check_edges,
    check_multiples,
    network,
    offsets,
    regular,
    stretched,
    whole,
    wholes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network

    Integers = NDArray[np.int64]


@topology("pixelfly", example={"widths": [16, 32], "block": 2, "rank": 2})
def pixelfly(
    *, widths: Sequence[int], block: int, factors: int | None = None, rank: int = 0
) -> Network:
    """Return one mask per layer: butterfly factors and identity over blocks, and a low-rank term.

    Flat block butterfly (Chen et al., arXiv 2112.00029, read from the authors' code): inputs and
    outputs are s groups each, and output group i is joined in full to the input groups i and
    i XOR 2^k, k < `factors`. Where widths differ, groups do: the mask is stretched. The authors
    choose s; here it is the largest power of 2 that divides both widths counted in blocks. Their
    low-rank term is a product of thin dense matrices, which no mask shows; as in their code, the
    mask joins the first `rank` inputs to every output, and every input to the first `rank` outputs.

    Args:
        widths: neurons of the input and of every layer after it, multiples of `block`.
        block: neurons of a block's side; where two widths are block·2^m, a group is a block.
        factors: butterfly factors, from stride 1 on; all of them by default.
        rank: inputs and outputs joined to everything, a multiple of `block`.

    Raises:
        ParameterError: a rule above is broken, a layer has no butterfly (s = 1) or fewer than
            `factors` factors, or is too large (code "limit").
    """
    sizes = wholes("width", widths, entries=2)
    block = whole("block", block)
    rank = whole("rank", rank, least=0)
    wanted = None if factors is None else whole("factors", factors)
    check_multiples({f"width {i}": size for i, size in enumerate(sizes)} | {"rank": rank}, block)
    if rank > min(sizes):
        raise ParameterError(f"rank: expected at most the smallest width, got {rank}")
    return network(
        [_layer(i, shape, block, wanted, rank) for i, shape in enumerate(pairwise(sizes))]
    )


def _layer(
    index: int, shape: tuple[int, int], block: int, wanted: int | None, rank: int
) -> RuleColumns:
    """Return the mask of one layer; `wanted` is the number of factors, None for all."""
    common = gcd(*shape) // block
    groups = common & -common  # the largest power of 2 that divides it
    most = groups.bit_length() - 1
    if not most:
        raise ParameterError(
            f"layer {index}, {shape[0]} → {shape[1]}: expected widths whose numbers of blocks are "
            f"both even, got {shape[0] // block} and {shape[1] // block}",
            hint="choose a smaller block, or even multiples of this one",
        )
    if wanted is not None and wanted > most:
        raise ParameterError(
            f"factors: expected at most {most} in layer {index}, {shape[0]} → {shape[1]}, which "
            f"has {groups} groups of blocks; got {wanted}"
        )
    height, width = (size // groups for size in shape)
    factors = most if wanted is None else wanted
    flips = np.array([0, *(2**k for k in range(factors))], np.int64)

    def joined(outputs: Integers) -> Integers:
        return np.sort(outputs[:, None] ^ flips, axis=1)

    flat = regular(shape, flips.size * height, partial(stretched, joined, height, width))
    if not rank:
        return flat
    check_edges(shape, rank * (shape[0] + shape[1] - rank))
    return _with_low_rank(flat, flips, (height, width), rank)


def _with_low_rank(
    flat: RuleColumns, flips: Integers, group: tuple[int, int], rank: int
) -> RuleColumns:
    """Return `flat` with the first `rank` inputs and outputs joined to everything.

    Args:
        flat: the butterfly part.
        flips: output group i is joined to the input groups i XOR each of these.
        group: inputs and outputs of a group.
        rank: at least 1.
    """
    n_in = flat.shape[0]
    height, width = group
    groups = np.arange(flat.shape[1] // width)
    kept = np.full(groups.size, rank)  # edges of a column of each group
    for flip in flips:
        kept += np.clip(((groups ^ flip) + 1) * height - rank, 0, height)
    before = np.concatenate([[0], np.cumsum(kept * width)])
    kept = np.append(kept, 0)  # for the end, column n_out

    def sparse_pointers(columns: Integers) -> Integers:
        at, within = np.divmod(columns, width)
        edges: Integers = before[at] + within * kept[at]
        return edges

    def pointers(columns: Integers) -> Integers:
        full = np.minimum(columns, rank)
        edges: Integers = sparse_pointers(columns) - sparse_pointers(full) + full * n_in
        return edges

    def inputs(start: int, stop: int) -> Integers:
        split = min(max(start, rank), stop)
        columns = flat.inputs(split, stop)
        found = offsets(pointers(np.arange(start, stop + 1)))
        sparse = found[(split - start) * n_in :]
        sparse[sparse >= rank] = columns[columns >= rank]
        return found

    return RuleColumns(flat.shape, pointers, inputs)
