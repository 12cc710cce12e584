from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import FormatError, ParameterError


@st.composite
def dense_matrices(draw):
    n_in, n_out = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    cells = draw(st.lists(st.booleans(), min_size=n_in * n_out, max_size=n_in * n_out))
    return np.array(cells, bool).reshape(n_in, n_out)


@given(dense_matrices(), st.data())
def test_every_column_range_is_that_slice_of_the_matrix(matrix, data):
    pattern = rx.Pattern.from_scipy(sp.csc_array(matrix))
    start = data.draw(st.integers(0, matrix.shape[1]))
    stop = data.draw(st.integers(start, matrix.shape[1]))
    columns = pattern.columns(start, stop)
    expected = sp.csc_array(matrix[:, start:stop])
    expected.sort_indices()
    assert columns.indptr.tolist() == expected.indptr.tolist()
    assert columns.indices.tolist() == expected.indices.tolist()
    assert pattern.fan_in().tolist() == matrix.sum(axis=0).tolist()
    assert pattern.fan_out().tolist() == matrix.sum(axis=1).tolist()
    assert (pattern.to_scipy().toarray() != 0).tolist() == matrix.tolist()


def test_blocks_cover_all_columns_once_whatever_their_size():
    pattern = rx.generate("graph-challenge", neurons=1024, layers=1).layers[0].pattern
    parts = [(a, b, c.indices) for a, b, c in pattern.blocks(edges=1000)]
    assert len(parts) > 10
    assert [b for _, b, _ in parts[:-1]] == [a for a, _, _ in parts[1:]]
    assert np.concatenate([i for _, _, i in parts]).tolist() == pattern.indices.tolist()


@pytest.mark.parametrize(
    ("indptr", "indices", "code", "place"),
    [
        pytest.param([1, 1, 2], [0, 1], "RX4001", "[0]", id="first pointer not zero"),
        pytest.param([0, 2, 1], [0], "RX4002", "[2]", id="pointers fall"),
        pytest.param([0, 1, 3], [0, 1], "RX4003", "[2]", id="last pointer beyond the edges"),
        pytest.param([0, 1], [0], "RX3005", "pointers", id="too few pointers"),
        pytest.param([0, 1, 2], [0, 3], "RX4004", "[1]", id="index too large"),
        pytest.param([0, 1, 2], [0, -1], "RX4004", "[1]", id="negative index"),
        pytest.param([0, 2, 2], [1, 0], "RX4005", "[1]", id="indices fall"),
        pytest.param([0, 2, 2], [1, 1], "RX4006", "[1]", id="edge twice"),
        pytest.param([0.0, 1, 2], [0, 1], "RX3007", "pointers", id="pointers are floats"),
        pytest.param([0, 1, 2], [0.0, 1], "RX3007", "indices", id="indices are floats"),
    ],
)
def test_bad_arrays_are_refused_with_the_place(indptr, indices, code, place):
    with pytest.raises(FormatError, match=code) as caught:
        rx.Pattern.explicit((3, 2), indptr, indices)
    assert place in str(caught.value)
    assert caught.value.code == code


def test_one_based_indices_get_the_hint():
    with pytest.raises(FormatError) as caught:
        rx.Pattern.explicit((3, 3), [0, 1, 2, 3], [1, 2, 3])
    assert "1-based" in caught.value.hint


def test_indices_may_fall_between_columns():
    assert rx.Pattern.explicit((3, 3), [0, 1, 1, 2], [2, 0]).nnz == 2


@pytest.mark.parametrize("bounds", [(-1, 2), (2, 1), (0, 13)])
def test_a_range_outside_the_columns_is_refused(small, bounds):
    with pytest.raises(ParameterError, match="column range"):
        small.layers[0].pattern.columns(*bounds)


def test_stored_zeros_are_edges():
    matrix = sp.csc_array((np.zeros(2), [0, 1], [0, 1, 2]), shape=(2, 2))
    assert rx.Pattern.from_scipy(matrix).nnz == 2


def test_layer_ranges_carry_their_weights(small):
    layer = small.layers[1]
    whole = layer.pattern.to_scipy(layer.weights).toarray()
    columns, weights = layer.columns(3, 7)
    part = sp.csc_array((weights, columns.indices, columns.indptr), shape=(12, 4)).toarray()
    assert (part == whole[:, 3:7]).all()


def test_slices_of_quantised_weights_are_those_of_the_whole():
    pattern = rx.Pattern.explicit((4, 4), [0, 0, 2, 2, 3], np.array([1, 2, 0]))
    scale, zero = np.array([1, 2, 3, 4], np.float32), np.array([0, 1, 0, 1], np.int8)
    codes = np.array([3, 4, 5], np.int8)
    weights = rx.Layer("w", pattern, rx.Quantized(codes, scale, zero)).weights
    for start in range(4):
        for stop in range(start, 4):
            np.testing.assert_array_equal(weights[start:stop], [4, 6, 16][start:stop])
    none = rx.Pattern.explicit((4, 4), [0] * 5, np.empty(0, np.int64))
    empty = rx.Layer("w", none, rx.Quantized(codes[:0], scale, zero))
    assert empty.weights[:].size == 0


@pytest.mark.parametrize(("weights", "bias"), [(np.ones(5), None), (None, np.ones(3))])
def test_lengths_that_do_not_fit_are_refused(small, weights, bias):
    with pytest.raises(ParameterError, match="expected"):
        rx.Layer("a", small.layers[0].pattern, weights, bias)


def test_nobody_else_can_change_what_has_been_checked():
    indices = np.array([0, 1, 2])
    pattern = rx.Pattern.explicit((3, 1), [0, 3], indices)
    indices[0] = 1_000_000
    assert pattern.indices.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        pattern.indices[0] = 9
    with pytest.raises(ValueError, match="read-only"):
        pattern.columns(0, 1).indices[0] = 9
