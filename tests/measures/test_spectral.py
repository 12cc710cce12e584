"""Spectra of layers against dense algebra, and what is known of them in closed form."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

import radixfmt as rx
from radixfmt.generators.permuted import permuted
from radixfmt.measures import singular


def network(*matrices):
    return rx.chain([
        rx.Layer(f"layer{i}", rx.Pattern.from_scipy(sp.csc_array(np.asarray(m, float))))
        for i, m in enumerate(matrices)
    ])  # fmt: skip


def layer(matrix):
    return rx.measure(network(matrix), "spectral")["layers"][0]


def radix(system, index=0, widths=(), **options):
    whole = rx.generate("radix-net", systems=[system], widths=widths, **options)
    return rx.chain([whole.layers[index]])


def dense(net, index=0):
    return net.layers[index].pattern.to_scipy().toarray().astype(float)


def expected(matrix):
    """What dense algebra says of a layer, with no thought for its kind."""
    n_in, n_out = matrix.shape
    s1, s2 = [*np.linalg.svd(matrix, compute_uv=False), 0, 0][:2]
    adjacency = np.block([[np.zeros((n_in, n_in)), matrix], [matrix.T, np.zeros((n_out, n_out))]])
    degrees = adjacency.sum(axis=1)
    laplacian = np.diag(degrees) - adjacency
    inverse = np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1)), 0)
    normalised = laplacian * np.outer(inverse, inverse)
    return {
        "sigma1": s1,
        "sigma2": s2,
        "gap_abs": s1 - s2,
        "gap_ratio": 1 - s2 / s1 if s1 else None,
        "algebraic_connectivity": np.linalg.eigvalsh(laplacian)[1],
        "normalised_gap": np.linalg.eigvalsh(normalised)[1] if s1 else None,
        "components": connected_components(sp.csr_array(adjacency), directed=False)[0],
    }


def check(found, matrix):
    for key, value in expected(matrix).items():
        if value is None:
            assert found[key] is None
            assert found["why"][key]
        else:
            assert found[key] == pytest.approx(value, abs=1e-8), key
    if found["components"] > 1:
        assert found["algebraic_connectivity"] == 0
    assert found["residual"] < 1e-6
    none = {key for key, value in found.items() if value is None}
    assert none == set(found["why"])


@pytest.mark.parametrize(
    ("system", "index", "s1", "s2", "gap", "connectivity", "ratio", "components"),
    [
        ([8], 0, 8, 0, 8, 8, 1, 1),
        ([2, 2, 2], 0, 2, 1.8478, 0.1522, 0.1522, 0.0761, 1),
        ([2, 2, 2], 1, 2, 2, 0, 0, 0, 2),
        ([2, 2, 2], 2, 2, 2, 0, 0, 0, 4),
    ],
)
def test_worked_examples(system, index, s1, s2, gap, connectivity, ratio, components):
    found = rx.measure(radix(system, index), "spectral")["layers"][0]
    keys = ("sigma1", "sigma2", "gap_abs", "algebraic_connectivity", "gap_ratio")
    assert [found[key] for key in keys] == pytest.approx(
        [s1, s2, gap, connectivity, ratio], abs=5e-5
    )
    assert found["components"] == components
    assert found["method"] == "closed form"


def test_three_shifts_of_eight():
    matrix = sum(np.roll(np.eye(8), j, axis=1) for j in range(3))
    found = layer(matrix)
    assert found["method"] == "Fourier transform"
    assert found["sigma1"] == 3
    assert found["sigma2"] == pytest.approx(1 + sqrt(2), abs=1e-14)
    assert found["gap_ratio"] == pytest.approx(0.1953, abs=5e-5)
    check(found, matrix)


@given(
    st.lists(st.integers(2, 4), min_size=1, max_size=3),
    st.data(),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([-1, 1]),
)
def test_closed_form_is_what_dense_algebra_finds(system, data, a, b, direction):
    index = data.draw(st.integers(0, len(system) - 1))
    widths = [1] * (len(system) + 1)
    widths[index : index + 2] = a, b
    net = radix(system, index, widths, direction=direction)
    found = rx.measure(net, "spectral")["layers"][0]
    assert found["method"] == "closed form"
    assert found["residual"] < 1e-14
    check(found, dense(net))
    # an order of the neurons changes nothing, nor does writing the edges out
    rng = np.random.default_rng(0)
    shape = net.layers[0].pattern.shape
    relabelled = permuted(net.layers[0].pattern, *map(rng.permutation, shape))
    again = rx.measure(rx.chain([rx.Layer("a", relabelled)]), "spectral")["layers"][0]
    assert again["residual"] < 1e-14
    written = layer(dense(net))
    for key in ("sigma2", "algebraic_connectivity", "components", "ramanujan"):
        assert again[key] == found[key]
        assert written[key] == pytest.approx(found[key], abs=1e-12)


matrices = st.builds(
    lambda n_in, n_out, share, seed: np.random.default_rng(seed).random((n_in, n_out)) < share,
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([0, 0.03, 0.1, 0.3, 0.7, 1]),
    st.integers(0, 2**32),
)


@given(matrices)
def test_any_layer_is_what_dense_algebra_finds(matrix):
    check(layer(matrix), matrix.astype(float))


@given(matrices, st.integers(1, 4), st.integers(1, 4))
def test_lanczos_is_what_dense_algebra_finds(matrix, a, b):
    # copies of a layer give values of high multiplicity, and more copies a rank that is too low
    matrix = np.kron(np.eye(a, b), matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(singular, "SMALL", 0)
        patch.setattr(singular, "KEPT", 100)  # the basis is made twice
        check(layer(matrix), matrix.astype(float))


@pytest.mark.parametrize("small", [0, singular.SMALL])
def test_regular_random_layers(small, monkeypatch):
    monkeypatch.setattr(singular, "SMALL", small)
    net = rx.generate("random-regular", widths=[300, 200, 200], degree=6, seed=1)
    found = rx.measure(net, "spectral")["layers"]
    for i, entry in enumerate(found):
        check(entry, dense(net, i))
        assert entry["degrees"] == [[4, 6], [6, 6]][i]
        bound = sum(sqrt(degree - 1) for degree in entry["degrees"])
        assert entry["ramanujan"] == (entry["sigma2"] <= bound)
    assert found[1]["gap_abs"] == pytest.approx(found[1]["algebraic_connectivity"], abs=1e-12)


def test_ramanujan_graphs_are_known():
    cycle = np.eye(7) + np.roll(np.eye(7), 1, axis=1)
    fano = sum(np.roll(np.eye(7), shift, axis=1) for shift in (0, 1, 3))
    assert layer(cycle)["ramanujan"] is True
    assert layer(fano)["ramanujan"] is True
    assert layer(fano)["sigma2"] == pytest.approx(sqrt(2), abs=1e-14)
    assert layer(np.ones((5, 9)))["ramanujan"] is True
    assert layer(np.kron(np.eye(2), cycle))["ramanujan"] is False  # not connected
    found = layer([[1, 1], [1, 0]])
    assert found["ramanujan"] is None
    assert "degree" in found["why"]["ramanujan"]


def test_the_least_layers():
    single = layer([[1]])
    assert (single["sigma1"], single["sigma2"], single["algebraic_connectivity"]) == (1, 0, 2)
    empty = layer(np.zeros((3, 2)))
    assert (empty["gap_abs"], empty["components"], empty["algebraic_connectivity"]) == (0, 5, 0)
    assert layer(np.zeros((1, 0)))["algebraic_connectivity"] is None
    star = layer(np.ones((1, 6)))
    assert (star["gap_ratio"], star["algebraic_connectivity"]) == (1, pytest.approx(1))


def test_a_gap_of_unequal_components_need_not_close():
    """K(3,3) beside a single edge: not connected, yet sigma1 = 3 and sigma2 = 1."""
    found = layer(sp.block_diag([np.ones((3, 3)), [[1]]]).toarray())
    assert found["algebraic_connectivity"] == 0
    assert found["gap_abs"] == pytest.approx(2, abs=1e-12)


def test_clustered_spectra_of_stirred_layers_are_found():
    stirred = dense(radix([2, 300]))[np.random.default_rng(0).permutation(600)]
    stirred = stirred[:, np.random.default_rng(1).permutation(600)]
    found = layer(stirred)
    assert found["method"] != "closed form"
    assert found["gap_abs"] == pytest.approx(2 - 2 * np.cos(np.pi / 600), abs=1e-10)


def test_what_does_not_converge_is_said(monkeypatch):
    for name, value in {"SMALL": 0, "STEPS": 1, "CHECK_EVERY": 1, "MEDIUM": 0}.items():
        monkeypatch.setattr(singular, name, value)
    regular = rx.generate("random-regular", widths=[60, 60], degree=3)
    for net in (regular, rx.generate("erdos-renyi", widths=[60, 60], density=0.2)):
        found = rx.measure(net, "spectral")
        for entry in (found["layers"][0], found["network"]):
            assert entry["sigma2"] is None
            assert "did not converge" in entry["why"]["gap_ratio"]
    assert rx.measure(regular, "spectral")["layers"][0]["sigma1"] == 3


def test_same_question_same_answer(monkeypatch):
    monkeypatch.setattr(singular, "SMALL", 0)
    net = rx.generate("erdos-renyi", widths=[90, 120], density=0.1)
    assert rx.measure(net, "spectral") == rx.measure(net, "spectral")
