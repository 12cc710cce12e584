"""Exact measures of how a network connects: paths, controllability, components."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.measures import bundle, counts

# systems, widths, paths, edges, density, out-degrees, in-degrees (Robinett & Kepner, 1905.00416)
TABLE = [
    ([[2, 2]], [1, 1, 1], 1, 16, Fraction(1, 2), [2, 2]),
    ([[2, 2, 2]], [1] * 4, 1, 48, Fraction(1, 4), [2, 2, 2]),
    ([[3, 3, 4]], [1] * 4, 1, 360, Fraction(10, 108), [3, 3, 4]),
    ([[3, 3, 4], [6, 6]], [1] * 6, 36, 792, Fraction(22, 180), [3, 3, 4, 6, 6]),
    ([[3, 3, 4], [6, 2]], [1] * 6, 12, 648, Fraction(1, 10), [3, 3, 4, 6, 2]),
    ([[3, 3, 4], [6, 3]], [1] * 6, 18, 684, Fraction(19, 180), [3, 3, 4, 6, 3]),
    ([[3, 3, 4], [9]], [1] * 5, 9, 684, Fraction(19, 144), [3, 3, 4, 9]),
    ([[2, 2], [2]], [1] * 4, 2, 24, Fraction(1, 2), [2, 2, 2]),
    ([[2, 2], [2]], [2, 3, 1, 2], 6, 88, Fraction(1, 2), [6, 2, 4]),
    ([[2, 3], [3, 2]], [1, 2, 2, 3, 1], 72, 240, Fraction(4, 9), [4, 6, 9, 2]),
    ([[10, 10]], [8, 3, 1], 3, 27000, Fraction(1, 10), [30, 10]),
    ([[10, 10]], [8, 30, 1], 30, 270000, Fraction(1, 10), [300, 10]),
    ([[10, 10]], [1, 5, 2], 5, 15000, Fraction(1, 10), [50, 20]),
    ([[2] * 6], [16] * 7, 1048576, 196608, Fraction(1, 32), [32] * 6),
]


def radix(systems, widths=()):
    return rx.generate("radix-net", systems=systems, widths=widths)


def network(matrices):
    return rx.chain([
        rx.Layer(f"l{i}", rx.Pattern.from_scipy(np.asarray(m, float)))
        for i, m in enumerate(matrices)
    ])  # fmt: skip


def explicit(net):
    """Return the same network without generator records, so that nothing is proven by them."""
    return rx.chain([
        rx.Layer(layer.name, rx.Pattern.explicit(p.shape, p.indptr, p.indices))
        for layer in net.layers
        for p in [layer.pattern]
    ])  # fmt: skip


def fraction(value):
    return Fraction(value["numerator"], value["denominator"])


def path_matrix(matrices):
    product = np.asarray(matrices[0]).astype(object)
    for matrix in matrices[1:]:
        product = product.dot(np.asarray(matrix).astype(object))
    return product


def random_chain(seed, layers, sides=(1, 9)):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(*sides, layers + 1)
    return [rng.random(shape) < rng.choice([0.1, 0.4, 0.9]) for shape in pairwise(sizes)]


@pytest.mark.parametrize(("systems", "widths", "count", "edges", "density", "degrees"), TABLE)
def test_published_table(systems, widths, count, edges, density, degrees):
    net = radix(systems, widths)
    for form in (net, explicit(net)):
        found = rx.measure(form, "paths")
        assert (found["min"], found["max"]) == (count, count)
        assert found["symmetric"]
        assert found["path_connected"]
        assert found["evenness"]["value"] == 1
        assert found["total"] == count * found["inputs"] * found["outputs"]
        assert not found["sampled"]
        assert rx.measure(form, "controllability")["controllable"]
    dense = rx.measure(net, "density")
    assert (dense["edges"], fraction(dense["density"])) == (edges, density)
    degree = rx.measure(net, "degree")
    assert degree["regular"]
    assert [(layer["out"]["min"], layer["out"]["max"]) for layer in degree["layers"]] == [
        (d, d) for d in degrees
    ]
    radices = [radix for system in systems for radix in system]
    assert [layer["in"]["max"] for layer in degree["layers"]] == [
        radix * width for radix, width in zip(radices, widths[:-1], strict=True)
    ]


def test_any_run_of_a_radix_net_agrees_with_its_edges():
    net = radix([[2, 3], [3, 2], [3]], [1, 2, 1, 3, 1, 2])
    bare = explicit(net)
    for start in range(5):
        for stop in range(start + 1, 6):
            for name in ("paths", "controllability"):
                span = {"start": start, "stop": stop}
                assert rx.measure(net, name, **span) == rx.measure(bare, name, **span)


def test_deep_radix_net_is_constant_and_exact():
    net = radix([[32, 32]] * 8)
    expected = 1024**7
    for form in (net, explicit(net)):
        found = rx.measure(form, "paths")
        assert found["min"] == found["max"] == expected
        assert found["total"] == expected * 1024**2


def test_graph_challenge_counts():
    net = rx.generate("graph-challenge", neurons=1024, layers=120)
    bare = explicit(net)
    for form in (net, bare):
        whole = rx.measure(form, "paths")
        assert whole["min"] == whole["max"] == 2**590
        twelve = rx.measure(form, "paths", stop=12)
        assert twelve["min"] == twelve["max"] == 1125899906842624
    group = rx.measure(net, "paths", start=6, stop=12)
    assert (group["min"], group["max"]) == (1045517, 1051691)
    assert not group["symmetric"]
    assert group["total"] == 32**6 * 1024
    assert 0.99 < group["evenness"]["value"] < 1


def test_the_largest_challenge_and_nets_beyond_memory_are_exact():
    deep = rx.generate("graph-challenge", neurons=65536, layers=480)
    assert rx.measure(deep, "paths")["min"] == 32**480 // 65536
    assert rx.measure(deep, "controllability")["controllable"]
    huge = radix([[2**18, 2**16], [2**10]])
    assert rx.measure(huge, "paths")["max"] == 2**10
    assert rx.measure(huge, "controllability")["reachable_pairs"] == 2**68
    parts = rx.measure(huge, "components")
    assert [layer["components"] for layer in parts["layers"]] == [1, 2**18, 1]
    assert parts["network"]["components"] is None
    assert "budget" in parts["network"]["why"]
    assert rx.measure(huge, "density")["layers"][0]["density"]["denominator"] == 2**16
    assert rx.measure(huge, "degree")["layers"][1]["in"]["histogram"] == [[2**16, 2**16, 2**34]]
    for name in ("paths", "controllability"):
        with pytest.raises(UnsupportedError):
            rx.measure(huge, name, start=1)
    with pytest.raises(UnsupportedError):
        rx.measure(huge, "variance")


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_paths_equal_dense_products(seed, layers):
    matrices = random_chain(seed, layers)
    product = path_matrix(matrices)
    found = rx.measure(network(matrices), "paths")
    assert (found["min"], found["max"]) == (product.min(), product.max())
    assert found["total"] == product.sum()
    assert fraction(found["mean"]) == Fraction(int(product.sum()), product.size)
    assert fraction(found["connected"]) == Fraction(int((product > 0).sum()), product.size)
    assert found["symmetric"] == (product.min() == product.max())
    if product.any():
        evenness = Fraction(int(product.sum()) ** 2, product.size * int((product**2).sum()))
        assert fraction(found["evenness"]) == evenness
    else:
        assert found["evenness"]["value"] is None
        assert found["why"] == "there are no paths"


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_controllability_equals_dense_reachability(seed, layers):
    matrices = random_chain(seed, layers)
    reached = path_matrix(matrices) > 0
    found = rx.measure(network(matrices), "controllability")
    assert found["reachable_pairs"] == reached.sum()
    assert found["controllable"] == reached.all()
    assert found["outputs_reached_by_all"] == reached.all(axis=0).sum()
    assert found["outputs_unreached"] == (~reached).all(axis=0).sum()
    assert found["inputs_reaching_all"] == reached.all(axis=1).sum()
    assert found["inputs_reaching_none"] == (~reached).all(axis=1).sum()


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_components_equal_those_of_the_whole_graph(seed, layers):
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    def sizes(graph):
        found = np.unique(connected_components(graph)[1], return_counts=True)[1]
        return found.size, sorted(found.tolist(), reverse=True)[:8]

    matrices = random_chain(seed, layers)
    starts = np.cumsum([0, *(m.shape[0] for m in matrices), matrices[-1].shape[1]])
    whole = sp.lil_array((starts[-1], starts[-1]))
    for matrix, a, b, c in zip(matrices, starts, starts[1:], starts[2:], strict=False):
        whole[a:b, b:c] = matrix
    found = rx.measure(network(matrices), "components")
    assert (found["network"]["components"], found["network"]["largest"]) == sizes(whole)
    for layer, matrix in zip(found["layers"], matrices, strict=True):
        assert (layer["components"], layer["largest"]) == sizes(
            sp.block_array([[None, matrix], [matrix.T, None]])
        )
        assert layer["isolated_inputs"] == (~matrix).all(axis=1).sum()


def test_components_from_records_equal_walked_ones():
    challenge = rx.generate("graph-challenge", neurons=1024, layers=8)
    for net in (radix([[2, 3, 4], [6, 4]], [1, 2, 1, 3, 2, 1]), challenge):
        assert rx.measure(net, "components") == rx.measure(explicit(net), "components")
    found = rx.measure(radix([[2, 3, 4]]), "components")
    assert [layer["components"] for layer in found["layers"]] == [1, 2, 6]
    assert found["network"]["connected"]


def test_counts_beyond_every_word_stay_exact(monkeypatch):
    rng = np.random.default_rng(1)
    matrices = [rng.random((24, 24)) < 0.5 for _ in range(40)]
    product = path_matrix(matrices)
    assert product.min() > 2**100
    expected = (product.min(), product.max(), product.sum())

    def found():
        paths = rx.measure(network(matrices), "paths")
        assert not paths["sampled"]
        return paths["min"], paths["max"], paths["total"]

    assert found() == expected
    monkeypatch.setattr(bundle, "MOST_WORDS", 24 * 7 * 5)  # blocks of few inputs
    assert found() == expected
    assert counts.LARGEST_FAN_IN == 2**26


def test_proportional_rows_stay_exact_in_every_word():
    # a ragged head in front of a whole system, deep enough for many words
    rng = np.random.default_rng(2)
    head = [rng.random((64, 64)) < 0.3 for _ in range(25)]
    tail = [layer.pattern.to_scipy().toarray() > 0 for layer in radix([[8, 8]]).layers]
    matrices = [*head, *tail, *head[:3]]
    product = path_matrix(matrices)
    found = rx.measure(network(matrices), "paths")
    assert (found["min"], found["max"]) == (product.min(), product.max())
    assert found["total"] == product.sum()


def test_disconnected_networks():
    halves = np.kron(np.eye(2), np.ones((2, 2)))
    found = rx.measure(network([halves, halves]), "paths")
    assert (found["min"], found["max"], found["path_connected"]) == (0, 2, False)
    assert fraction(found["connected"]) == fraction(found["evenness"]) == Fraction(1, 2)
    nothing = [[[1, 0], [0, 0]], [[0, 0], [0, 1]]]
    found = rx.measure(network(nothing), "paths")
    assert (found["min"], found["max"], found["total"], found["symmetric"]) == (0, 0, 0, True)
    reach = rx.measure(network(nothing), "controllability")
    assert (reach["reachable_pairs"], reach["outputs_unreached"]) == (0, 2)
    parts = rx.measure(network(nothing), "components")
    assert parts["network"]["components"] == 4
    assert parts["network"]["largest"] == [2, 2, 1, 1]


def test_a_small_budget_samples_exact_rows_or_refuses():
    rng = np.random.default_rng(3)
    matrices = [rng.random((200, 200)) < 0.1 for _ in range(4)]
    net, product = network(matrices), path_matrix(matrices)
    found = rx.measure(net, "paths", budget=3_000_000)
    assert found["sampled"]
    assert 0 < found["rows"] < 200
    assert product.min() <= found["min"] <= found["max"] <= product.max()
    assert found == rx.measure(net, "paths", budget=3_000_000)
    with pytest.raises(UnsupportedError, match="budget"):
        rx.measure(net, "paths", budget=1000)
    with pytest.raises(UnsupportedError, match="budget"):
        rx.measure(net, "controllability", budget=1000)
    ragged = rx.chain([*radix([[10, 20]]).layers, *net.layers])
    with pytest.raises(UnsupportedError, match="budget"):
        rx.measure(ragged, "paths", budget=1000)
    assert rx.measure(ragged, "controllability", budget=1000)["controllable"]  # no edge is walked
    for name in ("paths", "controllability"):
        with pytest.raises(ParameterError, match="budget"):
            rx.measure(net, name, budget=0)
