"""Pruned networks: exactly the largest weights stay, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import floor, prod

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.model.pattern import BLOCK_EDGES
from radixfmt.pruning import drop_fraction, gradual_sparsity, prune_gradually, rewire

SPARSITIES = st.sampled_from([0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1])
SIZES = [7, 9, 5, 6]


def random_network(seed, density=0.7, *, dtype=np.float32, levels=6):
    """A chain with few different weights, so that many tie."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(SIZES)):
        mask = sp.csc_array(rng.random((n_in, n_out)) < density)
        weights = rng.integers(-levels, levels + 1, mask.nnz).astype(dtype)
        bias = rng.random(n_out, np.float32)
        layers.append(rx.Layer(f"layer{i}", rx.Pattern.from_scipy(mask), weights, bias))
    return rx.chain(layers, activation="Relu", metadata=rx.Metadata(name="net", license="MIT"))


def edges(network):
    """(layer, output, input): weight, of all edges."""
    found = {}
    for i, layer in enumerate(network.layers):
        matrix = layer.pattern
        column = np.repeat(np.arange(matrix.shape[1]), matrix.fan_in())
        values = layer.columns(0, matrix.shape[1]).weights
        weights = np.zeros(matrix.nnz) if values is None else values
        for j, k, w in zip(column, matrix.indices, weights, strict=True):
            found[i, int(j), int(k)] = w
    return found


def expected(network, sparsity, scope):
    """The edges that stay, by sorting all of them."""
    shapes = [layer.pattern.shape for layer in network.layers]
    every = edges(network)
    groups = [range(len(shapes))] if scope == "global" else [[i] for i in range(len(shapes))]
    kept = {}
    for group in groups:
        cells = sum(prod(shapes[i]) for i in group)
        mine = {key: w for key, w in every.items() if key[0] in group}
        ranked = sorted(mine, key=lambda key: (-abs(float(every[key])), key))
        keep = cells - floor(Fraction(str(sparsity)) * cells)
        kept |= {key: every[key] for key in ranked[:keep]}
    return kept


@given(st.integers(0, 50), SPARSITIES, st.sampled_from(["layer", "global"]))
def test_exactly_the_largest_stay_and_earlier_ones_of_equals(seed, sparsity, scope):
    network = random_network(seed)
    pruned = rx.prune(network, sparsity, scope=scope)
    assert edges(pruned) == expected(network, sparsity, scope)
    for old, new in zip(network.layers, pruned.layers, strict=True):
        assert (new.name, new.dtype) == (old.name, old.dtype)
        assert (new.bias == old.bias).all()
        rx.Pattern.explicit(new.pattern.shape, new.pattern.indptr, new.pattern.indices)
    assert pruned.graph == network.graph
    assert (pruned.metadata.name, pruned.metadata.license) == ("net", "MIT")
    step = pruned.metadata.provenance[-1]
    assert (step["activity"], step["sparsity"], step["scope"]) == ("prune", sparsity, scope)


@given(
    st.integers(0, 50),
    SPARSITIES,
    SPARSITIES,
    st.sampled_from(["layer", "global"]),
    st.sampled_from(["magnitude", "random"]),
)
def test_sparser_is_a_subset_and_less_sparse_changes_nothing(seed, a, b, scope, by):
    options = {"scope": scope, "by": by, "seed": seed}
    network = random_network(seed)
    less, more = (rx.prune(network, s, **options) for s in sorted((a, b)))
    assert edges(more).items() <= edges(less).items() <= edges(network).items()
    assert edges(rx.prune(more, min(a, b), **options)) == edges(more)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_random_needs_no_weights_and_counts_exactly(scope):
    network = rx.generate("dense", widths=[40, 50, 30])
    pruned = rx.prune(network, 0.9, by="random", scope=scope, seed=7)
    assert pruned.nnz == (40 * 50 + 50 * 30) // 10
    if scope == "layer":
        assert [layer.pattern.nnz for layer in pruned.layers] == [200, 150]
    assert edges(pruned) != edges(rx.prune(network, 0.9, by="random", scope=scope, seed=8))
    assert pruned.metadata.provenance[-1]["seed"] == 7


def test_sparsity_counts_all_cells_so_a_sparse_layer_stays_what_it_is():
    network = rx.generate("radix-net", systems=[[8, 8]], weights="he")  # an eighth of the cells
    for scope in ("layer", "global"):
        same = rx.prune(network, 0.875, scope=scope)
        assert [layer.pattern.record for layer in same.layers] == [
            layer.pattern.record for layer in network.layers
        ]
    assert rx.prune(network, 0.9).layers[0].pattern.nnz == 64 * 64 - floor(0.9 * 64 * 64)


def test_a_global_cut_leaves_a_layer_of_large_weights_alone():
    network = rx.generate("radix-net", systems=[[4, 4]], weights="he")
    large = network.layers[1].replace(weights=100.0)
    pruned = rx.prune(rx.chain([network.layers[0], large]), 0.85, scope="global")
    assert pruned.layers[1].pattern.record is not None
    assert pruned.nnz == 2 * 256 - floor(0.85 * 512)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "int64", ml_dtypes.bfloat16])
def test_every_type_of_weight_keeps_its_type(dtype):
    network = random_network(3, dtype=dtype)
    pruned = rx.prune(network, 0.6, scope="global")
    assert edges(pruned) == expected(network, 0.6, "global")
    assert {layer.dtype for layer in pruned.layers} == {np.dtype(dtype)}


def test_quantized_weights_count_by_what_they_mean():
    pattern = rx.Pattern.explicit((2, 2), [0, 2, 4], [0, 1, 0, 1])
    codes = rx.Quantized(
        np.array([10, 20, 6, 7], np.int8), np.array([1, 10], np.float32), np.array([0, 5], np.int8)
    )  # 10, 20, 10, 20
    pruned = rx.prune(rx.chain([rx.Layer("a", pattern, codes)]), 0.25).layers[0]
    assert pruned.quantized.codes.tolist() == [10, 20, 7]
    assert pruned.quantized.codes.dtype == np.int8
    assert pruned.weights.tolist() == [10, 20, 20]


def test_one_value_for_all_edges_and_convolutions_stay_so():
    geometry = rx.ConvGeometry((2, 2), (1, 1), (0, 0, 0, 0), (1, 1))
    pattern = rx.generate("dense", widths=[4, 3]).layers[0].pattern
    conv = rx.Layer("c", pattern, 0.5, kind="conv", geometry=geometry)
    from radixfmt.model.network import alone

    (layer,) = rx.prune(alone(conv, rx.Metadata()), 0.5).layers
    assert layer.iso
    assert (layer.kind, layer.geometry, layer.pattern.nnz) == ("conv", geometry, 6)
    assert layer.pattern.indptr.tolist() == [0, 4, 6, 6]  # of equals, those of the first outputs


def test_a_layer_of_many_blocks_is_cut_exactly():
    n = 3000
    assert n * n > 2 * BLOCK_EDGES
    network = rx.generate("dense", widths=[n, n], weights="normal", seed=1)
    weights = network.layers[0].weights
    (layer,) = rx.prune(network, 0.999).layers
    assert layer.pattern.nnz == n * n // 1000
    least = np.partition(np.abs(weights), -n * n // 1000)[-n * n // 1000]
    assert np.abs(layer.weights).min() == least
    assert (np.sort(layer.weights) == np.sort(weights[np.abs(weights) >= least])).all()


def test_pruned_file_is_valid_and_pruning_is_lazy(radixfmt):
    radixfmt("generate", "radix-net", "--system", "8,8", "--weights", "he", "-o", "a.rx.h5")
    with rx.open("a.rx.h5") as network:
        wanted = edges(rx.prune(network, 0.95, scope="global"))
        digest = rx.write("c.rx.h5", rx.prune(network, 0.95, scope="global"))
    whole = ("--prune", "0.95", "--prune-scope", "global", "--json")
    done = radixfmt("convert", "a.rx.h5", "b.rx.h5", *whole).json
    assert done["digests"]["content"] == digest
    back = rx.read("b.rx.h5")
    assert edges(back) == wanted
    assert back.metadata.provenance[-1]["sparsity"] == 0.95
    assert rx.validate("b.rx.h5").ok
    assert radixfmt("convert", "a.rx.h5", "d.rx.h5", "--prune", "2").code == 2
    bare = ("--layer", "1", "--weights", "none", "--prune", "0.99", "--prune-by", "random")
    assert radixfmt("convert", "a.rx.h5", "e.rx.h5", *bare, "--seed", "3").code == 0
    assert rx.read("e.rx.h5").nnz == 64 * 64 - floor(0.99 * 64 * 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.5}, "sparsity: expected a number from 0 to 1"),
        ({"sparsity": float("nan")}, "sparsity"),
        ({"sparsity": True}, "sparsity"),
        ({"sparsity": "0.5"}, "sparsity"),
        ({"sparsity": 0.5, "by": "size"}, "by: expected magnitude or random, got 'size'"),
        ({"sparsity": 0.5, "scope": "all"}, "scope: expected layer or global"),
        ({"sparsity": 0.5, "by": "random", "seed": -1}, "seed: expected 0 to"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        rx.prune(random_network(0), **options)


def test_without_weights_there_are_no_magnitudes():
    with pytest.raises(UnsupportedError, match="layer0: no weights") as caught:
        rx.prune(rx.generate("radix-net", systems=[[2, 2]]), 0.5)
    assert "random" in caught.value.hint


def test_gradual_schedule():
    schedule = {"initial": 0.0, "final": 0.96, "begin": 3000, "end": 10000}
    values = [gradual_sparsity(step, **schedule) for step in range(0, 12001, 200)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0)
    assert values[-1] == gradual_sparsity(10000, **schedule) == 0.96
    assert gradual_sparsity(6500, **schedule) == pytest.approx(0.96 * 7 / 8)
    for wrong in ({"initial": 0.97}, {"final": 1.1}, {"begin": 10000}):
        with pytest.raises(ParameterError, match="expected"):
            gradual_sparsity(0, **(schedule | wrong))


def test_networks_along_a_schedule_lose_edges_step_by_step():
    network = replace(random_network(1, 1.0), metadata=rx.Metadata())
    found = list(
        prune_gradually(network, range(0, 120, 20), final=0.9, begin=20, end=100, scope="global")
    )
    kept = [edges(pruned) for pruned in found]
    assert all(later.items() <= earlier.items() for earlier, later in pairwise(kept))
    cells = sum(prod(layer.pattern.shape) for layer in network.layers)
    assert (len(kept[0]), len(kept[-1])) == (cells, cells - floor(Fraction(9, 10) * cells))
    assert [len(pruned.metadata.provenance) for pruned in found] == [1] * 6
    with pytest.raises(ParameterError, match="begin before end"):
        prune_gradually(network, [1], final=0.9, begin=5, end=5)
    with pytest.raises(ParameterError, match="steps: expected a list"):
        prune_gradually(network, 1, final=0.9, begin=5, end=6)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "a", None, True, 10**400, 1j])
def test_schedules_take_numbers_alone(wrong):
    right = {"step": 3, "initial": 0.1, "final": 0.5, "begin": 0, "end": 9}
    for name in right:
        with pytest.raises(ParameterError, match=f"^{name}: expected a number"):
            gradual_sparsity(**(right | {name: wrong}))
    right = {"step": 3, "alpha": 0.1, "end": 9}
    for name in right:
        with pytest.raises(ParameterError, match=f"^{name}: expected a number"):
            drop_fraction(**(right | {name: wrong}))
    network = random_network(0)
    for name in ("zeta", "deviation"):
        with pytest.raises(ParameterError, match=f"^{name}: expected a number"):
            rewire(network, **{name: wrong})
    for layers in (3, True, [True], ["a"], [0.5], [-1]):
        with pytest.raises(ParameterError, match="^layers: expected"):
            rewire(network, layers=layers)


def test_weights_and_random_pruning_have_different_words():
    network = rx.generate("dense", widths=[8, 8])
    own = np.random.Philox(key=np.array([7, 0], np.uint64), counter=2**194).random_raw(64)
    kept = rx.prune(network, 0.75, by="random", seed=7).layers[0].pattern
    cells = np.sort(np.argsort(own)[-16:])  # the largest words stay
    assert (kept.to_scipy().toarray().ravel(order="F").nonzero()[0] == cells).all()
