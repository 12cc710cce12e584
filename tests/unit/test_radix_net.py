"""The worked examples and constraints of RadiX-Nets (Robinett & Kepner, arXiv 1905.00416)."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError

# systems, widths, n, paths, edges, density, out-degrees
TABLE = [
    ([[2, 2]], [1, 1, 1], 4, 1, 16, 0.5, [2, 2]),
    ([[2, 2, 2]], [1] * 4, 8, 1, 48, 0.25, [2, 2, 2]),
    ([[3, 3, 4]], [1] * 4, 36, 1, 360, 0.092593, [3, 3, 4]),
    ([[3, 3, 4], [6, 6]], [1] * 6, 36, 36, 792, 0.122222, [3, 3, 4, 6, 6]),
    ([[3, 3, 4], [6, 2]], [1] * 6, 36, 12, 648, 0.1, [3, 3, 4, 6, 2]),
    ([[3, 3, 4], [6, 3]], [1] * 6, 36, 18, 684, 0.105556, [3, 3, 4, 6, 3]),
    ([[3, 3, 4], [9]], [1] * 5, 36, 9, 684, 0.131944, [3, 3, 4, 9]),
    ([[2, 2], [2]], [1] * 4, 4, 2, 24, 0.5, [2, 2, 2]),
    ([[2, 2], [2]], [2, 3, 1, 2], 4, 6, 88, 0.5, [6, 2, 4]),
    ([[2, 3], [3, 2]], [1, 2, 2, 3, 1], 6, 72, 240, 0.444444, [4, 6, 9, 2]),
    ([[10, 10]], [8, 3, 1], 100, 3, 27000, 0.1, [30, 10]),
    ([[10, 10]], [8, 30, 1], 100, 30, 270000, 0.1, [300, 10]),
    ([[10, 10]], [1, 5, 2], 100, 5, 15000, 0.1, [50, 20]),
    ([[2] * 6], [16] * 7, 64, 1048576, 196608, 0.03125, [32] * 6),
]


def layers(systems, widths=(), direction=-1):
    return rx.generate("radix-net", systems=systems, widths=widths, direction=direction).layers


def paths(matrices):
    """Number of input-output paths, in exact integers."""
    product = matrices[0].astype(object)
    for matrix in matrices[1:]:
        product = product @ matrix.astype(object)
    return product


def arrays(systems, widths=(), direction=-1):
    return [
        layer.pattern.to_scipy().toarray().astype(int)
        for layer in layers(systems, widths, direction)
    ]


@pytest.mark.parametrize(
    ("systems", "widths", "n", "path_count", "edges", "density", "degrees"), TABLE
)
def test_published_table(systems, widths, n, path_count, edges, density, degrees):
    found = layers(systems, widths)
    assert [layer.pattern.shape for layer in found] == [(n * a, n * b) for a, b in pairwise(widths)]
    assert sum(layer.pattern.nnz for layer in found) == edges
    cells = sum(prod(layer.pattern.shape) for layer in found)
    assert edges / cells == pytest.approx(density, abs=5e-7)
    assert [set(layer.pattern.fan_out().tolist()) for layer in found] == [{d} for d in degrees]
    radices = [radix for system in systems for radix in system]
    assert [set(layer.pattern.fan_in().tolist()) for layer in found] == [
        {radix * width} for radix, width in zip(radices, widths[:-1], strict=True)
    ]
    # every input reaches every output by equally many paths: follow one input per residue
    counts = np.eye(n * widths[0], dtype=np.int64)[:n]
    for layer in found:
        counts = counts @ layer.pattern.to_scipy().astype(np.int64)
    assert set(counts.ravel().tolist()) == {path_count}


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_directions_are_transposes(row):
    systems, widths, n = row[:3]
    if n * max(widths) > 600:
        widths = [1] * len(widths)
    for i, matrix in enumerate(arrays(systems, widths)):
        swapped = [*widths[:i], widths[i + 1], widths[i], *widths[i + 2 :]]
        assert (matrix == arrays(systems, swapped, direction=1)[i].T).all()


def test_worked_matrices():
    first, second = arrays([[2, 2]])
    assert first.tolist() == [[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    assert second.tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
    assert (paths([first, second]) == 1).all()
    first, second = arrays([[2, 3]])
    assert np.flatnonzero(first[0]).tolist() == [0, 5]
    assert np.flatnonzero(second[0]).tolist() == [0, 2, 4]
    narrow, wide = arrays([[2, 2]]), arrays([[2, 2]], [1, 2, 1])
    assert (wide[0] == np.hstack([narrow[0]] * 2)).all()
    assert (wide[1] == np.vstack([narrow[1]] * 2)).all()
    assert (paths(wide) == 2).all()


@given(
    st.lists(st.integers(2, 4), min_size=1, max_size=3),
    st.lists(st.integers(1, 3), min_size=4, max_size=4),
    st.sampled_from([-1, 1]),
)
def test_every_pair_has_the_predicted_number_of_paths(system, widths, direction):
    widths = widths[: len(system) + 1]
    found = paths(arrays([system], widths, direction))
    assert (found == prod(widths[1:-1])).all()


@pytest.mark.parametrize(
    ("systems", "widths", "direction", "rule"),
    [
        ([[2, 3], [4]], (), -1, "last system's product divides"),
        ([[2, 3], [2, 2], [6]], (), -1, "every system but the last has the product"),
        ([[1]], (), -1, "at least 2"),
        ([[2, 0]], (), -1, "at least 2"),
        ([[2, -3]], (), -1, "at least 2"),
        ([[]], (), -1, "at least one radix"),
        ([], (), -1, "at least one mixed-radix system"),
        ([[2, 2]], [1, 1], -1, "one more than there are radices, 3, got 2"),
        ([[2, 2]], [1, 0, 1], -1, "width 1: expected an integer of at least 1"),
        ([[2, 2]], (), 0, "direction: expected -1 or 1"),
        ([[2**41]], (), -1, "the format allows"),
    ],
)
def test_the_broken_rule_is_named(systems, widths, direction, rule):
    with pytest.raises(ParameterError, match=rule):
        layers(systems, widths, direction)


def test_a_last_system_may_divide():
    assert len(layers([[2, 3], [2]])) == 3


def test_layers_larger_than_memory_answer_column_ranges():
    pattern = layers([[2**18, 2**16]], [1, 1, 1])[1].pattern
    assert pattern.nnz == 2**34 * 2**16
    columns = pattern.columns(2**33, 2**33 + 1)
    assert columns.indices.size == 2**16
    assert columns.indices[:2].tolist() == [0, 2**18]
