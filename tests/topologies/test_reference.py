"""Worked examples of the literature, paper by paper, that no other test file holds.

Not here, for want of a definition: the generalised Kronecker blocks and the "reduced format" of the
authors' Julia code, which the paper does not have. For want of data: accuracies after training,
images made from the MNIST training set, NNSTD of other topologies than the first two. The Graph
Challenge is in `test_reference_graph_challenge`.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import log, prod

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError
from radixfmt.initialization import weighted
from radixfmt.topologies.erk import raw_density
from radixfmt.topologies.radix_enumeration import radix_systems


def arrays(name, **parameters):
    """Return W of every layer as whole numbers."""
    layers = rx.generate(name, **parameters).layers
    return [layer.pattern.to_scipy().toarray().astype(np.int64) for layer in layers]


def radix(systems, widths=(), direction=-1):
    return arrays("radix-net", systems=systems, widths=widths, direction=direction)


def network(matrices):
    patterns = [rx.Pattern.from_scipy(sp.csc_array(matrix)) for matrix in matrices]
    return rx.chain([rx.Layer(f"l{i}", pattern) for i, pattern in enumerate(patterns)])


# RadiX-Nets (Robinett & Kepner, arXiv 1905.00416)


def test_blocks_repeat_one_cyclic_matrix_and_the_sign_turns_it():
    widths = [2, 3, 1, 4, 2]
    for sign in (-1, 1):
        narrow = radix([[2, 3], [3, 2]], direction=sign)
        wide = radix([[2, 3], [3, 2]], widths, sign)
        for base, matrix, shape in zip(narrow, wide, pairwise(widths), strict=True):
            assert (matrix == np.kron(np.ones(shape), base)).all()
    first, second = radix([[2, 3]], direction=1)
    assert np.flatnonzero(first[0]).tolist() == [0, 1]
    assert np.flatnonzero(second[0]).tolist() == [0, 2, 4]
    assert [np.flatnonzero(m[0])[1] for m in radix([[2, 2], [2, 2]], direction=1)] == [1, 2, 1, 2]


@given(st.sampled_from([4, 6, 12]), st.integers(2, 4), st.data())
def test_degrees_edges_density_and_paths_follow_from_the_lists(n, layers, data):
    systems = data.draw(st.sampled_from(list(radix_systems(n, layers)) or [[[n]]]))
    radices = [radix for system in systems for radix in system]
    size = len(radices) + 1
    widths = data.draw(st.lists(st.integers(1, 3), min_size=size, max_size=size))
    matrices = radix(systems, widths)
    for r, (a, b), matrix in zip(radices, pairwise(widths), matrices, strict=True):
        assert (set(matrix.sum(axis=1)), set(matrix.sum(axis=0))) == ({r * b}, {r * a})
        assert matrix.mean() == pytest.approx(r / n)
    blocks = [a * b for a, b in pairwise(widths)]
    weighted = sum(r * block for r, block in zip(radices, blocks, strict=True))
    found = rx.measure(network(matrices), "density")
    assert found["edges"] == n * weighted
    assert found["density"]["value"] == pytest.approx(weighted / (n * sum(blocks)))
    paths = prod(widths[1:-1]) * prod(radices) // n
    assert (np.linalg.multi_dot([*matrices, np.eye(matrices[-1].shape[1])]) == paths).all()
    last, full = prod(systems[-1]), len(systems) - 1
    assert paths == prod(widths[1:-1]) * (n ** (full - 1) * last if full else 1)


@pytest.mark.parametrize(
    ("systems", "exact", "estimate"),
    [([[10, 10]], 0.1, 0.1), ([[2] * 6], 1 / 32, 1 / 32), ([[3, 3, 4]], 0.092593, 0.09)],
)
def test_density_is_about_a_power_of_the_mean_radix(systems, exact, estimate):
    n, mean = prod(systems[0]), np.mean(systems[0])
    density = rx.measure(rx.generate("radix-net", systems=systems), "density")["density"]["value"]
    assert density == pytest.approx(exact, abs=5e-7)
    assert density == pytest.approx(mean / n)
    assert mean ** -(round(log(n, mean)) - 1) == pytest.approx(estimate)


@given(st.integers(0, 2**32))
def test_what_follows_a_full_system_need_only_be_column_regular(seed):
    head = rx.generate("radix-net", systems=[[3, 4]]).layers
    regular = rx.generate("random-regular", widths=[12, 7, 9], degree=3, seed=seed).layers
    found = rx.measure(rx.chain([*head, *regular]), "paths")
    assert found["min"] == found["max"] == 3 * 3
    uneven = np.ones((12, 2))
    uneven[0, 0] = 0
    broken = rx.chain([*head, *network([uneven]).layers])
    assert not rx.measure(broken, "paths")["symmetric"]


@pytest.mark.parametrize(
    ("systems", "widths"),
    [
        ([[10, 10]], [1, 1, 1]),
        ([[10, 10, 10], [10]], [1] * 5),
        ([[5, 7, 18], [7, 5, 3, 2, 3]], [1] * 9),
        ([[10, 10]], [1, 5, 2]),
        ([[10, 10, 10], [10]], [1, 2, 3, 2, 1]),
        ([[5, 7, 18], [7, 5, 3, 2, 3]], [1, 3, 2, 4, 2, 5, 3, 2, 1]),
        ([[32, 32]] * 8, [1] * 17),
    ],
    ids=str,
)
def test_the_authors_own_parameters(systems, widths):
    net = rx.generate("radix-net", systems=systems, widths=widths)
    paths = prod(widths[1:-1]) * prod(map(prod, systems)) // prod(systems[0])
    found = rx.measure(net, "paths")
    assert found["min"] == found["max"] == paths
    counts = np.eye(prod(systems[0]) * widths[0])[:1]  # one input, in floats, whose mean is exact
    for layer in net.layers:
        counts = counts @ layer.pattern.to_scipy().astype(float)
    np.testing.assert_allclose(counts, float(paths))


@pytest.mark.parametrize(
    ("systems", "widths", "sparsity"),
    [
        ([[10, 10], [10]], [8, 3, 1, 1], 0.9),
        ([[10], [5, 2]], [80, 30, 10, 1], 0.05935),
        ([[2, 2], [2]], [196, 75, 25, 3], 0.5),
    ],
)
def test_networks_cut_to_lenet_have_the_published_sparsity(systems, widths, sparsity):
    """Testing RadiX-Nets (Kwak et al., arXiv 2311.03609)."""
    sizes = [784, 300, 100, 10]
    layers = rx.generate("radix-net", systems=systems, widths=widths).layers
    corners = [
        layer.pattern.to_scipy()[:rows, :columns]
        for layer, (rows, columns) in zip(layers, pairwise(sizes), strict=True)
    ]
    edges = sum(corner.count_nonzero() for corner in corners)
    cells = sum(prod(corner.shape) for corner in corners)
    assert 1 - edges / cells == pytest.approx(sparsity, abs=5e-6)


@pytest.mark.parametrize("systems", [[[10, 10, 1]], [[10, 10], [1]], [[1], [1], [1]]])
def test_radix_1_of_the_same_tests_is_refused(systems):
    with pytest.raises(ParameterError, match="at least 2"):
        rx.generate("radix-net", systems=systems)


# Spectra (Bourely et al., arXiv 1706.05683)


@pytest.mark.parametrize(("place", "parts"), [(0, 1), (1, 2), (2, 4)])
def test_singular_values_of_two_shifts(place, parts):
    matrices = radix([[2, 2, 2]])
    k = np.arange(8)
    expected = np.sort(2 * np.abs(np.cos(np.pi * k * 2**place / 8)))[::-1]
    np.testing.assert_allclose(np.linalg.svd(matrices[place])[1], expected, atol=1e-12)
    found = rx.measure(network(matrices), "spectral")
    assert found["layers"][place]["sigma2"] == pytest.approx(expected[1])
    assert found["layers"][place]["components"] == parts
    assert found["network"]["gap_ratio"] == pytest.approx(1)  # whatever its layers are


# Training behaviour (Alford et al., arXiv 1810.00299)


@pytest.mark.parametrize(("wide", "edges"), [(3, 27_000), (30, 270_000)])
def test_lenet_masks_before_and_after_16_inputs_are_dropped(wide, edges):
    net = rx.generate("radix-net", systems=[[10, 10]], widths=[8, wide, 1])
    assert [layer.pattern.shape for layer in net.layers] == [(800, 100 * wide), (100 * wide, 100)]
    assert net.nnz == edges  # of the wide one: those of a dense network 800-300-100
    first = net.layers[0].pattern.to_scipy()
    dropped = rx.Pattern.from_scipy(first[16:])
    assert dropped.shape == (784, 100 * wide)
    assert net.layers[0].pattern.density == dropped.density == 0.1
    assert set(dropped.fan_out().tolist()) == {10 * wide}
    assert set(net.layers[0].pattern.fan_in().tolist()) == {80}
    columns = dropped.fan_in()
    assert (columns.min(), columns.max()) == (70, 80)
    # the product loses 16 of its equal rows: inputs that stay keep their paths. Hidden neurons that
    # are cut away would take paths along.
    cut = rx.chain([rx.Layer("cut", dropped), net.layers[1]])
    second = net.layers[1].pattern.to_scipy()
    assert set((first[16:] @ second).toarray().ravel().tolist()) == {wide}
    assert rx.measure(net, "paths")["symmetric"]
    assert rx.measure(cut, "paths")["symmetric"]
    assert set((first[:, 16:] @ second[16:]).toarray().ravel().tolist()) == {wide - 1, wide}


# NeuroFabric (Isakov & Kinsy, arXiv 2002.08339), in our reading


def test_weights_drawn_by_fan_in_keep_the_variance_of_every_neuron():
    rng, squares = np.random.default_rng(0), 0
    shape = {"widths": [60, 40], "density": 0.2}
    net = rx.generate("erdos-renyi", **shape)
    pattern = net.layers[0].pattern
    for seed in range(300):
        weights = weighted(net, weights="variance", seed=seed).layers[0].weights
        x = rng.standard_normal((100, 60))
        squares = squares + np.square(x @ pattern.to_scipy(weights)).mean(axis=0) / 300
    assert len(set(pattern.fan_in().tolist())) > 3
    assert pattern.fan_in().min() > 0
    assert squares.mean() == pytest.approx(1, abs=0.03)
    assert np.abs(squares - 1).max() < 0.3


def test_a_score_cannot_reach_a_pair_without_a_path():
    first, second = np.ones((4, 6)), np.ones((6, 4))
    first[0, :3] = second[3:, 0] = 0  # input 0 and output 0 share no hidden neuron
    assert ((first @ second) == 0).sum() == 1
    target = np.random.Generator(np.random.Philox(key=np.array([0, 0], np.uint64)))
    missed = target.standard_normal((4, 4))
    least = abs(missed[0, 0]) / np.linalg.norm(missed)
    found = rx.measure(network([first, second]), "score", steps=2000)
    assert found["residual"] == pytest.approx(least, abs=1e-3)
    assert rx.measure(network([np.ones((4, 4))]), "score")["residual"] < 1e-5


# NNSTD (Liu et al., arXiv 2006.14085)


def test_the_published_topologies_have_the_stated_density(data):
    found = sp.load_npz(data / "nnstd" / "w0" / "layer_0.npz").tocsr()
    assert found.shape == (785, 784)  # the last row is the bias
    pattern = rx.Pattern.from_scipy(found[:784])
    assert pattern.nnz == 3772
    assert pattern.density == pytest.approx(0.0061, abs=5e-5)


# Peers


def test_erk_counts_kernels():
    assert float(raw_density(64, 128, (3, 3))) == pytest.approx(0.0026855, abs=5e-8)
    assert raw_density(300, 100) == Fraction(400, 30000)


@pytest.mark.parametrize(
    ("peer", "systems"),
    [
        (("butterfly", {"neurons": 64}), [[2] * 6]),
        (("butterfly", {"neurons": 81, "radix": 3}), [[3] * 4]),
        (("monarch", {"factors": [6, 6]}), [[6, 6]]),
        (("monarch", {"factors": [4, 9]}), [[4, 9]]),
    ],
)
def test_peers_have_a_radix_net_s_degrees_and_paths_and_another_graph(peer, systems):
    nets = [rx.generate(peer[0], **peer[1]), rx.generate("radix-net", systems=systems)]
    degrees, paths = ([rx.measure(net, what) for net in nets] for what in ("degree", "paths"))
    for one, other in zip(*(found["layers"] for found in degrees), strict=True):
        assert (one["in"], one["out"]) == (other["in"], other["out"])
    assert paths[0]["min"] == paths[0]["max"] == paths[1]["min"] == paths[1]["max"] == 1
    assert any(
        (a.pattern.indices != b.pattern.indices).any()
        for a, b in zip(nets[0].layers, nets[1].layers, strict=True)
    )
