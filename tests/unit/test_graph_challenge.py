"""The published Graph Challenge layers (Kepner et al., arXiv 1909.05631)."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.converters.graph_challenge import _format_layer
from radixfmt.errors import ParameterError

PUBLISHED = {
    1: "48f8c5363f7f6579",
    6: "fe114f5984385992",
    7: "2c63b12ddca93f26",
    8: "439cd6802ef2d8e5",
    120: "c37c426fefe34411",
}


@pytest.mark.parametrize("number", PUBLISHED)
def test_layers_hash_to_the_published_files(number):
    layer = rx.generate("graph-challenge", neurons=1024, layers=number).layers[-1]
    assert hashlib.sha256(_format_layer(layer)).hexdigest()[:16] == PUBLISHED[number]


@pytest.mark.parametrize("neurons", [1024, 4096, 16384, 65536])
def test_every_size_has_its_degree_and_its_bias(neurons):
    network = rx.generate("graph-challenge", neurons=neurons, layers=14)
    layer = network.layers[13]
    assert layer.pattern.nnz == 32 * neurons
    assert set(layer.pattern.fan_in().tolist()) == {32}
    assert set(layer.pattern.fan_out().tolist()) == {32}
    assert layer.weights.tolist() == [0.0625]
    expected = {1024: -0.3, 4096: -0.35, 16384: -0.4, 65536: -0.45}[neurons]
    assert layer.bias.tolist() == [np.float32(expected)]
    assert [float(network.tensors[n]) for n in ("clip_min", "clip_max")] == [0.0, 32.0]


def test_layers_do_not_depend_on_the_order_they_are_asked_for():
    layers = rx.generate("graph-challenge", neurons=1024, layers=30).layers
    late = layers[29].pattern.indices
    early = layers[7].pattern.indices
    again = rx.generate("graph-challenge", neurons=1024, layers=30).layers
    assert (again[7].pattern.indices == early).all()
    assert (again[29].pattern.indices == late).all()


def test_column_ranges_equal_the_whole():
    pattern = rx.generate("graph-challenge", neurons=1024, layers=9).layers[8].pattern
    part = rx.generate("graph-challenge", neurons=1024, layers=9).layers[8].pattern
    whole = pattern.indices
    assert part.columns(100, 110).indices.tolist() == whole[3200:3520].tolist()


def test_path_counts_after_two_groups_are_exact_and_the_second_alone_is_uneven():
    matrices = [
        layer.pattern.to_scipy().astype(np.int64)
        for layer in rx.generate("graph-challenge", neurons=1024, layers=12).layers
    ]
    group = matrices[6]
    for matrix in matrices[7:]:
        group = group @ matrix
    assert len(set(group.toarray().ravel().tolist())) > 1
    rows = np.eye(1024, dtype=np.int64)[:16]
    for matrix in matrices:
        rows = rows @ matrix
    assert set(rows.ravel().tolist()) == {1125899906842624}


@pytest.mark.parametrize(
    ("neurons", "layers", "message"),
    [
        (1000, 1, "one of 1024, 4096"),
        (1024, 0, "layers: expected 1 to 65536"),
        (1024, -3, "layers: expected 1 to 65536"),
    ],
)
def test_other_parameters_are_refused(neurons, layers, message):
    with pytest.raises(ParameterError, match=message):
        rx.generate("graph-challenge", neurons=neurons, layers=layers)


def test_threads_get_the_same_edges():
    layers = rx.generate("graph-challenge", neurons=1024, layers=30).layers
    numbers = [6, 12, 18, 24] * 40
    expected = {i: layers[i].pattern.indices for i in set(numbers)}
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda i: (i, layers[i].pattern.indices), numbers)
        assert all((indices == expected[i]).all() for i, indices in found)
