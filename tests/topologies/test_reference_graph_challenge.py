"""The Graph Challenge (Kepner et al., arXiv 1909.05631) by its published numbers."""

from __future__ import annotations

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.scipy import ScipySession, reference
from radixfmt.benchmark.result import BenchResult
from radixfmt.converters.samples import read_categories, read_samples


@pytest.mark.parametrize(
    ("neurons", "depth", "density"),
    [(1024, 6, 0.03125), (4096, 8, 0.0078125), (16384, 10, 0.001953), (65536, 12, 0.000488)],
)
def test_base_layers_are_a_radix_net_and_later_ones_permute_its_inputs(neurons, depth, density):
    layers = rx.generate("graph-challenge", neurons=neurons, layers=2 * depth).layers
    base = rx.generate("radix-net", systems=[[2] * depth], widths=[16] * (depth + 1)).layers
    assert base[0].pattern.shape == (neurons, neurons)
    assert base[0].pattern.density == pytest.approx(density, rel=1e-3)
    for i in range(depth):
        rule, first, later = (p.pattern.columns(0, 99) for p in (base[i], *layers[i::depth]))
        assert (first.indices == rule.indices).all()
        assert (later.indices != rule.indices).any()
        assert (layers[i].weights * layers[i].pattern.fan_out() == 2).all()  # sum of each row


@pytest.mark.parametrize("neurons", [1024, 4096, 16384, 65536])
@pytest.mark.parametrize("layers", [120, 480, 1920])
def test_edges_of_the_twelve_benchmarks(neurons, layers):
    net = rx.generate("graph-challenge", neurons=neurons, layers=layers)
    assert rx.measure(net, "density")["edges"] == 32 * neurons * layers


def test_the_first_permutation_is_the_rank_of_matlab_s_random_numbers():
    u = np.random.RandomState(5489).random_sample(1024)
    assert u[:4] == pytest.approx([0.81472369, 0.90579194, 0.12698682, 0.91337586], abs=5e-9)
    rank = np.argsort(np.argsort(u))
    assert rank[:10].tolist() == [861, 940, 134, 946, 655, 92, 303, 573, 989, 997]
    layers = rx.generate("graph-challenge", neurons=1024, layers=12).layers
    found = [layer.pattern.to_scipy().toarray() for layer in layers]
    for base, later in zip(found[:6], found[6:], strict=True):
        assert (later == base[rank]).all()
        assert (later[np.argsort(u)] == base).all()


def test_toy_inference():
    made = rx.generate("radix-net", systems=[[2, 2]], weights="constant=0.5", bias=-0.3)
    x = [[1, 0, 0, 0], [1, 1, 1, 1]]
    first = reference(rx.chain(made.layers[:1], clip=(0, 32)), x)
    np.testing.assert_allclose(first, [[0.2, 0, 0, 0.2], [0.7] * 4], atol=1e-7)
    last = reference(rx.chain(made.layers, clip=(0, 32)), x)
    np.testing.assert_allclose(last, [[0] * 4, [0.4] * 4], atol=1e-7)
    assert (np.flatnonzero(last.sum(axis=1)) + 1).tolist() == [2]


def test_a_bias_on_every_entry_is_the_challenge_s_bias_on_nonzero_ones():
    net = rx.generate("graph-challenge", neurons=1024, layers=8)
    lit = np.random.default_rng(0).random((40, 1024)) < np.linspace(0, 0.4, 40)[:, None]
    x = y = lit.astype(float)
    for layer in net.layers:
        z = y @ (layer.pattern.to_scipy().astype(float) / 16)
        y = np.clip(z + layer.bias[0].astype(float) * (z != 0), 0, 32)
    found = reference(net, x)
    assert 0 < np.count_nonzero(y.sum(axis=1)) < 40
    np.testing.assert_allclose(found, y, rtol=1e-12)


@pytest.fixture(scope="module")
def images(data):
    return read_samples(data / "graph_challenge" / "sparse-images-1024_subset.mtx", 1024)


SURVIVORS = [1098, 786, 415, 196, 98, 56, 31, 22, 21, 21, 20, 20, 20, 19]
TRUE = [287, 295, 386, 427, 428, 529, 571, 666, 757, 943, 945, 1031, 1097, 1098, 1177, 1184, 1190,
        1194, 1200]  # fmt: skip


def test_the_images_that_survive_each_layer(images):
    net = rx.generate("graph-challenge", neurons=1024, layers=120)
    exact = np.array([-0.3])  # the float32 bias of a file is a little less
    y, found = images, []
    for layer in net.layers[:14]:
        y = reference(rx.chain([layer.replace(bias=exact)], clip=(0, 32)), y)
        found.append(int(np.count_nonzero(y.sum(axis=1))))
    assert found == SURVIVORS
    alive = np.flatnonzero(y.sum(axis=1))
    assert (alive + 1).tolist() == TRUE
    assert (reference(rx.chain(net.layers[14:], clip=(0, 32)), y[alive]) == 32).all()
    with ScipySession(rx.chain(net.layers[:4], clip=(0, 32))) as session:  # in float32
        assert np.count_nonzero(session.run(images).sum(axis=1)) == 195


def test_the_published_categories(data):
    found = read_categories(data / "graph_challenge" / "neuron1024-l120-categories.tsv") + 1
    assert found.size == 1812
    assert (np.diff(found) > 0).all()
    assert found[found <= 1200].tolist() == TRUE
    assert found[-3:].tolist() == [59676, 59869, 59898]


@pytest.mark.parametrize(
    ("neurons", "layers", "milliseconds", "rate"),
    [
        (1024, 120, 13.40, 1.76e13),
        (4096, 1920, 89.30, 1.69e14),
        (16384, 480, 125.82, 1.20e14),
        (65536, 1920, 689.18, 3.51e14),
    ],
)
def test_speed_is_counted_as_the_published_tables_count_it(neurons, layers, milliseconds, rate):
    """SNICIT (ICPP 2023), table 3: 60000 images."""
    taken = {"steady": [int(milliseconds * 1e6)]}
    edges = 32 * neurons * layers
    result = BenchResult("", "", "", 60000, 1, taken, edges, None, None)
    assert result.edges_per_second == pytest.approx(rate, rel=5e-3)
