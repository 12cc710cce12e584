"""NNSTD: published values, its invariants, and its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import radixfmt as rx


def net(*layers):
    """Return the chain of these 0/1 matrices, each inputs x outputs."""
    patterns = [rx.Pattern.from_scipy(sp.csc_array(np.asarray(layer))) for layer in layers]
    return rx.chain([rx.Layer(f"w{i}", pattern) for i, pattern in enumerate(patterns)])


def one_layer(data, n_in, n_out):
    return data.draw(hnp.arrays(bool, (n_in, n_out)))


A = [[1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 1]]
B = [[0, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]]


def test_the_toy_of_the_literature():
    found = rx.nnstd(net(A), net(B))
    assert found.distance == pytest.approx(2 / 9, abs=1e-15)
    assert found.matches[0].tolist() == [1, 0, 2]


def test_published_topologies_give_the_values_of_the_authors_code(data):
    def published(name):
        files = [data / "nnstd" / name / f"layer_{i}.npz" for i in range(3)]
        # Their last row is the bias.
        return net(*(sp.csr_array(sp.load_npz(file))[:784].toarray() != 0 for file in files))

    found = rx.nnstd(published("w0"), published("w1"))
    assert round(found.layers[0], 4) == 0.2902
    assert found.layers[1:] == pytest.approx((0.2431, 0.1948), abs=0.005)
    assert found.distance == pytest.approx(sum(found.layers) / 3)
    greedy = rx.nnstd(published("w0"), published("w1"), matching="greedy")
    assert found.layers[0] <= greedy.layers[0] <= 0.30


@given(st.data(), st.integers(1, 8), st.integers(1, 8))
def test_one_layer_is_a_distance_between_its_bounds(data, n_in, n_out):
    a, b = one_layer(data, n_in, n_out), one_layer(data, n_in, n_out)
    found = rx.nnstd(net(a), net(b))
    assert 0 <= found.distance <= 1
    assert found.distance == pytest.approx(rx.nnstd(net(b), net(a)).distance)
    assert found.lower_bounds[0] <= found.distance + 1e-12
    for matching in ("greedy", "identity"):
        other = rx.nnstd(net(a), net(b), matching=matching)
        assert other.distance >= found.distance - 1e-12
        assert sorted(other.matches[0]) == list(range(n_out))
    assert sorted(found.matches[0]) == list(range(n_out))


@given(st.data(), st.integers(1, 6), st.integers(1, 6))
def test_one_layer_equals_every_way_to_pair_it_off(data, n_in, n_out):
    from itertools import permutations

    n_out = min(n_out, 4)
    a, b = one_layer(data, n_in, n_out), one_layer(data, n_in, n_out)

    def apart(i, j):
        union = (a[:, i] | b[:, j]).sum()
        return (a[:, i] ^ b[:, j]).sum() / union if union else 0

    least = min(
        sum(apart(i, j) for i, j in enumerate(order)) / n_out
        for order in permutations(range(n_out))
    )
    assert rx.nnstd(net(a), net(b)).distance == pytest.approx(least)


@given(st.integers(0, 2**32), st.sampled_from(["optimal", "greedy"]))
def test_relabelled_hidden_neurons_are_at_distance_0(seed, matching):
    rng = np.random.default_rng(seed)
    # All columns differ, so that there is one best way to pair them off.
    first = (np.arange(1, 13) >> np.arange(6)[:, None]) & 1
    second = (rng.permutation(np.arange(1, 128))[:12] >> np.arange(7)[:, None]).T & 1
    order = rng.permutation(12)
    assert (
        rx.nnstd(
            net(first, second), net(first[:, order], second[order]), matching=matching
        ).distance
        == 0
    )


def test_nothing_in_common_is_at_distance_1():
    half = np.zeros((4, 6), bool)
    half[:2] = True
    assert rx.nnstd(net(half), net(~half)).distance == 1


def test_a_lazily_opened_procedural_network(tmp_path):
    made = rx.generate("radix-net", systems=[[4, 4], [4, 4]])
    rx.write(tmp_path / "net.rx.h5", made)
    with rx.open(tmp_path / "net.rx.h5") as network:
        assert rx.nnstd(network, made).distance == 0


@pytest.mark.parametrize(
    ("b", "message"),
    [
        (net(A, np.eye(3)), "as many layers"),
        (net(np.eye(4)), r"layer 0: .* same shape; got \(4, 3\) and \(4, 4\)"),
    ],
)
def test_what_cannot_be_compared(b, message):
    with pytest.raises(rx.RadixfmtError, match=message):
        rx.nnstd(net(A), b)
    with pytest.raises(rx.RadixfmtError, match="expected optimal, greedy, identity"):
        rx.nnstd(net(A), net(B), matching="best")


def test_layers_that_do_not_follow_one_another_are_refused():
    layers = net(np.eye(3), np.eye(3)).layers
    nodes = (
        rx.Node("SparseLinear", ("x",), ("a",), layer=0),
        rx.Node("Transpose", ("a",), ("b",)),
        rx.Node("SparseLinear", ("b",), ("y",), layer=1),
    )
    moved = rx.Network(layers, nodes, (rx.Value("x", (3, 3)),), (rx.Value("y", (3, 3)),))
    with pytest.raises(rx.RadixfmtError, match="Transpose"):
        rx.nnstd(moved, moved)


def test_layers_without_neurons_or_edges_are_alike():
    empty = net(np.zeros((6, 2)), np.zeros((2, 0)), np.zeros((0, 8)))
    for matching in ("optimal", "greedy", "identity"):
        found = rx.nnstd(empty, empty, matching=matching)
        assert found.layers == (0, 0, 0)


def test_the_hints_of_a_layer_too_large_to_pair_off_work(monkeypatch):
    monkeypatch.setattr("radixfmt.measures.nnstd.LARGEST_OPTIMAL", 2)
    with pytest.raises(rx.RadixfmtError, match="cost matrix") as error:
        rx.nnstd(net(A), net(B))
    assert "--matching greedy" in error.value.hint
    assert rx.nnstd(net(A), net(B), matching="greedy").distance >= 2 / 9
    monkeypatch.setattr("radixfmt.measures.nnstd.LARGEST_SHARED", 2)
    with pytest.raises(rx.RadixfmtError, match="pairs with a common input") as error:
        rx.nnstd(net(A), net(B), matching="greedy")
    assert "--matching identity" in error.value.hint
    assert rx.nnstd(net(A), net(B), matching="identity").distance == pytest.approx(2 / 3)


def test_huge_layers_are_refused_before_anything_is_made():
    huge = rx.generate("radix-net", systems=[[2] * 37])
    for matching in ("optimal", "identity"):
        with pytest.raises(rx.RadixfmtError, match="layer 0: NNSTD compares layers of at most"):
            rx.nnstd(huge, huge, matching=matching)
