"""Explicit X-Nets: layers that join the elements of a group along its generators."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx


def patterns(name, **options):
    return [layer.pattern for layer in rx.generate(name, **options).layers]


def pattern(name, n_in, n_out, **options):
    (found,) = patterns(name, widths=[n_in, n_out], **options)
    return found


def dense(found):
    return found.to_scipy().toarray().astype(int)


def connected(matrix):
    from scipy.sparse.csgraph import connected_components

    return connected_components(matrix)[0] == 1


@given(st.integers(1, 40), st.data())
def test_cyclic_layers(n, data):
    degree = data.draw(st.integers(min(2, n), n))
    first, second = patterns("x-net-cayley", widths=[n, n, n], degree=degree)
    matrix = dense(first)
    assert (matrix == dense(second)).all()
    assert (matrix == matrix.T).all()  # closed under inverses
    assert (matrix == np.roll(matrix, (1, 1), axis=(0, 1))).all()
    assert set(matrix.sum(axis=0)) == {degree}
    assert gcd(n, *np.flatnonzero(matrix[0]).tolist()) == 1  # the set generates Z_n


def test_cyclic_strides():
    matrix = dense(pattern("x-net-cayley", 1000, 1000, degree=7))
    assert np.flatnonzero(matrix[0]).tolist() == [0, 1, 10, 100, 900, 990, 999]


@pytest.mark.parametrize("m", [1, 2, 7, 20])
def test_margulis_layers_are_expanders(m):
    matrix = dense(pattern("x-net-cayley", m * m, m * m, group="margulis"))
    expected = np.zeros((m * m, m * m), int)
    for x in range(m):
        for y in range(m):
            for s in (2 * y, -2 * y, 2 * y + 1, -2 * y - 1):
                expected[x * m + y, (x + s) % m * m + y] = 1
            for s in (2 * x, -2 * x, 2 * x + 1, -2 * x - 1):
                expected[x * m + y, x * m + (y + s) % m] = 1
    assert (matrix == expected).all()
    assert (matrix == matrix.T).all()
    assert sorted(np.linalg.svd(matrix)[1])[:-1][-1:] <= [5 * np.sqrt(2)]  # Gabber and Galil


@pytest.mark.parametrize("p", [3, 5, 7])
def test_sl2_layers_are_cayley_graphs(p):
    n = p**3 - p
    matrix = dense(pattern("x-net-cayley", n, n, group="sl2"))
    assert (matrix == matrix.T).all()
    assert set(matrix.sum(axis=0)) == {4}
    assert connected(matrix)
    assert np.linalg.svd(matrix)[1][1] < 3.75
    # vertex-transitive: as many closed walks of each length at every neuron
    walks = np.linalg.matrix_power(matrix.astype(object) if p < 5 else matrix, 6)
    assert len(set(np.diag(walks).tolist())) == 1
