"""ONNX models come in with their sparsity, and what comes out computes the same."""

from __future__ import annotations

import os

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import radixfmt as rx
from radixfmt.errors import ParameterError, UnsupportedError

RNG = np.random.default_rng(5)


def value(name, *shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def sparse(*shape, density=0.25):
    found = normal(*shape)
    found.reshape(-1)[RNG.permutation(found.size)[round(density * found.size) :]] = 0
    return found


def coo(name, array, *, pairs=False):
    """Return `array` as a sparse initializer, positions in one of the two layouts."""
    at = np.argwhere(array) if pairs else np.flatnonzero(array)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(array[array != 0], name),
        numpy_helper.from_array(at.astype(np.int64), f"{name}_indices"),
        array.shape,
    )


def model(nodes, inputs, outputs, constants=None, *, opset=21, ir_version=10, **parts):
    found = parts.pop("initializer", [])
    found += [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()]
    more = {name: parts.pop(name) for name in ("functions",) if name in parts}
    imports = [helper.make_opsetid("", opset), *parts.pop("imports", [])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, found, **parts)
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version, **more)


def node(op, inputs, outputs="y", **attributes):
    return helper.make_node(op, inputs.split(","), outputs.split(","), **attributes)


def outputs_of(given, feeds):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(given.SerializeToString(), options, providers).run(None, feeds)


def read(given, tmp_path, **settings):
    path = tmp_path / "m.onnx"
    path.write_bytes(given.SerializeToString())
    return rx.from_onnx(path, **settings)


def same(given, feeds, tmp_path, **settings):
    """Read a model, check that a file holds it and that it computes the same; return it."""
    net = read(given, tmp_path, **settings)
    rx.write(tmp_path / "m.rx.h5", net)
    errors = [f for f in rx.validate(tmp_path / "m.rx.h5").findings if f.severity == "error"]
    assert errors == []
    expected = outputs_of(given, feeds)
    found = outputs_of(rx.to_onnx(rx.read(tmp_path / "m.rx.h5")), feeds)
    for a, b in zip(expected, found, strict=True):
        assert a.shape == b.shape
        assert np.abs(a.astype(np.float64)).max() > 0
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
    return net


def ops(net):
    return [n.op for n in net.graph]


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


def test_a_small_sparse_tensor_that_is_no_weight_is_made_dense_and_said_so(tmp_path):
    given = model([node("Add", "x,w")], [value("x", "B", 6)], [value("y", 4, 6)],
                  sparse_initializer=[coo("w", sparse(4, 6))])  # fmt: skip
    net = same(given, {"x": normal(1, 6)}, tmp_path)
    assert ops(net) == ["Add"]
    assert "'w', which is no weight" in net.metadata.provenance[0]["losses"][0]


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


def test_nan_is_kept_and_told(tmp_path):
    w = sparse(4, 4)
    w[0, 0] = np.nan
    given = model([node("MatMul", "x,w")], [value("x", "B", 4)], [value("y", "B", 4)], {"w": w})
    net = read(given, tmp_path)
    assert np.isnan(net.layers[0].weights).sum() == 1
    assert "NaN, which is kept: 'w'" in net.metadata.provenance[0]["losses"][0]
    rx.write(tmp_path / "n.rx.h5", net)
    assert "RX5001" in {finding.code for finding in rx.validate(tmp_path / "n.rx.h5").findings}


def test_sizes_without_a_name_get_one_each(tmp_path):
    given = model([node("Relu", "x")], [value("x", None, "T", None)], [value("y", None, "T", 4)])
    net = read(given, tmp_path)
    assert net.inputs[0].shape == ("x_0", "T", "x_2")
    assert net.outputs[0].shape == ("y_0", "T", 4)


@pytest.mark.parametrize("threshold", [0, 1])
def test_an_empty_and_a_full_weight(threshold, tmp_path):
    w = np.zeros((4, 4), np.float32) if threshold else normal(4, 4)
    given = model([node("MatMul", "x,w", "a"), node("Add", "a,x")], [value("x", "B", 4)],
                  [value("y", "B", 4)], {"w": w})  # fmt: skip
    net = same(given, {"x": normal(3, 4)}, tmp_path, sparsity_threshold=threshold)
    assert net.layers[0].pattern.nnz == np.count_nonzero(w)


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
