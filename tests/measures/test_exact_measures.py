"""Exact measures of single layers, and what all exact measures do with any network."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.measures import limits
from radixfmt.model.graph import Node, Value
from radixfmt.model.layer import ConvGeometry
from radixfmt.model.network import alone

EXACT = ("degree", "density", "components", "paths", "controllability", "size", "variance")


def network(matrices):
    return rx.chain([
        rx.Layer(f"l{i}", rx.Pattern.from_scipy(np.asarray(m, float)))
        for i, m in enumerate(matrices)
    ])  # fmt: skip


def test_degree_of_uneven_layers():
    matrix = np.zeros((100, 100))
    for i in range(100):
        matrix[i, :i] = 1
    (layer,) = rx.measure(network([matrix]), "degree")["layers"]
    assert (layer["out"]["min"], layer["out"]["max"], layer["out"]["isolated"]) == (0, 99, 1)
    mean = layer["out"]["mean"]
    assert Fraction(mean["numerator"], mean["denominator"]) == Fraction(99, 2)
    assert not layer["in"]["regular"]
    assert len(layer["in"]["histogram"]) <= 64
    assert sum(count for _, _, count in layer["in"]["histogram"]) == 100
    assert layer["in"]["histogram"][0] == [0, 1, 2]


def test_size_of_a_radix_net():
    net = rx.generate("radix-net", systems=[[2, 2]], weights="he", bias=0.5)
    found = rx.measure(net, "size", file_bytes=64)
    assert (found["edges"], found["dense_edges"], found["biases"]) == (16, 32, 8)
    assert (found["flops"], found["dense_flops"]) == (2 * 16 + 8, 2 * 32 + 8)
    assert (found["sparse_bytes"], found["dense_bytes"]) == (128, 128)
    assert found["file_compression"]["value"] == 2
    assert "file_bytes" in rx.measure(net, "size")["file_why"]


def test_variance_of_weights_and_rules():
    rng = np.random.default_rng(4)
    w = [rng.normal(size=(6, 5)), rng.normal(size=(5, 4))]
    layers = [
        rx.Layer(f"l{i}", rx.Pattern.from_scipy(m), m.T.ravel(), 0.5) for i, m in enumerate(w)
    ]
    found = rx.measure(rx.chain(layers), "variance", gain=0.5)
    first = 0.5 * ((w[0] ** 2).sum(axis=0) + 0.25)
    second = 0.5 * ((w[1] ** 2).T @ first + 0.25)
    assert found["layers"][0]["max"] == pytest.approx(first.max())
    assert found["final"] == pytest.approx(second.mean())
    assert [layer["rule"] for layer in found["layers"]] == ["weights"] * 2
    net = rx.generate("radix-net", systems=[[4, 4]] * 3)
    assert rx.measure(net, "variance")["final"] == 1
    assert rx.measure(net, "variance", rule="he")["final"] == 2**6
    assert rx.measure(net, "variance", rule="he", gain=0.5)["final"] == 1
    broken = rx.Layer("nan", layers[0].pattern, np.full(30, np.nan))
    found = rx.measure(rx.chain([broken]), "variance")
    assert found["final"] is None
    assert "finite" in found["layers"][0]["why"]


@pytest.mark.parametrize(
    "options",
    [
        *({"rule": rule} for rule in ("xavier", [1], {}, 2)),
        *({"gain": gain} for gain in (10**400, -(10**5000), True, 0, -1, "1", np.nan, np.inf)),
    ],
    ids=lambda options: next(iter(options)),
)
def test_variance_takes_only_a_rule_and_a_finite_gain(small, options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        rx.measure(small, "variance", **options)


def test_variance_counts_edges_before_it_walks_any(monkeypatch):
    net = rx.generate("radix-net", systems=[[4, 4]] * 2)
    assert rx.measure(net, "variance", budget=256)["final"] == 1
    monkeypatch.setattr(rx.Layer, "blocks", None)
    with pytest.raises(UnsupportedError, match="256 edges of 4 layers .* budget of 255"):
        rx.measure(net, "variance", budget=255)


def test_layers_too_wide_to_follow_are_refused_in_the_words_of_the_measure(monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_SIDE", 5)
    net = network([np.eye(4, 6)])
    refused = {}
    for name in ("paths", "controllability", "variance"):
        with pytest.raises(UnsupportedError, match="6 neurons") as caught:
            rx.measure(net, name)
        refused[name] = str(caught.value).split()[0], caught.value.hint
    assert refused["paths"] == refused["controllability"]
    assert refused["paths"][0] == "paths"
    assert "records" in refused["paths"][1]
    assert refused["variance"][0] == "mean"
    assert "records" not in refused["variance"][1]
    found = rx.measure(net, "components")
    assert "components of a layer with 6 neurons" in found["layers"][0]["why"]
    assert "components of a layer with 6 neurons" in found["network"]["why"]


def square(name, n=3):
    return rx.Layer(name, rx.Pattern.from_scipy(np.ones((n, n))))


def test_graphs_that_are_no_chain_are_refused_with_the_node():
    nodes = (
        Node("SparseLinear", ("x",), ("a",), layer=0),
        Node("Add", ("x", "a"), ("b",)),
        Node("SparseLinear", ("b",), ("y",), layer=1),
    )
    ends = (Value("x", ("B", 3)),), (Value("y", ("B", 3)),)
    skip = rx.Network((square("l0"), square("l1")), nodes, *ends)
    for name in ("paths", "controllability", "variance"):
        with pytest.raises(UnsupportedError, match=r"/graph/nodes/1 \(Add\).*two branches"):
            rx.measure(skip, name)
    parts = rx.measure(skip, "components")
    assert parts["network"]["components"] is None
    assert "two branches" in parts["network"]["why"]
    assert [layer["components"] for layer in parts["layers"]] == [1, 1]
    moved = (nodes[0], Node("Transpose", ("a",), ("b",)), nodes[2])
    with pytest.raises(UnsupportedError, match=r"nodes/1 \(Transpose\)"):
        rx.measure(rx.Network(skip.layers, moved, *ends), "paths")


def test_elementwise_nodes_and_shared_layers_are_passed():
    nodes = (
        Node("Softmax", ("x",), ("p",)),
        Node("SparseLinear", ("p",), ("a",), layer=0),
        Node("Relu", ("a",), ("r",)),
        Node("Add", ("r", "c"), ("b",)),
        Node("SparseLinear", ("b",), ("z",), layer=0),
        Node("TopK", ("z", "k"), ("y",)),
    )
    net = rx.Network(
        (square("l0"),),
        nodes,
        (Value("x", ("B", 3)),),
        (Value("y", ("B", 1)),),
        {"c": np.ones(3, np.float32), "k": np.ones(1, np.int64)},
    )
    found = rx.measure(net, "paths")
    assert (found["layers"], found["min"], found["max"]) == (2, 3, 3)
    assert rx.measure(net, "size")["flops"] == 2 * 2 * 9


def test_convolutions_have_matrix_measures_only():
    geometry = ConvGeometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))
    layer = rx.Layer("c", rx.Pattern.from_scipy(np.ones((18, 4))), kind="conv", geometry=geometry)
    net = alone(layer, rx.Metadata())
    assert rx.measure(net, "density")["density"]["value"] == 1
    assert rx.measure(net, "degree")["layers"][0]["kind"] == "conv"
    assert rx.measure(net, "size")["flops"] is None
    assert rx.measure(net, "components")["layers"][0]["connected"]
    with pytest.raises(UnsupportedError, match="places of an image"):
        rx.measure(net, "paths")


@pytest.mark.parametrize("name", EXACT)
def test_answers_are_plain_json_of_any_file(name, tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", small)
    with rx.open(tmp_path / "a.rx.h5") as opened:
        found = rx.measure(opened, name)
    assert found == rx.measure(small, name)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (3, 0, 2)])
def test_layers_without_neurons(name, sizes):
    found = rx.measure(network([np.zeros(shape) for shape in pairwise(sizes)]), name)
    json.dumps(found, allow_nan=False)
    if name == "paths":
        assert found["total"] == 0
        assert "why" in found


@pytest.mark.parametrize("name", ["paths", "controllability", "components", "variance"])
@pytest.mark.parametrize("span", [{"start": 4}, {"start": -1}, {"stop": 9}, {"start": 1.0}])
def test_runs_outside_the_chain_are_refused(name, span, small):
    with pytest.raises(ParameterError, match="start and stop"):
        rx.measure(small, name, **span)
