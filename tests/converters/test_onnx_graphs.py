"""Whole ONNX models come in: graphs, opsets, functions, element types, files."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import coo, model, node, normal, ops, read, same, sparse, value

import radixfmt as rx
from radixfmt.backends.parity import check
from radixfmt.errors import UnsupportedError


def test_a_residual_network_with_norms_and_branches(tmp_path):
    c = {
        "w1": sparse(4, 3, 3, 3), "w2": sparse(4, 4, 3, 3), "s": normal(4), "b": normal(4),
        "m": normal(4), "v": normal(4) ** 2 + 1, "low": np.float32(0), "high": np.float32(6),
        "shape": np.array([0, -1]), "fc": sparse(8, 5), "fc.bias": normal(5), "lb": normal(5),
    }  # fmt: skip
    nodes = [
        node("Conv", "x,w1", "c1", pads=[1] * 4),
        node("BatchNormalization", "c1,s,b,m,v", "n1"),
        node("Clip", "n1,low,high", "r1"),
        node("Conv", "r1,w2", "c2", pads=[1] * 4),
        node("Add", "c2,r1", "skip"),
        node("Concat", "skip,r1", "both", axis=1),
        node("GlobalAveragePool", "both", "pooled"),
        node("Reshape", "pooled,shape", "flat"),
        node("Gemm", "flat,fc,fc.bias", "logits"),
        node("LayerNormalization", "logits,lb", "y"),
    ]
    given = model(nodes, [value("x", "B", 3, 6, 6)], [value("y", "B", 5)], c)
    net = same(given, {"x": normal(2, 3, 6, 6)}, tmp_path)
    assert [layer.name for layer in net.layers] == ["w1", "w2", "fc"]
    assert set(net.tensors) == {"s", "b", "m", "v", "low", "high", "shape", "lb"}


def test_an_attention_block(tmp_path):
    width, heads = 8, 2
    c = {f"w{p}": sparse(width, width, density=0.4) for p in "qkvo"}
    c |= {f"b{p}": normal(width) for p in "qkvo"}
    c |= {"split": np.array([0, 0, heads, -1]), "join": np.array([0, 0, width]),
          "root": np.float32(2)}  # fmt: skip
    nodes = []
    for p, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [
            node("MatMul", f"x,w{p}", f"{p}0"), node("Add", f"{p}0,b{p}", f"{p}1"),
            node("Reshape", f"{p}1,split", f"{p}2"), node("Transpose", f"{p}2", p, perm=perm),
        ]  # fmt: skip
    nodes += [
        node("MatMul", "q,k", "scores"), node("Div", "scores,root", "scaled"),
        node("Softmax", "scaled", "p", axis=-1), node("MatMul", "p,v", "mixed"),
        node("Transpose", "mixed", "turned", perm=[0, 2, 1, 3]),
        node("Reshape", "turned,join", "joined"), node("MatMul", "joined,wo", "o0"),
        node("Add", "o0,bo", "o1"), node("Add", "o1,x"),
    ]  # fmt: skip
    given = model(nodes, [value("x", "B", "T", width)], [value("y", "B", "T", width)], c)
    net = same(given, {"x": normal(2, 5, width)}, tmp_path)
    assert [layer.name for layer in net.layers] == ["wq", "wk", "wv", "wo"]
    assert ops(net).count("SparseLinear") == 4
    assert ops(net).count("MatMul") == 2
    assert all(layer.bias is not None for layer in net.layers)


@pytest.mark.parametrize("opset", [7, 11, 13, 17, 20, 22, 24])
def test_other_opsets_are_brought_to_21(opset, tmp_path):
    nodes = [
        node("MatMul", "x,w", "a"), node("Relu", "a", "b"), node("Reshape", "b,s", "c"),
        node("Softmax", "c", "y", axis=1),
    ]  # fmt: skip
    given = model(nodes, [value("x", "B", 40)], [value("y", "n", 3)],
                  {"s": np.array([-1, 3]), "w": sparse(40, 30)},
                  opset=opset, ir_version=8)  # fmt: skip
    net = same(given, {"x": normal(2, 40)}, tmp_path)
    assert ops(net)[:2] == ["SparseLinear", "Relu"]
    assert net.metadata.provenance[0]["opset"] == opset


def test_initializers_that_are_inputs_too_and_attributes_that_became_inputs(tmp_path):
    weight = sparse(4, 4)
    given = model(
        [node("MatMul", "x,w", "a"), node("Clip", "a", min=-0.5, max=6.0)],
        [value("x", "B", 4), value("w", 4, 4)], [value("y", "B", 4)], {"w": weight},
        opset=6, ir_version=3,
    )  # fmt: skip
    net = same(given, {"x": normal(3, 4)}, tmp_path)
    assert [v.name for v in net.inputs] == ["x"]
    assert ops(net) == ["SparseLinear", "Clip"]


def test_functions_are_written_out(tmp_path):
    imports = [helper.make_opsetid("my", 1)]
    body = [node("MatMul", "a,w", "h"), node("LeakyRelu", "h", "b")]
    body[1].attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=1))
    inner = helper.make_function(
        "my", "Inner", ["a", "w"], ["b"], body, [helper.make_opsetid("", 21)], ["slope"]
    )
    nodes = [
        helper.make_node("Inner", ["x", "w"], ["h"], domain="my", slope=0.5),
        helper.make_node("Inner", ["h", "w"], ["y"], domain="my", slope=0.1),
    ]
    given = model(nodes, [value("x", "B", 4)], [value("y", "B", 4)], {"w": sparse(4, 4)},
                  functions=[inner], imports=imports)  # fmt: skip
    net = same(given, {"x": normal(3, 4)}, tmp_path)
    assert ops(net) == ["SparseLinear", "LeakyRelu"] * 2
    assert [n.layer for n in net.graph] == [0, None, 0, None]


def test_constants_of_every_form(tmp_path):
    weight = sparse(4, 4)
    nodes = [
        helper.make_node("Constant", [], ["w"], sparse_value=coo("", weight)),
        helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(normal(4))),
        helper.make_node("Constant", [], ["f"], value_float=2.0),
        helper.make_node("Constant", [], ["i"], value_ints=[-1, 4]),
        helper.make_node(
            "ConstantOfShape", ["i4"], ["c"], value=numpy_helper.from_array(np.float32([7]))
        ),
        node("MatMul", "x,w", "p"), node("Add", "p,b", "q"), node("Mul", "q,f", "r"),
        node("Add", "r,c", "t"), node("Reshape", "t,i"),
    ]  # fmt: skip
    given = model(nodes, [value("x", "B", 4)], [value("y", "n", 4)], {"i4": np.array([4])})
    net = same(given, {"x": normal(3, 4)}, tmp_path)
    assert ops(net) == ["Expand", "SparseLinear", "Mul", "Add", "Reshape"]
    assert net.layers[0].bias is not None


@pytest.mark.parametrize(
    "kind", ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "UINT64", "BOOL"]
)
@pytest.mark.parametrize("raw", [True, False])
def test_elements_in_every_form(kind, raw, tmp_path):
    code = getattr(TensorProto, kind)
    dtype = helper.tensor_dtype_to_np_dtype(code)
    array = np.array([0, 1, 0, 3]).astype(dtype)
    tensor = helper.make_tensor("t", code, [4], array.tobytes() if raw else array.tolist(), raw=raw)
    given = model([node("Cast", "t", "c", to=1), node("Add", "x,c")], [value("x", 4)],
                  [value("y", 4)], initializer=[tensor])  # fmt: skip
    net = read(given, tmp_path)
    assert net.tensors["t"].dtype == dtype
    assert net.tensors["t"].tolist() == array.tolist()


def test_what_is_not_kept_is_told(tmp_path, radixfmt):
    given = model(
        [node("MatMul", "x,w", "y"), node("Relu", "x", "idle")],
        [value("x", "B", 4), value("deaf", 2)], [value("y", "B", 4)],
        {"w": sparse(4, 4), "spare": normal(3)},
    )  # fmt: skip
    given.graph.node[0].name = "first"
    given.graph.doc_string, given.producer_name = "A small one.", "pen and paper"
    given.metadata_props.add(key="author", value="me")
    given.training_info.add()
    onnx.save(given, tmp_path / "m.onnx")
    done = radixfmt("convert", "m.onnx", "m.rx.h5", "--json")
    assert done.code == 0
    assert done.json["losses"] == [
        "names of nodes",
        "training info",
        "metadata properties",
        "1 nodes that no output depends on",
        "inputs that no output depends on: 'deaf'",
        "tensors that no output depends on: 'spare'",
    ]
    known = rx.read(tmp_path / "m.rx.h5").metadata
    assert (known.name, known.description) == ("m.onnx", "A small one.")
    assert known.provenance[0]["source"] == "m.onnx"
    assert known.provenance[0]["producer"] == "pen and paper"
    assert known.provenance[0]["losses"] == done.json["losses"]


def test_sizes_without_a_name_get_one_each(tmp_path):
    given = model([node("Relu", "x")], [value("x", None, "T", None)], [value("y", None, "T", 4)])
    net = read(given, tmp_path)
    assert net.inputs[0].shape == ("x_0", "T", "x_2")
    assert net.outputs[0].shape == ("y_0", "T", 4)


def test_convert_there_and_back(tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", small)
    done = rx.convert(tmp_path / "a.rx.h5", tmp_path / "a.onnx")
    assert any("metadata" in loss for loss in done.losses)
    x = normal(5, small.layers[0].pattern.shape[0])
    rx.convert(tmp_path / "a.onnx", tmp_path / "b.rx.h5")
    with rx.Session(rx.read(tmp_path / "b.rx.h5")) as again, rx.Session(small) as first:
        np.testing.assert_allclose(again.run(x), first.run(x), rtol=1e-5, atol=1e-6)


def test_external_data_beside_the_model_is_read_on_request(tmp_path):
    w = sparse(64, 64)
    given = model([node("MatMul", "x,w")], [value("x", "B", 64)], [value("y", "B", 64)], {"w": w})
    onnx.save(given, tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    assert os.path.getsize(tmp_path / "m.data") >= w.nbytes  # noqa: PTH202
    with pytest.raises(UnsupportedError, match="initializer 'w': its data lies in another"):
        rx.from_onnx(tmp_path / "m.onnx")
    (layer,) = rx.from_onnx(tmp_path / "m.onnx", external_data=True).layers
    assert (layer.pattern.to_scipy(layer.weights).toarray() == w).all()


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16"])
def test_models_of_halves_keep_their_weights_and_run(kind, tmp_path):
    code = getattr(TensorProto, kind)
    dtype = helper.tensor_dtype_to_np_dtype(code)
    w, b = sparse(8, 6).astype(dtype), normal(6).astype(dtype)
    nodes = [node("MatMul", "x,w", "h"), node("Add", "h,b", "i"), node("Relu", "i")]
    given = model(nodes, [value("x", "B", 8, kind=code)], [value("y", "B", 6, kind=code)],
                  {"w": w, "b": b})  # fmt: skip
    net = read(given, tmp_path)
    assert net.layers[0].dtype == net.layers[0].bias.dtype == dtype
    computed = "float32" if kind == "BFLOAT16" else "float16"
    assert [v.dtype for v in (*net.inputs, *net.outputs)] == [computed] * 2
    losses = net.metadata.provenance[0].get("losses", [])
    said = "bfloat16 of inputs and outputs, which are float32: 'x', 'y'"
    assert losses == ([said] if kind == "BFLOAT16" else [])
    x = normal(4, 8).astype(computed)
    expected = np.maximum(x.astype(np.float64) @ w.astype(np.float64) + b.astype(np.float64), 0)
    rx.write(tmp_path / "m.rx.h5", net)
    with rx.Session(tmp_path / "m.rx.h5", device="cpu") as session:
        check(session.run(x), expected, tolerance=1e-6 if kind == "BFLOAT16" else 2e-3)


def test_convert_takes_external_data_and_a_threshold(tmp_path, radixfmt):
    w = normal(64, 64)
    w[:, :8] = 0
    given = model([node("MatMul", "x,w")], [value("x", "B", 64)], [value("y", "B", 64)], {"w": w})
    onnx.save(given, tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    refused = radixfmt("convert", "m.onnx", "m.rx.h5")
    assert refused.code == 2
    assert "--external-data" in refused.err
    words = ("convert", "m.onnx", "m.rx.h5", "--external-data", "--overwrite", "--json")
    assert "'w'" in str(radixfmt(*words).json["losses"])
    assert radixfmt(*words, "--sparsity-threshold", "0.125").json["losses"] == []
    (layer,) = rx.read(tmp_path / "m.rx.h5").layers
    assert layer.pattern.nnz == 64 * 56
    assert "expected 0 to 1" in radixfmt(*words, "--sparsity-threshold", "90").err
    wrong = radixfmt("convert", "m.rx.h5", "n.onnx", "--external-data")
    assert wrong.code == 2
    assert "unknown option 'external_data'" in wrong.err
