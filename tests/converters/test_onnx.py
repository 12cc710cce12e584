"""Weights of ONNX models become layers, and what comes out computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import coo, model, node, normal, ops, read, same, sparse, value

import radixfmt as rx
from radixfmt.errors import ParameterError, UnsupportedError


@pytest.mark.parametrize(
    ("attributes", "bias", "expected"),
    [
        ({}, (6,), ["SparseLinear"]),
        ({"transB": 1}, (1, 6), ["SparseLinear"]),
        ({"transB": 1}, (), ["SparseLinear"]),
        ({"transA": 1}, (6,), ["Transpose", "SparseLinear"]),
        ({}, (3, 1), ["SparseLinear", "Add"]),
        ({"alpha": 0.3}, (6,), ["SparseLinear", "Mul", "Add"]),
        ({"alpha": 0.3, "beta": 0.7, "transB": 1}, (6,), ["Mul", "SparseLinear", "Mul", "Add"]),
        ({"alpha": 0.5}, None, ["SparseLinear", "Mul"]),
    ],
)
def test_gemm(attributes, bias, expected, tmp_path):
    turned = attributes.get("transB", 0)
    w = sparse(6, 8) if turned else sparse(8, 6)
    constants = {"w": w} | ({} if bias is None else {"b": normal(*bias)})
    x = normal(8, 3) if "transA" in attributes else normal(3, 8)
    gemm = node("Gemm", ",".join(["x", *constants]), **attributes)
    given = model([gemm], [value("x", *x.shape)], [value("y", 3, 6)], constants)
    net = same(given, {"x": x}, tmp_path)
    assert ops(net) == expected
    (layer,) = net.layers
    assert layer.name == "w"
    matrix = layer.pattern.to_scipy(layer.weights).toarray()
    assert (matrix == (w.T if turned else w)).all()
    assert layer.pattern.nnz == np.count_nonzero(w)
    assert (layer.bias is not None) == (expected[-1] == "SparseLinear")


@pytest.mark.parametrize("shape", [(3, 8), (2, 3, 8)])
@pytest.mark.parametrize("bias", [(6,), (1,), (1, 1, 6), None])
def test_matmul_with_and_without_bias(shape, bias, tmp_path):
    constants = {"fc.weight": sparse(8, 6)} | ({} if bias is None else {"b": normal(*bias)})
    nodes = [node("MatMul", "x,fc.weight", "h" if bias else "y")]
    nodes += [node("Add", "b,h")] if bias else []
    rank = max(len(shape), len(bias or ()))
    result = value("y", *["a", "b", "c"][-rank:-1], 6)
    given = model(nodes, [value("x", "B", *shape[1:])], [result], constants)
    net = same(given, {"x": normal(*shape)}, tmp_path)
    folded = bias is None or len(bias) == 1  # more axes could add one to the result
    assert ops(net) == (["SparseLinear"] if folded else ["SparseLinear", "Add"])
    assert [layer.name for layer in net.layers] == ["fc.weight"]
    assert net.inputs[0].shape == ("B", *shape[1:])


@pytest.mark.parametrize(
    ("weight", "x", "attributes"),
    [
        ((6, 4, 3), (2, 4, 9), {"strides": [2], "pads": [1, 0]}),
        ((6, 4, 3, 3), (2, 4, 9, 8), {"pads": [1, 2, 0, 1], "dilations": [2, 1]}),
        ((6, 2, 3, 3), (2, 4, 9, 9), {"group": 2, "strides": [2, 3]}),
        ((8, 1, 3, 3), (2, 4, 9, 9), {"group": 4, "auto_pad": "VALID"}),
        ((6, 4, 3, 2), (2, 4, 9, 8), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
        ((6, 4, 4, 2), (2, 4, 9, 8), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
        ((6, 4, 3, 3), (2, 4, 9, 8), {"auto_pad": "SAME_LOWER"}),
        ((3, 2, 2, 2, 2), (1, 2, 4, 5, 6), {"strides": [1, 2, 1]}),
    ],
)
@pytest.mark.parametrize("biased", [True, False])
def test_conv(weight, x, attributes, biased, tmp_path):
    constants = {"w": sparse(*weight, density=0.4)} | ({"b": normal(weight[0])} if biased else {})
    conv = node("Conv", ",".join(["x", *constants]), **attributes)
    places = [f"p{i}" for i in range(len(x) - 2)]
    result = value("y", "B", weight[0], *places)
    net = same(
        model([conv], [value("x", "B", *x[1:])], [result], constants), {"x": normal(*x)}, tmp_path
    )
    assert ops(net) == ["SparseConv"]
    assert (net.layers[0].bias is not None) == biased
    assert net.layers[0].pattern.nnz == np.count_nonzero(constants["w"])


def test_a_conv_whose_padding_depends_on_an_unknown_size_is_kept(tmp_path):
    conv = node("Conv", "x,w", auto_pad="SAME_UPPER", strides=[2, 2])
    given = model([conv], [value("x", "B", 4, "H", "W")], [value("y", "B", 6, "h", "w")],
                  {"w": sparse(6, 4, 3, 3)})  # fmt: skip
    net = same(given, {"x": normal(1, 4, 9, 8)}, tmp_path)
    assert ops(net) == ["Conv"]
    (loss,) = net.metadata.provenance[0]["losses"]
    assert "auto_pad SAME_UPPER depends on the size of its input" in loss


def test_weights_stay_dense_under_the_threshold_and_are_said_so(tmp_path):
    w = normal(4, 4)
    w[:2] = 0
    given = model([node("MatMul", "x,w")], [value("x", "B", 4)], [value("y", "B", 4)], {"w": w})
    assert ops(same(given, {"x": normal(3, 4)}, tmp_path)) == ["SparseLinear"]
    net = read(given, tmp_path, sparsity_threshold=0.6)
    assert ops(net) == ["MatMul"]
    assert "threshold 0.6 (at most 0.5): 'w'" in net.metadata.provenance[0]["losses"][0]
    with pytest.raises(ParameterError, match="expected 0 to 1, got 2"):
        read(given, tmp_path, sparsity_threshold=2)


def test_shared_weights_are_one_layer_used_twice(tmp_path):
    nodes = [
        node("MatMul", "x,w", "a"), node("Relu", "a", "b"), node("MatMul", "b,w", "c"),
        node("Gemm", "c,w", "d", transB=1), node("Add", "d,w", "y"),
    ]  # fmt: skip
    given = model(nodes, [value("x", "B", 6)], [value("y", 6, 6)], {"w": sparse(6, 6)})
    net = same(given, {"x": normal(6, 6)}, tmp_path)
    assert [n.layer for n in net.graph if n.layer is not None] == [0, 0, 1]
    assert [layer.name for layer in net.layers] == ["w", "w_2"]
    assert any("tie" in loss for loss in net.metadata.provenance[0]["losses"])


def test_weights_are_seen_through_transposes_and_identities(tmp_path):
    """As PyTorch writes them: weights by output, and equal ones once."""
    nodes = [
        node("Transpose", "w", "t", perm=[1, 0]), node("Identity", "b", "same"),
        node("MatMul", "x,t", "h"), node("Add", "h,same", "a"),
        node("Gemm", "a,v,same", "c", transB=1), node("Gemm", "c,t", "y", transB=1),
    ]  # fmt: skip
    constants = {"w": sparse(6, 4, density=0.5), "v": sparse(6, 6), "b": normal(6)}
    given = model(nodes, [value("x", "B", 4)], [value("y", "B", 4)], constants)
    net = same(given, {"x": normal(3, 4)}, tmp_path)
    assert ops(net) == ["SparseLinear"] * 3
    assert [layer.name for layer in net.layers] == ["w", "v", "w_2"]
    assert [layer.bias is not None for layer in net.layers] == [True, True, False]
    assert net.tensors == {}
    weights = given.graph.initializer[0]
    entries = coo("w", numpy_helper.to_array(weights))
    given.graph.sparse_initializer.append(entries)
    del given.graph.initializer[0]
    assert read(given, tmp_path).layers[0].pattern.shape == (4, 6)


def test_a_transposed_weight_that_others_read_is_kept_too(tmp_path):
    (tmp_path / "b").mkdir()
    nodes = [node("Transpose", "w", "t"), node("MatMul", "x,t", "h"), node("Add", "h,t")]
    given = model(nodes, [value("x", "B", 6)], [value("y", 6, 6)], {"w": sparse(6, 6)})
    assert ops(same(given, {"x": normal(6, 6)}, tmp_path)) == ["Transpose", "SparseLinear", "Add"]
    nodes[1:] = [node("MatMul", "t,w", "h"), node("Add", "h,x")]
    given = model(nodes, [value("x", 6, 6)], [value("y", 6, 6)], {"w": sparse(6, 6, density=0.5)})
    net = same(given, {"x": normal(6, 6)}, tmp_path / "b")
    assert ops(net) == ["Transpose", "SparseLinear", "Add"]


@pytest.mark.parametrize("threshold", [0, 1])
def test_an_empty_and_a_full_weight(threshold, tmp_path):
    w = np.zeros((4, 4), np.float32) if threshold else normal(4, 4)
    given = model([node("MatMul", "x,w", "a"), node("Add", "a,x")], [value("x", "B", 4)],
                  [value("y", "B", 4)], {"w": w})  # fmt: skip
    net = same(given, {"x": normal(3, 4)}, tmp_path, sparsity_threshold=threshold)
    assert net.layers[0].pattern.nnz == np.count_nonzero(w)


def test_nan_is_kept_and_told(tmp_path):
    w = sparse(4, 4)
    w[0, 0] = np.nan
    given = model([node("MatMul", "x,w")], [value("x", "B", 4)], [value("y", "B", 4)], {"w": w})
    net = read(given, tmp_path)
    assert np.isnan(net.layers[0].weights).sum() == 1
    assert "NaN, which is kept: 'w'" in net.metadata.provenance[0]["losses"][0]
    rx.write(tmp_path / "n.rx.h5", net)
    assert "RX5001" in {finding.code for finding in rx.validate(tmp_path / "n.rx.h5").findings}


def test_123_a_huge_sparse_initializer_costs_what_its_entries_take(tmp_path):
    side = 1 << 16  # 17 GB, were it dense
    entries = helper.make_sparse_tensor(
        helper.make_tensor("w", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
        helper.make_tensor("i", TensorProto.INT64, [3], [5, side + 7, side * side - 1]),
        [side, side],
    )
    given = model([node("MatMul", "x,w")], [value("x", "B", side)], [value("y", "B", side)],
                  sparse_initializer=[entries], opset=17)  # fmt: skip
    (layer,) = read(given, tmp_path).layers
    assert (layer.pattern.shape, layer.pattern.nnz) == ((side, side), 3)
    given = model([node("Mul", "x,w")], [value("x", "B", side)], [value("y", side, side)],
                  sparse_initializer=[entries])  # fmt: skip
    with pytest.raises(UnsupportedError, match="'w' of shape .65536, 65536. is no weight"):
        read(given, tmp_path)
