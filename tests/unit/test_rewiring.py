"""Sparse evolutionary training: the weakest edges move, and nothing else changes."""

from __future__ import annotations

from fractions import Fraction
from math import floor, pi

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.pruning import drop_fraction, rewire


def one_layer(matrix, weights=None):
    """The network of one layer with edges where `matrix` is not 0, by default its values."""
    w = sp.csc_array(np.asarray(matrix))
    values = w.data if weights is None else weights
    return rx.chain([rx.Layer("a", rx.Pattern.from_scipy(w), values, 0.5)], activation="Relu")


def edges(layer):
    """{(input, output): weight}."""
    outputs = np.repeat(np.arange(layer.pattern.shape[1]), layer.pattern.fan_in())
    weights = np.broadcast_to(layer.weights, (layer.pattern.nnz,))
    return {
        (int(i), int(j)): w for i, j, w in zip(layer.pattern.indices, outputs, weights, strict=True)
    }


@given(
    st.integers(0, 2**32),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from([0, 0.1, 0.3, 0.7, 1]),
    st.sampled_from([0.05, 0.5, 0.95]),
)
def test_the_weakest_of_either_sign_move(seed, n_in, n_out, zeta, density):
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_in, n_out)) < density) * rng.standard_normal((n_in, n_out))
    network = one_layer(matrix)
    (layer,) = rewire(network, zeta=zeta, seed=seed).layers
    before, after = edges(network.layers[0]), edges(layer)
    assert len(after) == len(before) == layer.pattern.nnz
    rx.Pattern.explicit(layer.pattern.shape, layer.pattern.indptr, layer.pattern.indices)
    if len(before) == matrix.size:
        assert after == before
        return
    kept = {}
    for side in (-1, 1):
        ranked = sorted(
            (cell for cell in before if side * before[cell] > 0), key=lambda c: -abs(before[c])
        )
        kept |= {
            c: before[c] for c in ranked[: len(ranked) - floor(Fraction(str(zeta)) * len(ranked))]
        }
    assert kept.items() <= after.items()
    assert (layer.dtype, layer.bias.tolist()) == (np.float64, [0.5])


def test_counts_hold_through_an_evolution():
    # SET's CIFAR network at a quarter of its widths, with its ε, its ζ, and its dense last layer
    widths = {"widths": [768, 1000, 250, 1000], "epsilon": 5}
    sparse = rx.generate("erdos-renyi", **widths, weights="he").layers
    last = rx.generate("dense", widths=[1000, 10], weights="he").layers[0]
    network = rx.chain([*sparse, last])
    counts = [layer.pattern.nnz for layer in network.layers]
    grown = network
    for epoch in range(3):
        grown = rx.chain(list(rewire(grown, seed=epoch).layers))
        assert [layer.pattern.nnz for layer in grown.layers] == counts
    assert edges(grown.layers[3]) == edges(last)
    stayed = set(edges(network.layers[0])) & set(edges(grown.layers[0]))
    assert 0.7**3 <= len(stayed) / counts[0] < 0.72


def test_new_edges_are_anywhere_but_where_edges_stay():
    """Each of the four empty cells, the dropped one included, comes equally often."""
    network = one_layer([[1.0, 2, 0], [0, 3, 0]])
    found = {}
    for seed in range(4000):
        new = edges(rewire(network, zeta=0.34, seed=seed).layers[0])
        ((cell, weight),) = new.items() - {((0, 1), 2.0), ((1, 1), 3.0)}
        found.setdefault(cell, []).append(weight)
    assert set(found) == {(0, 0), (1, 0), (0, 2), (1, 2)}
    assert all(abs(len(weights) - 1000) < 150 for weights in found.values())
    drawn = np.concatenate(list(found.values()))
    assert abs(drawn.mean()) < 0.01
    assert drawn.std() == pytest.approx(0.1, rel=0.05)


def test_zeros_go_ties_go_from_the_end_and_nan_stays():
    network = one_layer(np.eye(6), np.array([0, 1, 1, 1, -5, np.nan]))
    (layer,) = rewire(network, zeta=0.5, seed=1, deviation=0).layers
    found = edges(layer)
    assert [found[i, i] for i in (1, 2, 4)] == [1, 1, -5]
    assert np.isnan(found[5, 5])
    assert found.get((0, 0), 0) == found.get((3, 3), 0) == 0
    assert sorted(layer.weights[:-1].tolist())[1:3] == [0, 0]


def test_only_chosen_layers_change_and_seed_and_place_decide():
    network = rx.generate("erdos-renyi", widths=[30] * 4, density=0.2, weights="normal")
    old = [edges(layer) for layer in network.layers]

    def new(**options):
        return [edges(layer) for layer in rewire(network, **options).layers]

    assert [a == b for a, b in zip(new(layers=[2, 0]), old, strict=True)] == [False, True, False]
    assert new(seed=1, layers=[2])[2] == new(seed=1)[2] != new(seed=2)[2]
    moved = [set(a) - set(b) for a, b in zip(new(), old, strict=True)]
    assert moved[0] != moved[1]
    step = rewire(network, layers=range(2)).metadata.provenance[-1]
    assert (step["activity"], step["zeta"], step["layers"]) == ("rewire", 0.3, [0, 1])


@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16])
def test_the_type_of_the_weights_stays_and_files_hold_the_result(dtype, tmp_path):
    network = one_layer(np.tri(9), np.arange(-22, 23).astype(dtype))
    rx.write(tmp_path / "a.rx.h5", rewire(network, zeta=0.5))
    back = rx.read(tmp_path / "a.rx.h5")
    assert (back.layers[0].dtype, back.nnz) == (np.dtype(dtype), 45)
    assert back.metadata.provenance[-1]["zeta"] == 0.5


def test_one_value_for_all_edges():
    network = rx.generate("radix-net", systems=[[8, 8]], weights="constant=0.5")
    (first, _) = rewire(network, deviation=0).layers
    assert first.pattern.nnz == 512
    assert np.count_nonzero(first.weights) == 512 - floor(0.3 * 512)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zeta": 1.1}, "zeta: expected a number from 0 to 1"),
        ({"zeta": float("nan")}, "zeta"),
        ({"seed": -1}, "seed: expected 0 to"),
        ({"layers": [1]}, "layers: expected indices from 0 to 0, got 1"),
        ({"layers": ["a"]}, "layers: .*'a'"),
        ({"deviation": -1}, "deviation: expected a number from 0 to 1000"),
        ({"deviation": float("nan")}, "deviation"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        rewire(one_layer(np.eye(3)), **options)


@pytest.mark.parametrize("weights", [None, np.ones(3, np.int8)])
def test_weights_that_cannot_be_ranked_or_drawn_are_refused(weights):
    network = rx.chain([rx.Layer("a", rx.Pattern.from_scipy(sp.eye_array(3)), weights)])
    with pytest.raises(UnsupportedError, match="a: expected weights of a float type"):
        rewire(network)
    assert rewire(network, layers=[]).nnz == 3


def test_cosine_schedule():
    values = [drop_fraction(step, alpha=0.3, end=75_000) for step in range(-100, 80_000, 100)]
    assert values == sorted(values, reverse=True)
    assert values[:2] == [0.3, 0.3]
    assert values[-1] == 0
    assert drop_fraction(37_500, end=75_000) == pytest.approx(0.15)
    assert drop_fraction(25_000, end=75_000) == pytest.approx(0.15 * (1 + np.cos(pi / 3)))
    for wrong in ({"alpha": 1.1, "end": 5}, {"alpha": float("nan"), "end": 5}, {"end": 0}):
        with pytest.raises(ParameterError, match="expected"):
            drop_fraction(0, **wrong)
