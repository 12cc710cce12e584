"""Digests cite content: the same for every spelling, another for every change."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.model.canonical import canonical_json
from radixfmt.model.digest import digests, feeds, layer_digests, pattern_digest


def test_pattern_digest_is_the_documented_bytes():
    pattern = rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 2, 1])
    data = b"radixfmt-pattern-1\n" + struct.pack("<9Q", 3, 2, 3, 0, 2, 3, 0, 2, 1)
    assert pattern_digest(pattern) == "rx1:" + hashlib.sha256(data).hexdigest()


def test_values_and_bias_digests_are_the_documented_bytes():
    pattern = rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 2, 1])
    layer = rx.Layer("a", pattern, np.array([1, 2, 3], np.float32), np.array([4, 5], np.float32))
    values = b"radixfmt-values-1\nfloat32\n" + struct.pack("<Q3f", 3, 1, 2, 3)
    bias = b"radixfmt-dense-1\nfloat32\n" + struct.pack("<2Q2f", 1, 2, 4, 5)
    found = layer_digests(layer)
    assert found.values == "rx1:" + hashlib.sha256(values).hexdigest()
    assert found.bias == "rx1:" + hashlib.sha256(bias).hexdigest()


def test_network_digests_are_the_documented_bytes():
    """Computed here from spec §7 alone, with the standard library."""
    pattern = rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 2, 1])
    layer = rx.Layer("a", pattern, np.array([1, 2, 3], np.float32), np.array([4, 5], np.float32))
    network = rx.chain([layer], clip=(0.0, 32.0), metadata=rx.Metadata(name="golden"))

    def digest(domain, value):
        data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
        return "rx1:" + hashlib.sha256(f"radixfmt-{domain}-1\n".encode() + data).hexdigest()

    def text(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    edges = digest("pattern", struct.pack("<9Q", 3, 2, 3, 0, 2, 3, 0, 2, 1))
    values = digest("values", b"float32\n" + struct.pack("<Q3f", 3, 1, 2, 3))
    bias = digest("dense", b"float32\n" + struct.pack("<2Q2f", 1, 2, 4, 5))
    low, high = (digest("dense", b"float32\n" + struct.pack("<Qf", 0, x)) for x in (0.0, 32.0))
    graph = {
        "inputs": [{"name": "x", "shape": ["B", 3], "dtype": "float32"}],
        "outputs": [{"name": "y", "shape": ["B", 2], "dtype": "float32"}],
        "nodes": [
            {"op": "SparseLinear", "inputs": ["x"], "outputs": ["z0"], "layer": 0},
            {"op": "Clip", "inputs": ["z0", "clip_min", "clip_max"], "outputs": ["y"]},
        ],
    }
    topology = {"layers": [{"pattern": edges, "shape": [3, 2]}], "feeds": []}
    content = {
        "layers": [{"pattern": edges, "values": values, "bias": bias}],
        "graph": graph,
        "tensors": {"clip_min": low, "clip_max": high},
    }
    found = digests(network)
    assert found.topology == digest("topology", text(topology))
    assert found.content == digest("content", text(content))
    said = {"metadata": {"name": "golden"}, "names": ["a"], "ext": {}}
    assert found.metadata == digest("metadata", text(said))


def test_spelling_does_not_matter():
    pattern = rx.generate("graph-challenge", neurons=1024, layers=9).layers[8].pattern
    wide = rx.Pattern.explicit(pattern.shape, pattern.indptr, pattern.indices.astype(np.int64))
    narrow = rx.Pattern.explicit(
        pattern.shape, pattern.indptr.astype(np.uint32), pattern.indices.astype(np.uint16)
    )
    assert pattern_digest(pattern) == pattern_digest(wide) == pattern_digest(narrow)
    iso = rx.Layer("a", pattern, 0.5, -1.0)
    full = rx.Layer("b", wide, np.full(pattern.nnz, 0.5, np.float32), np.full(1024, -1, np.float32))
    assert layer_digests(iso) == layer_digests(full)


def test_each_digest_covers_its_part():
    def made(**options):
        return digests(rx.generate("radix-net", systems=[[2, 2]], **options))

    plain, weighted, active = made(), made(weights="he"), made(activation="relu")
    assert plain.topology == weighted.topology == active.topology
    assert len({plain.content, weighted.content, active.content}) == 3
    other = made(direction=1)
    assert other.topology != plain.topology
    network = rx.generate("radix-net", systems=[[2, 2]])
    named = replace(network, metadata=replace(network.metadata, name="other"))
    assert digests(named).content == digests(network).content
    assert digests(named).metadata != digests(network).metadata


def test_bits_count_not_numbers():
    pattern = rx.Pattern.explicit((1, 1), [0, 1], [0])
    zero, minus = (layer_digests(rx.Layer("a", pattern, [v])).values for v in (0.0, -0.0))
    assert zero != minus


def test_a_layer_beyond_the_limit_is_cited_by_its_recipe():
    network = rx.generate("radix-net", systems=[[2**12, 2**12]], weights="constant=1")
    found = digests(network)
    assert found.layers[0].pattern.startswith("rx1r:")
    assert found.topology.startswith("rx1r:")
    assert found.content.startswith("rx1r:")
    assert found.metadata.startswith("rx1:")


def test_feeding_is_contracted_to_layers():
    nodes = [
        rx.Node("SparseLinear", ("x",), ("a",), layer=0),
        rx.Node("Relu", ("a",), ("b",)),
        rx.Node("SparseLinear", ("b",), ("c",), layer=1),
        rx.Node("Add", ("b", "c"), ("d",)),
        rx.Node("SparseLinear", ("d",), ("y",), layer=2),
    ]
    assert feeds(nodes) == [[0, 1], [0, 2], [1, 2]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        (1.0, "1"),
        (0.0, "0"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (0.00012, "0.00012"),
        ("é\n", '"é\\n"'),
    ],
)
def test_canonical_json_spells_as_rfc_8785(value, text):
    assert canonical_json(value) == text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -0.0, 2**53, {1, 2}, {1: 2}, "\ud800", {"\udfff": 1}]
)
def test_canonical_json_refuses_what_json_cannot_say(value):
    with pytest.raises(rx.RadixfmtError):
        canonical_json(value)
