"""Deterministic families, each against its definition written out with dense matrices."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx


def matrices(name, **parameters):
    """Return W of every layer as whole numbers."""
    layers = rx.generate(name, **parameters).layers
    return [layer.pattern.to_scipy().toarray().astype(np.int64) for layer in layers]


def paths(found):
    """Return the number of paths of every pair, exactly."""
    return reduce(np.matmul, [matrix.astype(object) for matrix in found])


def block_diagonal(*blocks):
    import scipy.linalg

    return scipy.linalg.block_diag(*blocks)


@given(st.integers(2, 5), st.integers(1, 3), st.data())
def test_butterfly_exchanges_one_digit_and_has_one_path_per_pair(radix, digits, data):
    n = radix**digits
    layers = data.draw(st.integers(1, 2 * digits))
    i = np.arange(n)
    factors = []
    for k in range(digits):
        rest = i - i // radix**k % radix * radix**k  # the number without its digit k
        factors.append(rest[:, None] == rest)
    found = matrices("butterfly", neurons=n, radix=radix, layers=layers)
    assert len(found) == layers
    for k, matrix in enumerate(found):
        assert (matrix == factors[k % digits]).all()
    whole = matrices("butterfly", neurons=n, radix=radix)
    assert [matrix.sum() for matrix in whole] == [radix * n] * digits
    assert (paths(whole) == 1).all()


def test_butterfly_of_radix_2_is_xor_and_no_radix_net():
    found = matrices("butterfly", neurons=16)
    i = np.arange(16)
    for k, matrix in enumerate(found):
        assert (matrix == np.isin(i[:, None] ^ i, [0, 2**k])).all()
    cyclic = matrices("radix-net", systems=[[2] * 4])
    assert (found[-1] == cyclic[-1]).all()  # half a turn either way
    assert not any((a == b).all() for a, b in zip(found[:-1], cyclic[:-1], strict=True))


@given(st.integers(2, 6), st.integers(2, 6))
def test_monarch_is_two_block_diagonals_and_a_transposition(p, q):
    first, second = matrices("monarch", factors=[p, q])
    transposed = np.arange(p * q).reshape(q, p).T.ravel()
    assert (first == block_diagonal(*[np.ones((p, p))] * q)).all()
    blocks = second[transposed][:, transposed]
    assert (blocks == block_diagonal(*[np.ones((q, q))] * p)).all()
    assert (first @ second == 1).all()


def test_monarch_of_more_factors_keeps_one_path():
    found = matrices("monarch", factors=[2, 3, 4])
    assert [set(matrix.sum(axis=0)) for matrix in found] == [{2}, {3}, {4}]
    assert (paths(found) == 1).all()


@given(st.data())
def test_pixelfly_is_the_union_of_its_terms(data):
    block = data.draw(st.integers(1, 3))
    m = data.draw(st.integers(1, 3))
    stretch = data.draw(st.tuples(st.sampled_from([1, 3]), st.sampled_from([1, 2, 5])))
    widths = [2**m * block * times for times in stretch]
    factors = data.draw(st.none() | st.integers(1, m))
    rank = block * data.draw(st.integers(0, min(widths) // block))
    (found,) = matrices("pixelfly", widths=widths, block=block, factors=factors, rank=rank)
    i = np.arange(2**m)
    terms = [np.eye(2**m, dtype=bool)]
    terms += [(i[:, None] ^ i) == 2**k for k in range(m if factors is None else factors)]
    mask = np.kron(np.any(terms, axis=0), np.ones([width // 2**m for width in widths]))
    mask[:rank] = mask[:, :rank] = 1
    assert (found == mask).all()
    squares = found.reshape(widths[0] // block, block, widths[1] // block, block)
    assert set(squares.sum(axis=(1, 3)).ravel()) <= {0, block**2}


@given(st.lists(st.integers(1, 12), min_size=2, max_size=4), st.data())
def test_blocks_on_the_diagonal_cut_widths_as_array_split_does(widths, data):
    blocks = data.draw(st.integers(1, min(widths)))
    found = matrices("block-diagonal", widths=widths, blocks=blocks)
    for matrix, (n_in, n_out) in zip(found, pairwise(widths), strict=True):
        cuts = (np.array_split(np.arange(size), blocks) for size in (n_in, n_out))
        parts = [np.ones((a.size, b.size)) for a, b in zip(*cuts, strict=True)]
        assert (matrix == block_diagonal(*parts)).all()


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_hypercube_paths_depend_on_distance_alone(d):
    n = 2**d
    found = matrices("hypercube", neurons=n)
    assert len(found) == d
    i = np.arange(n)
    apart = np.bitwise_count(i[:, None] ^ i).astype(int)
    for matrix in found:
        assert (matrix == (apart <= 1)).all()
    # walks of length d with rests, by Krawtchouk polynomials of the distance
    walks = [
        sum(
            (d + 1 - 2 * k) ** d * (-1) ** j * comb(h, j) * comb(d - h, k - j)
            for k in range(d + 1)
            for j in range(k + 1)
        )
        // n
        for h in range(d + 1)
    ]
    assert (paths(found) == np.array(walks, object)[apart]).all()
    assert min(walks) > 0
    if d > 1:
        assert (paths(found[:-1]) == 0).any()  # one layer fewer does not reach all


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_torus_is_the_sum_of_its_rings(sides):
    found = matrices("torus", sides=sides)
    total = np.eye(prod(sides), dtype=int)
    for axis, side in enumerate(sides):
        i = np.arange(side)
        ring = np.isin((i[:, None] - i) % side, [1, side - 1]) & (i[:, None] != i)
        around = [np.eye(other, dtype=int) for other in sides]
        around[axis] = ring
        total += reduce(np.kron, around)
    for matrix in found:
        assert (matrix == total).all()
        assert (matrix == matrix.T).all()
    degree = 1 + sum(min(side - 1, 2) for side in sides)
    assert set(found[0].sum(axis=0)) == {degree}
    assert (paths(found) > 0).all()
    if len(found) > 1:
        assert (paths(found[:-1]) == 0).any()


def test_torus_numbers_points_like_a_c_array():
    (matrix,) = matrices("torus", sides=[3, 5], layers=1)
    cells = np.argwhere(matrix[:, 7].reshape(3, 5))
    assert cells.tolist() == [[0, 2], [1, 1], [1, 2], [1, 3], [2, 2]]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_clos_has_one_path_per_middle_switch(m, n, r):
    first, middle, last = found = matrices("clos", m=m, n=n, r=r)
    assert (paths(found) == m).all()
    assert (first == block_diagonal(*[np.ones((n, m))] * r)).all()
    assert (last == first.T).all()
    # hidden neurons are links; those of one middle switch are all joined, r by r
    for switch in range(m):
        assert middle[switch::m, switch::m].all()
    assert middle.sum() == m * r * r


def test_low_rank_and_dense_keep_the_rule_that_files_name():
    network = rx.generate("low-rank", widths=[6, 5, 4], rank=2)
    shapes = [layer.pattern.shape for layer in network.layers]
    assert shapes == [(6, 2), (2, 5), (5, 2), (2, 4)]
    found = matrices("low-rank", widths=[6, 5, 4], rank=2)
    assert (paths(found[:2]) == 2).all()
    assert (paths(found) == 2 * 5 * 2).all()
    for layer in (*network.layers, *rx.generate("dense", widths=[3, 2, 1]).layers):
        assert layer.pattern.record["generator"] == "dense/1"
        assert layer.pattern.density == 1


@given(st.lists(st.integers(1, 6), min_size=2, max_size=3), st.integers(1, 3), st.data())
def test_block_sparse_has_full_blocks_and_as_many_in_every_column(counts, block, data):
    degree = data.draw(st.integers(1, min(counts[:-1])))
    widths, seed = [block * count for count in counts], data.draw(st.integers(0, 2**53 - 1))
    found = matrices("block-sparse", widths=widths, block=block, degree=degree, seed=seed)
    for matrix, (rows, columns) in zip(found, pairwise(counts), strict=True):
        blocks = matrix.reshape(rows, block, columns, block).sum(axis=(1, 3))
        assert set(blocks.ravel()) <= {0, block**2}
        assert ((blocks > 0).sum(axis=0) == degree).all()


def test_block_sparse_takes_a_density_in_place_of_a_degree():
    def make(**parameters):
        return matrices("block-sparse", widths=[40, 16, 16], block=4, **parameters)

    found = make(density=0.25)  # 2.5 of 10 blocks and 1 of 4
    assert [set(matrix.sum(axis=0)) for matrix in found] == [{12}, {4}]
    assert (make(density=0.25)[0] == found[0]).all()
    assert (make(density=0.25, seed=1)[0] != found[0]).any()
    assert all(matrix.all() for matrix in make(density=1.0))


EVERY = [
    ("block-sparse", {"widths": [24, 36, 12], "block": 3, "degree": 4}),
    ("butterfly", {"neurons": 27, "radix": 3}),
    ("monarch", {"factors": [4, 6]}),
    ("pixelfly", {"widths": [24, 16, 16], "block": 2, "rank": 6}),
    ("pixelfly", {"widths": [16, 16], "block": 1, "factors": 2}),
    ("block-diagonal", {"widths": [17, 23, 7], "blocks": 5}),
    ("hypercube", {"neurons": 32, "layers": 2}),
    ("torus", {"sides": [2, 1, 4, 3], "layers": 1}),
    ("clos", {"m": 3, "n": 4, "r": 5}),
    ("low-rank", {"widths": [9, 8], "rank": 3}),
    ("dense", {"widths": [5, 6]}),
]


@pytest.mark.parametrize(("name", "parameters"), EVERY)
@given(cuts=st.lists(st.floats(0, 1), max_size=4))
def test_column_ranges_make_the_whole(name, parameters, cuts):
    for layer in rx.generate(name, **parameters).layers:
        pattern, n_out = layer.pattern, layer.pattern.shape[1]
        ends = sorted([0, n_out, *(round(cut * n_out) for cut in cuts)])
        parts = [pattern.columns(a, b) for a, b in pairwise(ends)]  # empty ones too
        checked = rx.Pattern.explicit(pattern.shape, pattern.indptr, pattern.indices)
        assert checked.nnz == pattern.nnz
        assert {part.indices.dtype for part in parts} == {checked.indices.dtype}
        assert (np.concatenate([part.indices for part in parts]) == checked.indices).all()
        for (start, stop), part in zip(pairwise(ends), parts, strict=True):
            assert pattern.first_edge(start) == checked.first_edge(start)
            assert (np.diff(part.indptr) == checked.fan_in(start, stop)).all()
            assert (pattern.fan_in(start, stop) == checked.fan_in(start, stop)).all()
