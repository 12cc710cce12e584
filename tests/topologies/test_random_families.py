"""The random and expander families: what their definitions promise, exactly."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, islice
from math import gcd, isqrt, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError
from radixfmt.topologies.draws import GENERATOR, _digit_bounds, bernoulli, distinct, stream
from radixfmt.topologies.erk import edge_counts

RANDOM = {
    "x-net-random": {"degree": 3},
    "random-regular": {"degree": 3},
    "erdos-renyi": {"density": 0.3},
    "erk": {"density": 0.3},
    "small-world": {"degree": 3, "rewire": 0.4},
}
WIDTHS = [40, 30, 50, 50]


def patterns(name, **options):
    return [layer.pattern for layer in rx.generate(name, **options).layers]


def pattern(name, n_in, n_out, **options):
    (found,) = patterns(name, widths=[n_in, n_out], **options)
    return found


def dense(found):
    return found.to_scipy().toarray().astype(int)


def edges(found):
    """The sets of inputs, output by output."""
    return [
        found.indices[a:b].tolist() for a, b in zip(found.indptr, found.indptr[1:], strict=False)
    ]


# The draws as the documentation of radixfmt.topologies.draws tells them, in plain Python.


def philox(seed, layer):
    """The words of a layer: Philox4x64-10 (Salmon et al., SC 2011)."""
    mask, counter = 2**64 - 1, 2**192
    while True:
        counter += 1
        x = [counter >> shift & mask for shift in (0, 64, 128, 192)]
        key = [seed, layer]
        for _ in range(10):
            a, b = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
            x = [b >> 64 ^ x[1] ^ key[0], b & mask, a >> 64 ^ x[3] ^ key[1], a & mask]
            key = [(key[0] + 0x9E3779B97F4A7C15) & mask, (key[1] + 0xBB67AE8584CAA73B) & mask]
        yield from x


def told_below(words, n):
    return next(w for w in words if w < n * (2**64 // n)) % n


def told_distinct(words, n, k, rows):
    """All rows in one run."""
    if 2 * k > n:
        left_out = told_distinct(words, n, n - k, rows)
        return [sorted(set(range(n)) - set(row)) for row in left_out]
    found = [set() for _ in range(rows)]
    while any(len(row) < k for row in found):
        for row in found:
            row.update([told_below(words, n) for _ in range(k - len(row))])
    return [sorted(row) for row in found]


def told_order(words, count):
    drawn = list(islice(words, count))
    return sorted(range(count), key=lambda i: (drawn[i], i))


def told_bernoulli(words, cells, p):
    powers = [(1 - p) ** (2**digit) for digit in range(14)]
    bounds = [bound for r in powers if (bound := int(2**64 * r / (1 + r)))]
    assert len(bounds) < 14
    found, cell = [], -1
    while True:
        gap = sum((next(words) < bound) << digit for digit, bound in enumerate(bounds))
        cell += gap + 1
        if cell >= cells:
            return found
        found.append(cell)


def told_regular(words, n_in, n_out, degree):
    """The configuration model; the sizes of the test leave no more than switches do."""
    least, more = divmod(degree * n_out, n_in)
    favoured = told_distinct(words, n_in, more, 1)[0]
    ends = [i for i in range(n_in) for _ in range(least + (i in favoured))]
    dealt = [ends[i] for i in told_order(words, len(ends))]
    cells = sorted(j // degree * n_in + end for j, end in enumerate(dealt))
    while repeats := [i for i in range(1, len(cells)) if cells[i] == cells[i - 1]]:
        switches, taken, made = [], set(), set()
        for i, other in [(i, told_below(words, len(cells))) for i in repeats]:
            (a, b), (c, d) = divmod(cells[i], n_in), divmod(cells[other], n_in)
            new = [a * n_in + d, c * n_in + b]
            if not (
                {other} & (taken | {*repeats}) or {*new} & (made | {*cells}) or new[0] == new[1]
            ):
                switches.append((i, other, new))
            taken.add(other)
            made.update(new)
        for i, other, new in switches:
            cells[i], cells[other] = new
        cells.sort()
    return [[cell % n_in for cell in cells if cell // n_in == j] for j in range(n_out)]


def told_small_world(words, n_in, n_out, degree, p):
    rows = [
        sorted((j * n_in // n_out + i - (degree - 1) // 2) % n_in for i in range(degree))
        for j in range(n_out)
    ]
    moved = [[next(words) // 2 < int(p * 2**63) for _ in row] for row in rows]
    for m in range(1, degree + 1):
        group = [j for j in range(n_out) if sum(moved[j]) == m]
        for j, ranks in zip(
            group, told_distinct(words, n_in - degree + m, m, len(group)), strict=True
        ):
            kept = [i for i, gone in zip(rows[j], moved[j], strict=True) if not gone]
            others = [i for i in range(n_in) if i not in kept]
            rows[j] = sorted(kept + [others[rank] for rank in ranks])
    return rows


def test_layers_are_what_the_documentation_says():
    seed, (n_in, n_out) = 2**53 - 1, (19, 16)

    def words(layer=1):
        return philox(seed, layer)

    def second(name, **options):
        return edges(patterns(name, widths=[4, n_in, n_out], seed=seed, **options)[1])

    for degree in (3, 4):
        assert second("x-net-random", degree=degree) == told_distinct(words(), n_in, degree, n_out)
        for rewire in (0.0, 0.3, 1.0):
            assert second("small-world", degree=degree, rewire=rewire) == told_small_world(
                words(), n_in, n_out, degree, Fraction(rewire)
            )
        assert second("random-regular", degree=degree) == told_regular(words(), n_in, n_out, degree)
    picked = [told_bernoulli(words(), n_in * n_out, Fraction(p)) for p in (0.2, 0.01, 0.9)]
    for p, cells in zip((0.2, 0.01, 0.9), picked, strict=True):
        found = second("erdos-renyi", density=p)
        assert [j * n_in + i for j, row in enumerate(found) for i in row] == cells
    count = edge_counts([(4, n_in), (n_in, n_out)], Fraction(0.7))[1]
    found = second("erk", density=0.7)
    assert [j * n_in + i for j, row in enumerate(found) for i in row] == told_distinct(
        words(), n_in * n_out, count, 1
    )[0]


def test_the_generator_is_philox_as_published():
    # the known answers of Random123 for counter 0 and key 0, and numpy's own layout of both
    assert np.random.Philox(key=0, counter=2**256 - 1).random_raw(2).tolist() == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
    ]
    assert stream(7, 3).random_raw(9).tolist() == list(islice(philox(7, 3), 9))


@pytest.mark.parametrize(("name", "options"), RANDOM.items())
def test_layers_depend_on_seed_and_place_alone(name, options):
    def digests(widths=WIDTHS, seed=3, order=(0, 1, 2)):
        layers = rx.generate(name, widths=widths, seed=seed, **options).layers
        return {i: layers[i].pattern.indices.tolist() for i in order}

    first = digests()
    assert digests(order=(2, 0, 1, 0)) == first
    other = digests(seed=4)
    assert all(first[i] != other[i] for i in first)
    square = digests(widths=[50] * 4)
    assert square[0] != square[1] != square[2]
    if name != "erk":  # whose layers share one total
        assert digests(widths=[*WIDTHS, 7]) == first


@pytest.mark.parametrize("name", RANDOM)
def test_provenance_names_the_generator(name):
    step = rx.generate(name, widths=[8, 8], **RANDOM[name]).metadata.provenance[-1]
    assert step["random"] == GENERATOR
    assert step["parameters"]["seed"] == 0
    assert "random" not in rx.generate("radix-net", systems=[[2]]).metadata.provenance[-1]


sizes = st.integers(1, 24)


@given(sizes, sizes, st.data(), st.sampled_from(["smaller-side", "outputs"]))
def test_x_net_degrees(n_in, n_out, data, rule):
    by_inputs = rule == "smaller-side" and n_out >= n_in
    degree = data.draw(st.integers(1, n_out if by_inputs else n_in))
    found = pattern("x-net-random", n_in, n_out, degree=degree, rule=rule)
    exact = found.fan_out() if by_inputs else found.fan_in()
    assert set(exact.tolist()) == {degree}
    assert found.nnz == degree * (n_in if by_inputs else n_out) == dense(found).sum()


@given(sizes, sizes, st.data())
def test_random_regular_degrees(n_in, n_out, data):
    degree = data.draw(st.integers(1, n_in))
    found = pattern("random-regular", n_in, n_out, degree=degree, seed=n_in)
    matrix = dense(found)
    assert matrix.max() == 1
    assert set(matrix.sum(axis=0)) == {degree}
    least, more = divmod(degree * n_out, n_in)
    assert Counter(matrix.sum(axis=1).tolist()) == +Counter({least: n_in - more, least + 1: more})


def test_random_regular_layers_have_the_gap_of_random_ones():
    # second singular value of a random biregular graph: about √(d-1) + √(d'-1) (Ramanujan)
    singular = np.linalg.svd(dense(pattern("random-regular", 600, 300, degree=8)))[1]
    assert singular[0] == pytest.approx(np.sqrt(8 * 4))
    assert singular[1] < 1.05 * (np.sqrt(7) + np.sqrt(3))


@given(sizes, sizes, st.data(), st.floats(0, 1))
def test_small_world_degrees(n_in, n_out, data, rewire):
    degree = data.draw(st.integers(1, n_in))
    matrix = dense(pattern("small-world", n_in, n_out, degree=degree, rewire=rewire))
    assert matrix.max() == 1
    assert set(matrix.sum(axis=0)) == {degree}


def test_small_world_ends_and_middle():
    def layer(rewire, n_in=400, n_out=300, degree=6):
        return dense(pattern("small-world", n_in, n_out, degree=degree, rewire=rewire, seed=1))

    ring = layer(0)
    assert np.flatnonzero(ring[:, 0]).tolist() == [0, 1, 2, 3, 398, 399]
    assert np.flatnonzero(ring[:, 75]).tolist() == [98, 99, 100, 101, 102, 103]
    square = layer(0, n_in=9, n_out=9, degree=3)
    assert (square == sum(np.roll(np.eye(9), s, axis=0) for s in (-1, 0, 1))).all()
    stays = [(layer(p) * ring).sum() / ring.sum() for p in (0.25, 1)]
    assert stays == pytest.approx([0.75, 6 / 400], abs=0.02)


@given(sizes, sizes, st.floats(0, 1), st.integers(0, 5))
def test_erdos_renyi_is_sound_at_any_density(n_in, n_out, density, seed):
    found = pattern("erdos-renyi", n_in, n_out, density=density, seed=seed)
    assert dense(found).max(initial=0) <= 1
    assert density not in (0, 1) or found.density == density


@pytest.mark.parametrize("p", [2.0**-64, 1e-18, 1e-6, 0.03, 0.5, 1 - 2**-53])
def test_gaps_have_the_geometric_distribution(p):
    # the digits are independent, so all of P(G = g) follows from two products over their bounds
    share = int(Fraction(p) * 2**64)
    chances = [Fraction(int(bound), 2**64) for bound in _digit_bounds(share)]
    none = prod(1 - chance for chance in chances)
    assert abs(none / Fraction(share, 2**64) - 1) < Fraction(1, 2**56)
    for digit, chance in enumerate(chances[:4]):
        r = Fraction(2**64 - share, 2**64) ** (2**digit)
        assert 0 <= r / (1 + r) - chance < Fraction(1, 2**63)


def test_picks_of_a_layer_too_large_to_walk():
    cells, count = 2**61, 40_000
    picked = bernoulli(stream(0, 0), cells, Fraction(count, cells))
    assert abs(picked.size - count) < 5 * isqrt(count)
    assert (np.diff(picked) > 0).all()
    halves = np.count_nonzero(picked < cells // 2)
    assert abs(2 * halves - picked.size) < 5 * isqrt(count)
    assert bernoulli(stream(0, 0), 2**62 - 1, Fraction(1, 2**64)).size <= 3
    assert bernoulli(stream(0, 0), 1000, Fraction(1)).tolist() == list(range(1000))


@pytest.mark.parametrize(("n", "k"), [(5, 2), (5, 3), (4, 2)])
def test_all_sets_are_equally_likely(n, k):
    rows = 60_000
    found = Counter(map(tuple, distinct(stream(0, 0), n, k, rows).tolist()))
    expected = {chosen: rows / len(list(combinations(range(n), k))) for chosen in found}
    assert set(found) == set(combinations(range(n), k))
    chi_square = sum((found[s] - expected[s]) ** 2 / expected[s] for s in found)
    assert chi_square < 30  # 9 degrees of freedom at most: 1 in 2,000


def test_runs_of_rows_continue_the_stream():
    words, whole = stream(0, 0), stream(0, 0)
    n, k, rows = 1 << 20, 1 << 18, 6
    first = [distinct(words, n, k, 4), distinct(words, n, k, 2)]
    assert (np.concatenate(first) == distinct(whole, n, k, rows)).all()


def test_set_epsilon_is_the_published_density():
    found = patterns("erdos-renyi", widths=[3072, 4000, 1000, 3], epsilon=20)
    expected = [20 * (3072 + 4000), 20 * (4000 + 1000), 3000]  # the last one: clipped at 1
    assert found[2].density == 1
    for layer, count in zip(found[:2], expected[:2], strict=True):
        assert abs(layer.nnz - count) < 5 * isqrt(count)
    assert expected[0] / (3072 * 4000) == pytest.approx(0.01151, abs=5e-6)


@given(st.lists(sizes, min_size=2, max_size=6), st.floats(0, 1))
def test_erk_meets_the_total_and_the_proportions(widths, density):
    found = patterns("erk", widths=widths, density=density)
    cells = [prod(layer.shape) for layer in found]
    assert sum(layer.nnz for layer in found) == round(Fraction(density) * sum(cells))
    # one scale fits all layers that are not full, and full ones would be more than full at it
    partial = [layer for layer in found if layer.nnz < prod(layer.shape)]
    low = max(((p.nnz - 1) / sum(p.shape) for p in partial), default=0)
    high = min(((p.nnz + 1) / sum(p.shape) for p in partial), default=np.inf)
    assert low <= high
    for layer in found:
        if layer not in partial:
            assert (layer.nnz - 1) / sum(layer.shape) <= high


def test_erk_worked_example():
    # 784-300-100-10 at 10 %: 26,620 edges; 110·s > 1000 fills the last layer, the others share
    counts = edge_counts([(784, 300), (300, 100), (100, 10)], Fraction(1, 10))
    scale = Fraction(26620 - 1000, 1084 + 400)
    assert counts == [round(1084 * scale), round(400 * scale), 1000]
    assert sum(counts) == 26620


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


@pytest.mark.parametrize(
    ("name", "options", "message", "hint"),
    [
        ("erk", {"widths": [5], "density": 0.1}, "at least 2, got 1", None),
        ("erk", {"widths": [5, 0], "density": 0.1}, "width 1: expected 1 to", None),
        ("erk", {"widths": [5, -1], "density": 0.1}, "width 1", None),
        ("erk", {"widths": [5, 2.5], "density": 0.1}, "integers", None),
        ("erk", {"widths": [5, 2**31], "density": 0}, "width 1: a layer that is written", "dense"),
        ("erk", {"widths": [5, 4], "density": 1.5}, "density: expected a number from 0 to 1", None),
        ("erk", {"widths": [5, 4], "density": float("nan")}, "density: .* got nan", None),
        ("erk", {"widths": [5, 4], "density": "0.1"}, "density: .* got '0.1'", None),
        ("erk", {"widths": [5, 4], "density": True}, "density", None),
        ("erk", {"widths": [5, 4], "density": 0.1, "seed": -1}, "seed: expected 0 to", None),
        ("erk", {"widths": [5, 4], "density": 0.1, "seed": 2**53}, "seed: expected 0 to", None),
        ("erk", {"widths": [5, 4], "density": 0.1, "seed": 0.5}, "seed", None),
        ("erk", {"widths": [2**17, 2**17], "density": 0.5}, "edges", "radix-net"),
        ("erdos-renyi", {"widths": [5, 4]}, "expected one of them, got neither", "epsilon"),
        ("erdos-renyi", {"widths": [5, 4], "density": 0.1, "epsilon": 1}, "got both", "epsilon"),
        ("erdos-renyi", {"widths": [5, 4], "epsilon": 0}, "epsilon: .* above 0", None),
        ("erdos-renyi", {"widths": [5, 4], "epsilon": float("inf")}, "epsilon: .* finite", None),
        ("erdos-renyi", {"widths": [5, 4], "epsilon": float("nan")}, "epsilon", None),
        ("erdos-renyi", {"widths": [5, 4], "epsilon": 10**400}, "epsilon", None),
        ("erdos-renyi", {"widths": [2**17, 2**17], "density": 0.5}, "edges", "radix-net"),
        ("x-net-random", {"widths": [9, 4, 2], "degree": 5}, "layer 1 has 4 .* got 5", "at most 4"),
        ("x-net-random", {"widths": [9, 4], "degree": 0}, "degree: expected 1 to", None),
        (
            "x-net-random",
            {"widths": [9, 4], "degree": 2, "rule": "inputs"},
            "rule: .*'inputs'",
            "s",
        ),
        ("x-net-random", {"widths": [2**17] * 2, "degree": 2**15}, "edges", "radix-net"),
        ("random-regular", {"widths": [9, 4, 3], "degree": 5}, "layer 1 has 4 .* got 5", "most 4"),
        ("random-regular", {"widths": [2**17] * 2, "degree": 2**15}, "edges", "radix-net"),
        ("small-world", {"widths": [4, 9], "degree": 5, "rewire": 0}, "layer 0 has 4", "most 4"),
        ("small-world", {"widths": [9, 9], "degree": 5, "rewire": -0.1}, "rewire: expected", None),
        ("small-world", {"widths": [2**17] * 2, "degree": 2**15, "rewire": 0}, "edges", "radix"),
        ("x-net-cayley", {"widths": [9, 8]}, "width 1: expected 9", "x-net-random"),
        ("x-net-cayley", {"widths": [9, 9], "degree": 1}, "expected 2 to 9", "fits: 2"),
        ("x-net-cayley", {"widths": [9, 9], "degree": 10}, "expected 2 to 9", "fits: 9"),
        ("x-net-cayley", {"widths": [9, 9], "group": "dihedral"}, "cyclic, margulis, sl2", None),
        ("x-net-cayley", {"widths": [14, 14], "group": "margulis"}, "m² neurons, got 14", "16"),
        ("x-net-cayley", {"widths": [99, 99], "group": "sl2"}, "p³ - p .* got 99", "120"),
        ("x-net-cayley", {"widths": [9, 9], "group": "margulis", "degree": 4}, "degree 8", None),
        ("x-net-cayley", {"widths": [2**26] * 2, "degree": 64}, "edges", "radix-net"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(name, options, message, hint):
    with pytest.raises(ParameterError, match=message) as caught:
        rx.generate(name, **options)
    assert hint is None or hint in caught.value.hint
