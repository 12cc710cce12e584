"""What the documentation of the random draws says, in plain Python, and that it is fair."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, islice
from math import isqrt, prod

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.topologies.draws import _digit_bounds, bernoulli, distinct, stream
from radixfmt.topologies.erk import edge_counts


def patterns(name, **options):
    return [layer.pattern for layer in rx.generate(name, **options).layers]


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
