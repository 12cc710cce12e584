"""`dense/1`: every input neuron feeds every output neuron."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.generators import generator
from radixfmt.generators.regular import RegularColumns, check_count
from radixfmt.model.columns import index_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern


def recognise(pattern: Pattern, _: int) -> Iterator[dict[str, Any]]:
    """Yield the parameters that `pattern` may come from."""
    n_in, n_out = pattern.shape
    if pattern.nnz == n_in * n_out:
        yield {"inputs": n_in, "outputs": n_out}


@generator("dense/1", recognise=recognise)
def dense_layer(*, inputs: int, outputs: int) -> RegularColumns:
    """Return the pattern of shape (inputs, outputs) in which every cell is an edge.

    Raises:
        ParameterError: no integers of at least 1, or more than 2^24 inputs.
    """
    check_count("inputs", inputs)
    check_count("outputs", outputs)
    return RegularColumns(
        (inputs, outputs),
        degree=inputs,
        period=1,
        rows=partial(_rows, inputs),
        record={"generator": "dense/1", "parameters": {"inputs": inputs, "outputs": outputs}},
    )


def _rows(inputs: int, outputs: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    every = np.arange(inputs, dtype=index_dtype(inputs))
    return np.broadcast_to(every, (outputs.size, inputs))
