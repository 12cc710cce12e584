"""Layers with their equal columns merged.

Neurons with the same inputs have the same paths. A *class* is a set of neurons known to be alike;
a layer between classes is a small matrix of edge counts. It is found by hashing and then compared
entry by entry, so the result rests on no probability. RadiX-Nets of b blocks shrink b² times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.measures.ratio import repeats

if TYPE_CHECKING:
    from collections.abc import Iterator

    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

MAKING = 64
"""What it costs to make and merge an edge, in additions."""

MOST_TRANSPOSED = 1 << 25
"""Edges of a layer whose equal rows are looked for: about 1 GiB at work."""


class Classes(NamedTuple):
    """A partition of neurons: the first of each class, and the class of each neuron."""

    first: NDArray[np.intp]
    labels: NDArray[np.intp]


def merged_blocks(
    pattern: Pattern, labels: NDArray[np.intp] | None, count: int
) -> Iterator[tuple[sp.csr_array, NDArray[np.intp]]]:
    """Yield a layer between classes, a column block at a time.

    Args:
        pattern: of the layer.
        labels: class of each input neuron, `[n_in]`; None if all are in one.
        count: classes of inputs.

    Yields:
        matrix: int64 `[classes of the block, count]`, edges from all inputs of a class to one
            output neuron.
        labels: class of each output neuron, numbered inside the block.
    """
    import scipy.sparse as sp

    if not pattern.shape[1]:
        yield sp.csr_array((0, count), dtype=np.int64), np.zeros(0, np.intp)
        return
    if labels is None:
        fan_in = pattern.fan_in()
        if repeats(fan_in):
            yield sp.csr_array(fan_in[:1, None]), np.broadcast_to(np.intp(0), fan_in.shape)
        else:
            values, inverse = np.unique(fan_in, return_inverse=True)
            yield sp.csr_array(values[:, None]), inverse
        return
    for start, stop, (indptr, indices) in pattern.blocks():
        ones = np.ones(indices.size, np.int64)
        matrix = sp.csr_array((ones, labels[indices], indptr), shape=(stop - start, count))
        matrix.sum_duplicates()
        classes = equal_rows(matrix)
        yield matrix[classes.first], classes.labels


def equal_inputs(pattern: Pattern) -> Classes:
    """Return the classes of input neurons with the same outputs; a large layer is not looked at."""
    import scipy.sparse as sp

    n_in, n_out = pattern.shape
    if pattern.nnz > MOST_TRANSPOSED:
        every = np.arange(n_in)
        return Classes(every, every)
    ones = np.ones(pattern.nnz, np.int64)
    arrays = (ones, pattern.indices, pattern.indptr)
    return equal_rows(sp.csc_array(arrays, shape=(n_in, n_out)).tocsr())


def equal_rows(matrix: sp.csr_array) -> Classes:
    """Return the classes of equal rows of an int64 matrix whose indices ascend in each row."""
    import scipy.sparse as sp

    words = (matrix.data.view(np.uint64), matrix.indices, matrix.indptr)
    hashes = np.asarray(sp.csr_array(words, shape=matrix.shape) @ _random(matrix.shape[1]))
    classes = _alike(hashes)
    if classes.first.size < hashes.size:
        copy = matrix[classes.first][classes.labels]
        parts = ("indptr", "indices", "data")
        if not all(np.array_equal(getattr(matrix, p), getattr(copy, p)) for p in parts):
            return _apart(hashes.size)
    return classes


def equal_vectors(array: NDArray[Any]) -> Classes:
    """Return the classes of equal rows of a dense array of 64-bit integers, `[rows, columns]`."""
    hashes = array.view(np.uint64) @ _random(array.shape[1])
    classes = _alike(hashes)
    if classes.first.size < hashes.size and not np.array_equal(
        array, array[classes.first][classes.labels]
    ):
        return _apart(hashes.size)
    return classes


def _alike(hashes: NDArray[np.uint64]) -> Classes:
    _, first, labels = np.unique(hashes, return_index=True, return_inverse=True)
    return Classes(first, labels)


def _apart(count: int) -> Classes:
    """Return every neuron as a class of its own: two hashes met by chance."""
    return Classes(np.arange(count), np.arange(count))


def _random(count: int) -> NDArray[np.uint64]:
    return np.random.default_rng(0).integers(0, 2**64, count, np.uint64)


def spread(firsts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return neurons in a fixed order of which every beginning is spread evenly over them."""
    golden = np.arange(firsts.size) * 0.6180339887498949 % 1
    return firsts[np.argsort(golden, kind="stable")]
