"""The random families: what their definitions promise, exactly."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from fractions import Fraction
from math import isqrt, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError
from radixfmt.topologies.drawn import LARGEST_DRAWN
from radixfmt.topologies.draws import GENERATOR
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


@pytest.mark.parametrize(
    ("name", "options", "message", "hint"),
    [
        ("erk", {"widths": [5], "density": 0.1}, "at least 2, got 1", None),
        ("erk", {"widths": [5, 0], "density": 0.1}, "width 1: expected 1 to", None),
        ("erk", {"widths": [5, -1], "density": 0.1}, "width 1", None),
        ("erk", {"widths": [5, 2.5], "density": 0.1}, "integers", None),
        ("erk", {"widths": [5, 2**31], "density": 0}, "neurons on a side; one that is", "dense"),
        ("erk", {"widths": [5, 4], "density": 1.5}, "density: expected a number from 0 to 1", None),
        ("erk", {"widths": [5, 4], "density": float("nan")}, "density: .* got nan", None),
        ("erk", {"widths": [5, 4], "density": "0.1"}, "density: .* got '0.1'", None),
        ("erk", {"widths": [5, 4], "density": True}, "density", None),
        ("erk", {"widths": [5, 4], "density": 0.1, "seed": -1}, "seed: expected 0 to", None),
        ("erk", {"widths": [5, 4], "density": 0.1, "seed": 2**53}, "seed: expected 0 to", None),
        ("erk", {"widths": [5, 4], "density": 0.1, "seed": 0.5}, "seed", None),
        ("erk", {"widths": [2**17, 2**17], "density": 0.5}, "edges", "radix-net"),
        ("erk", {"widths": [2**31 - 1] * 2, "density": 1e-10}, "may have 2.25", "radix-net"),
        ("erk", {"widths": [2**25, 2**25], "density": 1e-7}, "edges; .* may have 2.26", "radix"),
        ("x-net-cayley", {"widths": [5041**2] * 2, "group": "margulis"}, "may have 2.26", "radix"),
        ("x-net-cayley", {"widths": [9, 9], "degree": True}, "degree: expected integers", None),
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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("erk", {"widths": [2**15] * 2, "density": 2**-12}),
        ("erdos-renyi", {"widths": [2**17] * 2, "density": 2**-14}),
        ("erdos-renyi", {"widths": [2**10] * 2, "density": 0.9}),
        ("x-net-random", {"widths": [2**15] * 2, "degree": 8}),
        ("random-regular", {"widths": [2**15] * 2, "degree": 8}),
        ("random-regular", {"widths": [2**9] * 2, "degree": 500}),
        ("small-world", {"widths": [2**15] * 2, "degree": 8, "rewire": 1.0}),
        ("block-sparse", {"widths": [2**15] * 2, "block": 1, "degree": 8}),
        ("x-net-cayley", {"widths": [181**2] * 2, "group": "margulis"}),
        ("x-net-cayley", {"widths": [31**3 - 31] * 2, "group": "sl2"}),
    ],
)
def test_the_largest_layer_is_drawn_in_4_gib(name, options):
    tracemalloc.start()
    try:
        layer = rx.generate(name, **options).layers[0]
        size = layer.pattern.nnz
        assert tracemalloc.get_traced_memory()[1] / size < 2**32 / LARGEST_DRAWN
    finally:
        tracemalloc.stop()
