"""Spectra of runs of layers: of the product that counts paths, and which layers a run has."""

from __future__ import annotations

import json
from math import log10

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import eigvalsh

import radixfmt as rx
from radixfmt.errors import ParameterError
from radixfmt.measures import singular


def linear(*matrices):
    return [
        rx.Layer(f"layer{i}", rx.Pattern.from_scipy(sp.csc_array(np.asarray(m, float))))
        for i, m in enumerate(matrices)
    ]


def network(*matrices):
    return rx.chain(linear(*matrices))


def applied(layers, order):
    """Return the network that applies stored layers of 3 neurons in an order of its own."""
    names = ["x", *(f"z{place}" for place in range(1, len(order))), "y"]
    graph = tuple(
        rx.Node("SparseLinear", (names[place],), (names[place + 1],), layer=index)
        for place, index in enumerate(order)
    )
    ends = (rx.Value("x", ("B", 3)),), (rx.Value("y", ("B", 3)),)
    return rx.Network(layers, graph, *ends)


def dense(net, index=0):
    return net.layers[index].pattern.to_scipy().toarray().astype(float)


def product(net, start=0, stop=None):
    whole = rx.measure(net, "spectral", layers="none", start=start, stop=stop)
    assert whole["layers"] == []
    json.dumps(whole, allow_nan=False)  # no infinities
    found = whole["network"]
    assert {key for key, value in found.items() if value is None} == set(found["why"])
    return found


def check_product(found, matrices):
    whole = np.linalg.multi_dot(matrices)
    s1, s2 = np.linalg.svd(whole, compute_uv=False)[:2]
    assert found["log10_sigma1"] == pytest.approx(log10(s1), abs=1e-9)
    assert found["sigma1"] == pytest.approx(s1, rel=1e-9)
    assert found["gap_ratio"] == pytest.approx(1 - s2 / s1, abs=1e-9)
    if found["algebraic_connectivity"] is not None:
        n_in, n_out = whole.shape
        zero = np.zeros
        weights = np.block([[zero((n_in, n_in)), whole], [whole.T, zero((n_out, n_out))]])
        values = np.linalg.eigvalsh(np.diag(weights.sum(axis=1)) - weights)
        assert found["algebraic_connectivity"] == pytest.approx(values[1], abs=1e-9 * values[-1])


@pytest.mark.parametrize(
    ("systems", "widths"),
    [
        ([[2, 2, 2]], [2, 3, 1, 2]),
        ([[2, 3], [3, 2]], [1, 2, 2, 3, 1]),
        ([[3, 3, 4], [6]], [1] * 5),
    ],
)
def test_every_run_of_a_radix_net(systems, widths):
    net = rx.generate("radix-net", systems=systems, widths=widths)
    layers = [dense(net, i) for i in range(len(net.layers))]
    for start in range(len(layers)):
        for stop in range(start + 2, len(layers) + 1):
            found = product(net, start, stop)
            assert found["method"] in {"closed form", "constant product"}
            check_product(found, layers[start:stop])
    assert product(net)["gap_ratio"] == 1
    assert product(net)["sigma2"] == 0
    # written out and stirred, no record tells; the product is constant all the same
    rng = np.random.default_rng(0)
    for i in range(len(layers) - 1):
        order = rng.permutation(layers[i].shape[1])
        layers[i], layers[i + 1] = layers[i][:, order], layers[i + 1][order]
    assert product(network(*layers))["gap_ratio"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("small", [0, singular.SMALL])
def test_products_of_random_layers(small, monkeypatch):
    monkeypatch.setattr(singular, "SMALL", small)
    for name, options in (("random-regular", {"degree": 3}), ("erdos-renyi", {"density": 0.1})):
        net = rx.generate(name, widths=[48, 36, 24, 72], seed=2, **options)
        check_product(product(net), [dense(net, i) for i in range(3)])


@pytest.mark.parametrize("small", [0, singular.SMALL])
def test_disconnected_products_have_no_gap(small, monkeypatch):
    monkeypatch.setattr(singular, "SMALL", small)
    rng = np.random.default_rng(0)
    for neurons, blocks, degree in ((17, 3, 9), (11, 4, 6), (19, 4, 5), (4, 3, 1)):
        band = sum(np.roll(np.eye(neurons), shift, axis=1) for shift in range(degree))
        kron = [np.kron(np.eye(blocks), band[:, rng.permutation(neurons)]) for _ in range(3)]
        found = product(network(*kron))
        for key in ("gap_ratio", "gap_abs", "algebraic_connectivity"):
            assert 0 <= found[key] < 1e-9, key


def test_graph_challenge_groups():
    net = rx.generate("graph-challenge", neurons=1024, layers=1920)
    whole = product(net)
    assert (whole["method"], whole["gap_ratio"], whole["sigma1"]) == ("constant product", 1, None)
    assert whole["log10_sigma1"] == pytest.approx(1920 * log10(32))
    second = product(net, 6, 12)
    assert 0.9 < second["gap_ratio"] < 1  # permuted between its layers: not quite constant
    paths = np.linalg.multi_dot([dense(net, i) for i in range(6, 12)])
    uneven = (paths - paths.mean()) / second["sigma1"]
    assert eigvalsh(uneven.T @ uneven, subset_by_index=(1023, 1023)) == pytest.approx(
        (1 - second["gap_ratio"]) ** 2, rel=1e-9
    )


def test_long_products_stay_in_range():
    uneven = rx.generate("erdos-renyi", widths=[40] * 600, density=0.4, seed=1)
    found = product(uneven)
    assert found["sigma1"] is None
    assert found["log10_sigma1"] == pytest.approx(600 * log10(16), rel=0.02)
    assert found["gap_ratio"] == pytest.approx(1, abs=1e-12)
    cut = product(network(np.eye(3, 4), np.eye(4, 4, -3), np.ones((4, 2))))
    assert (cut["sigma1"], cut["gap_ratio"]) == (0, None)


def test_layers_larger_than_memory():
    net = rx.generate("radix-net", systems=[[2**18, 2**16]])
    found = rx.measure(net, "spectral")
    assert found["layers"][0]["components"] == 1
    assert 0 < found["layers"][0]["gap_ratio"] < 1e-9
    assert found["layers"][1]["components"] == 2**18
    assert found["network"]["gap_ratio"] == 1


def test_networks_without_a_product_still_have_layers():
    layers = [rx.Layer("a", rx.Pattern.from_scipy(sp.eye_array(4)))] * 2
    graph = (
        rx.Node("SparseLinear", ("x",), ("a",), layer=0),
        rx.Node("SparseLinear", ("x",), ("b",), layer=1),
        rx.Node("Add", ("a", "b"), ("y",)),
    )
    ends = (rx.Value("x", ("B", 4)),), (rx.Value("y", ("B", 4)),)
    net = rx.Network(layers, graph, *ends)
    found = rx.measure(net, "spectral")
    assert [entry["components"] for entry in found["layers"]] == [4, 4]
    assert found["network"]["gap_ratio"] is None
    assert "chain" in found["network"]["why"]["gap_ratio"]
    assert [entry["layer"] for entry in rx.measure(net, "spectral", start=1)["layers"]] == [1]
    with pytest.raises(ParameterError, match="stop <= 2"):
        rx.measure(net, "spectral", stop=3)


@pytest.mark.parametrize("span", [(0, None), (0, 1), (1, 3), (3, 4)])
def test_layers_and_product_are_of_the_same_run(small, span):
    start, stop = span
    last = 4 if stop is None else stop
    found = rx.measure(small, "spectral", start=start, stop=stop)
    whole = rx.measure(small, "spectral")["layers"]
    assert found["layers"] == whole[start:last]
    assert [entry["layer"] for entry in found["layers"]] == list(range(start, last))
    assert found["network"] == product(small, start, stop)
    assert (found["network"]["start"], found["network"]["stop"]) == (start, last)


def test_a_run_follows_the_graph_and_not_the_file():
    net = applied(linear(np.ones((3, 3)), np.eye(3)), (1, 0))
    first = rx.measure(net, "spectral", start=0, stop=1)
    assert [entry["name"] for entry in first["layers"]] == ["layer1"]
    assert first["network"]["sigma1"] == product(net, 0, 1)["sigma1"] == 1
    assert [entry["layer"] for entry in rx.measure(net, "spectral")["layers"]] == [1, 0]


def test_a_layer_applied_twice_is_two_of_the_run_and_one_entry():
    net = applied(linear(np.ones((3, 3))), (0, 0))
    found = rx.measure(net, "spectral")
    assert (found["network"]["stop"], found["network"]["sigma1"]) == (2, 9)
    assert [entry["layer"] for entry in found["layers"]] == [0]
    again = rx.measure(net, "spectral", start=1, stop=2)
    assert (again["network"]["start"], again["network"]["stop"]) == (1, 2)
    assert again["network"]["sigma1"] == again["layers"][0]["sigma1"] == 3
    with pytest.raises(ParameterError, match="stop <= 2"):
        rx.measure(net, "spectral", stop=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "all"}, "layers: expected one of each, none"),
        ({"start": 4}, "0 <= start < stop <= 4"),
        ({"start": 1, "stop": 1}, "0 <= start < stop"),
        ({"stop": 5}, "0 <= start < stop"),
        ({"start": 0.5}, "0 <= start < stop"),
        ({"layer": 1}, "unknown option"),
    ],
)
def test_bad_options_are_refused(small, options, message):
    with pytest.raises(ParameterError, match=message):
        rx.measure(small, "spectral", **options)
