"""Block-diagonal layers: groups of neurons that do not mix."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.topologies import topology
from radixfmt.topologies.structured import RuleColumns, check_edges, network, offsets, whole, wholes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network

    Integers = NDArray[np.int64]


@topology("block-diagonal", example={"widths": [8, 6, 5], "blocks": 2})
def block_diagonal(*, widths: Sequence[int], blocks: int) -> Network:
    """Return layers of full blocks along the diagonal, as grouped linear layers have them.

    The widths need not be multiples of `blocks`: the first blocks then have one neuron more. No
    layer joins two groups, so neither does the network; alternate with a topology that mixes.
    The definition is common knowledge, not a paper's.

    Args:
        widths: neurons of the input and of every layer after it.
        blocks: how many blocks each layer has; its density is 1 / blocks, or a little more.

    Raises:
        ParameterError: fewer than two widths, fewer neurons than blocks somewhere, or a layer that
            is too large (code "limit").
    """
    sizes = wholes("width", widths, entries=2)
    blocks = whole("blocks", blocks)
    if blocks > min(sizes):
        raise ParameterError(
            f"blocks: expected at most the smallest width, {min(sizes)}, got {blocks}",
            hint="every block needs an input and an output neuron",
        )
    return network([block_diagonal_columns(shape, blocks) for shape in pairwise(sizes)])


def block_diagonal_columns(shape: tuple[int, int], blocks: int) -> RuleColumns:
    """Return the layer of `blocks` full blocks along the diagonal.

    Where a width is no multiple of `blocks`, its first blocks have one neuron more, as
    `numpy.array_split` has it.

    Args:
        shape: (n_in, n_out), both at least `blocks`.
        blocks: how many.

    Raises:
        ParameterError: more neurons or edges than can be written out (code "limit").
    """
    (q_in, more_in), (q_out, more_out) = (divmod(size, blocks) for size in shape)

    def block_of(outputs: Integers) -> Integers:
        return np.maximum(outputs // (q_out + 1), (outputs - more_out) // q_out)

    def pointers(columns: Integers) -> Integers:
        block = block_of(columns)
        large_in, large_out = np.minimum(block, more_in), np.minimum(block, more_out)
        before = block * q_in * q_out + large_in * q_out + large_out * q_in
        before += np.minimum(large_in, large_out)
        first_output = block * q_out + large_out
        edges: Integers = before + (columns - first_output) * (q_in + (block < more_in))
        return edges

    def inputs(start: int, stop: int) -> Integers:
        block = block_of(np.arange(start, stop))
        first = block * q_in + np.minimum(block, more_in)
        return offsets(pointers(np.arange(start, stop + 1)), first)

    check_edges(shape, max(shape) * (min(shape) // blocks))  # at least so many, and under twice
    return RuleColumns(shape, pointers, inputs)
