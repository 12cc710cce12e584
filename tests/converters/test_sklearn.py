"""Models of scikit-learn come in by way of skl2onnx, as far as they are networks."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import outputs_of

import radixfmt as rx
from radixfmt.backends.parity import check
from radixfmt.errors import UnsupportedError

neural_network = pytest.importorskip("sklearn.neural_network", reason="needs scikit-learn")
skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx")

RNG = np.random.default_rng(5)
X = RNG.standard_normal((60, 8))
Y = X @ RNG.standard_normal(8)


def fitted(kind, goal):
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return kind(hidden_layer_sizes=(12, 6), max_iter=5, random_state=0).fit(X, goal)


def test_a_regressor_comes_in_with_the_edges_that_pruning_left(tmp_path):
    regressor = fitted(neural_network.MLPRegressor, Y)
    for weights in regressor.coefs_:
        weights[np.abs(weights) < np.quantile(np.abs(weights), 0.6)] = 0
    given = skl2onnx.to_onnx(regressor, X[:1].astype(np.float32))
    (tmp_path / "m.onnx").write_bytes(given.SerializeToString())
    rx.convert(tmp_path / "m.onnx", tmp_path / "m.rx.h5")
    net = rx.read(tmp_path / "m.rx.h5")
    assert [layer.pattern.nnz for layer in net.layers] == [
        np.count_nonzero(weights) for weights in regressor.coefs_
    ]
    for rows in (1, 60):
        x = X[:rows].astype(np.float32)
        with rx.Session(net, device="cpu") as session:
            found = session.run(x)
        check(found, outputs_of(given, {net.inputs[0].name: x})[0], tolerance=1e-5)
        check(found[:, 0], regressor.predict(x.astype(np.float64)), tolerance=1e-4)


def test_a_classifier_is_refused_by_the_nodes_that_are_no_network(tmp_path):
    classifier = fitted(neural_network.MLPClassifier, Y > 0)
    given = skl2onnx.to_onnx(classifier, X[:1].astype(np.float32))
    (tmp_path / "m.onnx").write_bytes(given.SerializeToString())
    with pytest.raises(UnsupportedError, match="ai.onnx.ml") as caught:
        rx.from_onnx(tmp_path / "m.onnx")
    foreign = {n.op_type for n in given.graph.node if n.domain == "ai.onnx.ml"}
    assert foreign
    assert any(name in str(caught.value) for name in foreign)
    assert "numeric part" in caught.value.hint
