"""RadiX-Nets of given layer sizes, and how many RadiX-Nets there are."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from itertools import islice, pairwise, product
from math import gcd, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError
from radixfmt.topologies.radix_design import Design
from radixfmt.topologies.radix_enumeration import count_radix_systems, divisors, radix_systems
from radixfmt.topologies.radix_fit import connected_bound, fit, untrimmed_bound
from radixfmt.topologies.radix_trimmed import Step

ROOT = Path(__file__).resolve().parents[2]


def reach(network):
    """Which outputs each input reaches, and whether every neuron has inputs, by plain products."""
    reached, fed = None, True
    for layer in network.layers:
        matrix = layer.pattern.to_scipy()
        fed &= bool((layer.pattern.fan_in() > 0).all())
        reached = matrix.toarray() if reached is None else (reached @ matrix > 0).astype(np.float32)
    return reached > 0, fed


@pytest.mark.parametrize(
    ("sizes", "density"),
    [
        ([784, 300, 100, 10], 0.1),
        ([784, 300, 100, 10], 0.02),
        ([3072, 4000, 1000, 4000, 10], 0.02),
        ([1024, 4096, 1024], 1 / 32),
        ([784, 128, 32, 10, 32, 128, 784], 0.3),
        ([1024] * 13, 0.05),
        ([7, 11, 13], 0.5),
        ([1, 1], 1),
    ],
    ids=str,
)
def test_sizes_and_density_are_met_and_every_input_reaches_every_output(sizes, density):
    network = rx.generate("radix-net", fit=sizes, density=density)
    assert [layer.pattern.shape for layer in network.layers] == list(pairwise(sizes))
    edges = sum(layer.pattern.nnz for layer in network.layers)
    wanted = Fraction(str(density)) * sum(a * b for a, b in pairwise(sizes))
    assert abs(edges - wanted) <= wanted / 10
    reached, fed = reach(network)
    assert reached.all()
    assert fed


def test_layers_are_corners_of_the_network_that_the_file_names(tmp_path):
    sizes = [784, 300, 100, 10]
    design = fit(sizes, 0.02)
    whole = rx.generate("radix-net", systems=design.systems, widths=design.blocks)
    cut = rx.generate("radix-net", fit=np.array(sizes), density=0.02, activation="relu")
    for a, b in zip(whole.layers, cut.layers, strict=True):
        rows, columns = b.pattern.shape
        corner = a.pattern.to_scipy()[:rows, :columns]
        corner.eliminate_zeros()
        found = b.pattern.to_scipy()
        assert (found != corner).nnz == 0
        assert b.pattern.nnz == found.nnz == corner.nnz
        assert (b.pattern.fan_in() == np.diff(found.indptr)).all()
        half = b.pattern.columns(columns // 2, columns)
        assert (half.indices == found.indices[found.indptr[columns // 2] :]).all()
        assert b.pattern.first_edge(columns // 2) == found.indptr[columns // 2]
    rx.write(tmp_path / "net.rx.h5", rx.generate("radix-net", fit=sizes, density=0.02))
    said = rx.read(tmp_path / "net.rx.h5").metadata
    assert str(design.systems) in said.description
    assert "no symmetry" in said.description
    assert said.provenance[0]["parameters"]["fit"] == sizes
    assert rx.validate(tmp_path / "net.rx.h5").ok


def test_what_needs_no_cut_is_a_radix_net():
    network = rx.generate("radix-net", fit=[1024, 4096, 1024], density=0.03)
    assert [layer.pattern.record["parameters"]["systems"] for layer in network.layers] == [
        [[32, 32]]
    ] * 2
    assert "Nothing is trimmed" in network.metadata.description


def test_too_sparse_is_refused_with_the_bounds_and_the_nearest(radixfmt):
    sizes = ("--fit", "1024,4096,1024")
    answer = radixfmt("generate", "radix-net", *sizes, "--density", "0.01", "-o", "a.rx.h5")
    assert answer.code == 2
    assert "2 layers needs at least 1/64 " in answer.err
    assert "an untrimmed RadiX-Net 1/32 " in answer.err
    command = answer.err.partition("Hint: radixfmt ")[2].split()
    assert radixfmt(*command).code == 0


@pytest.mark.parametrize(
    ("sizes", "density"), [([10, 1000, 10], 0.02), ([5, 3, 5], 0.5), ([7] * 4, 0.1), ([9, 4], 0.3)]
)
def test_the_nearest_that_is_offered_exists(sizes, density):
    with pytest.raises(ParameterError) as caught:
        fit(sizes, density)
    offered = float(caught.value.hint.partition("--density ")[2].split()[0])
    assert fit(sizes, offered).density == pytest.approx(offered, rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "missing systems or fit"),
        ({"fit": [3, 4]}, "fit needs a density"),
        ({"fit": [3, 4], "density": 1, "widths": [1, 1]}, "finds the widths itself"),
        ({"fit": [3, 4], "density": 1, "systems": [[2]]}, "systems or fit, got both"),
        ({"systems": [[2]], "density": 1}, "density goes with fit"),
        ({"fit": [3], "density": 1}, "fit: expected 2 to"),
        ({"fit": [3, 0], "density": 1}, "size 1: expected an integer of at least 1"),
        ({"fit": [3, 2**41], "density": 1}, "the format allows"),
        ({"fit": [2**40, 2**40], "density": 1}, "the format allows"),
        ({"fit": [3, 4], "density": 0}, "above 0 and at most 1, got 0"),
        ({"fit": [3, 4], "density": float("nan")}, "above 0 and at most 1, got nan"),
        ({"fit": [3, 4], "density": "much"}, "above 0 and at most 1, got 'much'"),
        ({"fit": [3, 4], "density": 1, "direction": 0}, "direction: expected -1 or 1"),
        ({"fit": 3, "density": 1}, "radix-net"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        rx.generate("radix-net", **options)


def test_bounds():
    assert connected_bound([1024, 4096, 1024]) == pytest.approx(1 / 64)
    assert untrimmed_bound([1024, 4096, 1024]) == Fraction(1, 32)
    assert connected_bound([100, 50]) == 1  # one layer has to be dense
    assert connected_bound([10, 1000, 10]) == pytest.approx(0.1)  # one input and output per neuron
    assert connected_bound([64] * 7) == pytest.approx(64 ** (1 / 6) / 64)
    assert untrimmed_bound([64] * 7) == Fraction(1, 32)
    assert untrimmed_bound([7, 9, 8]) is None


@given(st.integers(2, 60), st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_the_bounds_hold_for_every_untrimmed_net(n, blocks):
    sizes = [n * block for block in blocks]
    cells = sum(a * b for a, b in pairwise(sizes))
    least = min(
        Fraction(sum(step.edges(*pair) for step, pair in zip(steps, pairwise(sizes), strict=True)))
        / cells
        for smaller in divisors(gcd(*sizes))[1:]
        for systems in islice(radix_systems(smaller, len(sizes) - 1), 3000)
        for steps in [Design(sizes, systems, -1, 0, idle=False).steps()]
    )
    assert connected_bound(sizes) <= untrimmed_bound(sizes) * (1 + 1e-9)
    assert untrimmed_bound(sizes) <= least


@given(st.lists(st.integers(1, 24), min_size=2, max_size=4), st.integers(2, 12), st.data())
def test_counts_and_connection_of_any_cut_agree_with_its_matrices(sizes, n, data):
    systems = data.draw(st.sampled_from(list(radix_systems(n, len(sizes) - 1)) or [None]))
    if systems is None:
        return
    direction = data.draw(st.sampled_from([-1, 1]))
    design = Design(sizes, systems, direction, 0, idle=False)
    whole = rx.generate(
        "radix-net", systems=systems, widths=design.blocks, direction=direction
    ).layers
    matrices = [
        layer.pattern.to_scipy().toarray()[:rows, :columns]
        for layer, (rows, columns) in zip(whole, pairwise(sizes), strict=True)
    ]
    for step, matrix in zip(design.steps(), matrices, strict=True):
        assert step.edges(*matrix.shape) == matrix.sum()
        assert (step.fan_in(matrix.shape[0], np.arange(matrix.shape[1])) == matrix.sum(0)).all()
        assert step.feeds(*matrix.shape) == (matrix.sum(0) > 0).all()
        assert step.drains(*matrix.shape) == (matrix.sum(1) > 0).all()
    assert design.connected() == (np.linalg.multi_dot([*matrices, np.eye(sizes[-1])]) > 0).all()


@given(
    st.lists(st.integers(2, 40), min_size=2, max_size=4),
    st.sampled_from([0.1, 0.2, 0.4, 0.7, 1]),
    st.sampled_from([-1, 1]),
)
def test_a_fit_keeps_its_promises_or_says_no(sizes, density, direction):
    try:
        network = rx.generate("radix-net", fit=sizes, density=density, direction=direction)
    except ParameterError:
        assert density < 1  # the dense network is one
        return
    reached, fed = reach(network)
    assert reached.all()
    assert fed
    edges = sum(layer.pattern.nnz for layer in network.layers)
    cells = sum(prod(layer.pattern.shape) for layer in network.layers)
    assert edges / cells == pytest.approx(density, rel=0.1 + 1e-9)
    idle = any((layer.pattern.fan_out() == 0).any() for layer in network.layers)
    assert idle == ("no outputs" in network.metadata.description)


def brute_force(n, layers):
    """All lists of systems, found by cutting all tuples of radices in all ways."""
    found = set()
    for radices in product(range(2, n + 1), repeat=layers):
        for cuts in product([False, True], repeat=layers - 1):
            systems, start = [], 0
            for i, cut in enumerate([*cuts, True], start=1):
                if cut:
                    systems.append(radices[start:i])
                    start = i
            products = [prod(system) for system in systems]
            if products[0] == n and set(products[:-1]) <= {n} and n % products[-1] == 0:
                found.add(tuple(systems))
    return found


@pytest.mark.parametrize(("n", "layers"), [(4, 3), (6, 3), (7, 3), (8, 4), (12, 3), (12, 4)])
def test_enumeration_agrees_with_brute_force(n, layers):
    found = [tuple(map(tuple, systems)) for systems in radix_systems(n, layers)]
    assert len(found) == len(set(found)) == count_radix_systems(n, layers)
    assert set(found) == brute_force(n, layers)
    networks = {
        b"".join(layer.pattern.to_scipy().toarray().tobytes() for layer in layers)
        for layers in (rx.generate("radix-net", systems=systems).layers for systems in found)
    }
    assert len(networks) == len(found)  # different lists are different networks


def test_counts():
    assert divisors(36) == [1, 2, 3, 4, 6, 9, 12, 18, 36]
    assert count_radix_systems(2**20, 1) == 1
    assert count_radix_systems(2**10, 20) > 10**6  # far more than anybody would list
    assert next(radix_systems(2**40, 40)) == [[2] * 40]
    assert list(radix_systems(1, 2)) == []
    for neurons, layers in ((0, 1), (2**41, 1), (4, 0), (4, 5000), (4.0, 1)):
        with pytest.raises(ParameterError, match="neurons|layers"):
            radix_systems(neurons, layers)


def test_huge_cuts_are_counted_without_their_edges():
    step = Step(10**6, 1000, 1000, -1)
    assert step.edges(10**12, 10**12 - 1) == 10**9 * (10**12 - 1)


def test_the_example_prints_its_table():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "examples" / "radix_net_count.py"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    header, *rows = done.stdout.splitlines()
    assert header.split()[0] == "n"
    assert rows[0].split()[:3] == ["8", "3", str(count_radix_systems(8, 3))]
