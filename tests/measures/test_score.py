"""The data-free score: cases whose best possible residual is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx


def net(*layers):
    """Return the chain of these 0/1 matrices, each inputs x outputs."""
    patterns = [rx.Pattern.from_scipy(sp.csc_array(np.asarray(layer))) for layer in layers]
    return rx.chain([rx.Layer(f"w{i}", pattern) for i, pattern in enumerate(patterns)])


def drawn(shape, seed=0):
    """Return the first target, inputs x outputs."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
    return rng.standard_normal(shape[::-1]).T


def test_a_dense_layer_imitates_anything():
    found = rx.measure(net(np.ones((5, 7))), "score")
    assert found["residual"] == pytest.approx(0, abs=1e-5)
    assert found["efficiency"] == pytest.approx(1, abs=1e-8)
    assert found["converged"]


def test_one_sparse_layer_hits_its_edges_and_nothing_else():
    mask = np.arange(48).reshape(6, 8) % 3 == 0
    target = drawn((6, 8))
    least = np.linalg.norm(target[~mask]) / np.linalg.norm(target)
    assert rx.measure(net(mask), "score")["residual"] == pytest.approx(least, abs=1e-6)


def test_a_bottleneck_reaches_the_best_approximation_of_its_rank():
    singular = np.linalg.svd(drawn((12, 10)), compute_uv=False)
    least = np.linalg.norm(singular[3:]) / np.linalg.norm(singular)
    found = rx.measure(net(np.ones((12, 3)), np.ones((3, 10))), "score", steps=500)
    assert found["residual"] == pytest.approx(least, abs=1e-4)


def test_a_layer_that_joins_nothing_explains_nothing():
    found = rx.measure(net(np.eye(4), np.zeros((4, 4))), "score", targets=2)
    assert found["residuals"] == [1.0, 1.0]
    assert found["explained"] == 0


def test_more_targets_and_the_same_seed():
    network = rx.generate("radix-net", systems=[[4, 4]])
    found = rx.measure(network, "score", targets=3, seed=5)
    assert len(set(found["residuals"])) == 3
    assert found == rx.measure(network, "score", targets=3, seed=5)
    assert found["residuals"] != rx.measure(network, "score", targets=3, seed=6)["residuals"]


def test_networks_too_large_to_fit_are_refused():
    with pytest.raises(rx.RadixfmtError, match="multiplications") as error:
        rx.measure(rx.generate("graph-challenge", neurons=1024, layers=120), "score")
    assert "smaller" in error.value.hint


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"steps": "x"}, {"steps": None}, {"targets": True}, {"seed": 1.5}]
)
def test_options_that_are_no_integers_are_refused(options):
    (name,) = options
    with pytest.raises(rx.RadixfmtError, match=f"{name}: expected an integer"):
        rx.measure(net(np.eye(2)), "score", **options)
