"""Sparse tensors of ONNX models come in entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import coo, model, node, normal, ops, read, same, sparse, value


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("op", ["MatMul", "Gemm", "Conv"])
def test_a_sparse_initializer_is_read_as_it_is(op, pairs, tmp_path):
    w = {"MatMul": (8, 6), "Gemm": (6, 8), "Conv": (6, 8, 1, 1)}[op]
    x = (3, 8, 2, 2) if op == "Conv" else (3, 8)
    weight = sparse(*w, density=0.8)  # a sparse tensor is a layer however full
    attributes = {"transB": 1} if op == "Gemm" else {}
    given = model(
        [node(op, "x,w", **attributes)], [value("x", "B", *x[1:])], [value("y", "B", 6, *x[2:])],
        sparse_initializer=[coo("w", weight, pairs=pairs)],
    )  # fmt: skip
    net = same(given, {"x": normal(*x)}, tmp_path)
    assert ops(net) == ["SparseConv" if op == "Conv" else "SparseLinear"]
    (layer,) = net.layers
    matrix = weight if op == "MatMul" else weight.reshape(6, -1).T
    assert (layer.pattern.to_scipy(layer.weights).toarray() == matrix).all()


def test_entries_of_a_sparse_tensor_that_are_zero_are_edges(tmp_path):
    entries = helper.make_sparse_tensor(
        helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, 2.0]),
        helper.make_tensor("i", TensorProto.INT64, [2], [1, 5]),
        [2, 3],
    )
    given = model([node("MatMul", "x,w")], [value("x", "B", 2)], [value("y", "B", 3)],
                  sparse_initializer=[entries])  # fmt: skip
    assert read(given, tmp_path).layers[0].pattern.indices.tolist() == [0, 1]


def test_a_small_sparse_tensor_that_is_no_weight_is_made_dense_and_said_so(tmp_path):
    given = model([node("Add", "x,w")], [value("x", "B", 6)], [value("y", 4, 6)],
                  sparse_initializer=[coo("w", sparse(4, 6))])  # fmt: skip
    net = same(given, {"x": normal(1, 6)}, tmp_path)
    assert ops(net) == ["Add"]
    assert "'w', which is no weight" in net.metadata.provenance[0]["losses"][0]


@pytest.mark.parametrize("op", ["MatMul", "Gemm"])
@pytest.mark.parametrize("pairs", [True, False])
def test_a_sparse_initializer_without_entries_is_a_layer_without_edges(op, pairs, tmp_path):
    entries = coo("w", np.zeros((6, 6), np.float32), pairs=pairs)
    given = model(
        [node(op, "x,w", "h", **({"transB": 1} if op == "Gemm" else {})), node("Add", "h,x")],
        [value("x", "B", 6)], [value("y", "B", 6)], sparse_initializer=[entries],
    )  # fmt: skip
    net = same(given, {"x": normal(3, 6)}, tmp_path)
    assert (net.layers[0].pattern.shape, net.layers[0].pattern.nnz) == ((6, 6), 0)


@pytest.mark.parametrize("pairs", [True, False])
def test_a_model_of_sparse_layers_written_by_hand(pairs, tmp_path):
    weights = {"w1": sparse(20, 30), "w2": sparse(10, 30), "w3": sparse(10, 4)}
    nodes = [
        node("MatMul", "x,w1", "a"), node("Add", "a,b1", "b"), node("Relu", "b", "c"),
        node("Gemm", "c,w2,b2", "d", transB=1), node("Tanh", "d", "e"), node("MatMul", "e,w3"),
    ]  # fmt: skip
    given = model(
        nodes, [value("x", "B", 20)], [value("y", "B", 4)], {"b1": normal(30), "b2": normal(10)},
        sparse_initializer=[coo(name, w, pairs=pairs) for name, w in weights.items()],
    )  # fmt: skip
    net = same(given, {"x": normal(5, 20)}, tmp_path)
    assert [layer.name for layer in net.layers] == list(weights)
    assert [layer.pattern.nnz for layer in net.layers] == [150, 75, 10]
    assert [layer.bias is not None for layer in net.layers] == [True, True, False]
