"""Sparse initializers: small files, and no surprise when they are loaded."""

import sys

import numpy as np
import pytest
from onnx.checker import check_model

import radixfmt as rx
from radixfmt.backends.scipy import reference
from radixfmt.errors import UnsupportedError
from radixfmt.export import export, exporter, save, to_onnx, weights


@pytest.fixture(scope="module")
def network():
    return rx.generate("erdos-renyi", widths=[300, 200, 100], density=0.05, weights="he", bias=0.1)


def test_is_small_in_the_file_and_says_what_it_will_be(network, tmp_path):
    made = export(network, lowering="sparse_initializer")
    check_model(made.model)
    edges = [layer.pattern.nnz for layer in network.layers]
    for choice, nnz, cells in zip(made.layers, edges, (60_000, 20_000), strict=True):
        assert choice.why.startswith(f"{12 * nnz} bytes in the file, {4 * cells} as the dense")
    assert save(made.model, tmp_path / "m.onnx") < 12 * sum(edges) + 5000
    back = rx.from_onnx(tmp_path / "m.onnx")  # and the edges are still edges
    assert [layer.pattern.nnz for layer in back.layers] == edges


def test_refuses_what_would_fill_memory_when_loaded(network, monkeypatch):
    monkeypatch.setattr(exporter, "LARGEST_EXPANDED", 300_000)
    with pytest.raises(UnsupportedError, match="more than 300000 bytes there") as caught:
        to_onnx(network, lowering="sparse_initializer")
    assert "--allow-dense" in caught.value.hint
    to_onnx(network, lowering="sparse_initializer", allow_dense=True)
    to_onnx(network)  # of no concern to others


def test_is_never_chosen_unasked(network):
    assert not to_onnx(network).graph.sparse_initializer


def test_stays_sparse_for_inputs_of_rank_three(network):
    layer = network.layers[0]
    deep = rx.Network(
        [layer],
        (rx.Node("SparseLinear", ("x",), ("y",), layer=0),),
        (rx.Value("x", ("B", "T", 300)),),
        (rx.Value("y", ("B", "T", 200)),),
    )
    model = to_onnx(deep, lowering="sparse_initializer")
    assert len(model.graph.sparse_initializer) == 1
    x = np.random.default_rng(0).standard_normal((2, 3, 300)).astype(np.float32)
    with rx.Session(model, device="cpu", threads=1) as session:
        np.testing.assert_allclose(session.run(x), reference(deep, x), atol=1e-4)


def test_cannot_lie_beside_the_model(network, monkeypatch, tmp_path):
    model = to_onnx(network, lowering="sparse_initializer")
    monkeypatch.setattr(sys.modules["radixfmt.export.save"], "LARGEST_MODEL", 10_000)
    with pytest.raises(UnsupportedError, match="one ONNX file holds 10000"):
        save(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    assert weights.sparse_bytes(model) > 10_000
