"""`identity/1`: input neuron i feeds output neuron i and no other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from radixfmt.generators import generator
from radixfmt.generators.regular import RegularColumns, check_count
from radixfmt.model.columns import index_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern


def recognise(pattern: Pattern, _: int) -> Iterator[dict[str, Any]]:
    """Yield the parameters that `pattern` may come from."""
    size = pattern.shape[0]
    if pattern.shape == (size, size) and pattern.nnz == size:
        yield {"size": size}


@generator("identity/1", recognise=recognise)
def identity_layer(*, size: int) -> RegularColumns:
    """Return the diagonal of `size` neurons on either side.

    Raises:
        ParameterError: no integer from 1 to 2^40.
    """
    check_count("size", size)
    return RegularColumns(
        (size, size),
        degree=1,
        period=size,
        rows=partial(_rows, size),
        record={"generator": "identity/1", "parameters": {"size": size}},
    )


def _rows(size: int, outputs: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    return outputs.astype(index_dtype(size))[:, None]
