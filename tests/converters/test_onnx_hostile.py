"""ONNX models that lie, reach outside or ask too much: each is refused, and it is said why."""

from __future__ import annotations

import os
import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import radixfmt as rx
from radixfmt.errors import InputError, PathError, UnsupportedError

OPSET = helper.make_opsetid("", 21)
MANY = 1 << 40


def value(name, *shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def tensor(name="w", dims=(2, 2), *, kind=TensorProto.FLOAT, **fields):
    found = TensorProto(name=name, dims=dims, data_type=kind)
    for field, data in fields.items():
        if isinstance(data, bytes):
            setattr(found, field, data)
        else:
            getattr(found, field).extend(data)
    return found


GOOD = tensor(float_data=[0, 1, 0, 0])


def model(*nodes, weights=(GOOD,), imports=(), functions=(), x=(), y=(), **parts):
    """Return a model that multiplies `x` by `w`, but for what is given."""
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        "g",
        x or [value("x", "B", 2)],
        y or [value("y", "B", 2)],
        list(weights),
        **parts,
    )
    return helper.make_model(
        graph, opset_imports=[OPSET, *imports], functions=functions, ir_version=10
    )


def node(op, inputs, outputs="y", **more):
    return helper.make_node(op, inputs.split(","), outputs.split(","), **more)


def entries(dims, indices, values=(1.0, 2.0), *, shape=None):
    count = len(values)
    return helper.make_sparse_tensor(
        helper.make_tensor("w", TensorProto.FLOAT, [count], values),
        helper.make_tensor("at", TensorProto.INT64, shape or [len(indices)], indices),
        dims,
    )


def coo(*arguments, **settings):
    return model(weights=(), sparse_initializer=[entries(*arguments, **settings)])


def function(name, *nodes, domain="my", imports=()):
    return helper.make_function(domain, name, ["a"], ["b"], nodes, [OPSET, *imports])


def call(name, source="x", target="y"):
    return helper.make_node(name, [source], [target], domain="my")


def nested(depth, width=1):
    """Return functions of which each calls the one below it, `width` times in a row."""
    mine = helper.make_opsetid("my", 1)
    found = [function("F0", node("Relu", "a", "b"))]
    for i in range(1, depth):
        names = ["a", *(f"h{k}" for k in range(1, width)), "b"]
        calls = [call(f"F{i - 1}", names[k], names[k + 1]) for k in range(width)]
        found.append(function(f"F{i}", *calls, imports=[mine]))
    return model(call(f"F{depth - 1}"), weights=(), functions=found, imports=[mine])


def branch():
    body = helper.make_graph([node("Relu", "x", "z")], "b", [], [value("z", "B", 2)])
    return helper.make_node("If", ["c"], ["y"], "choice", then_branch=body, else_branch=body)


def with_import(version, domain=""):
    found = model()
    found.opset_import[0].version, found.opset_import[0].domain = version, domain
    return found


def hidden_graph():
    found = model(node("Relu", "x", name="sly"))
    attribute = found.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.INT, i=1)
    attribute.g.CopyFrom(helper.make_graph([], "hidden", [], []))
    return found


def in_a_circle():
    mine = helper.make_opsetid("my", 1)
    pair = [function("A", call("B", "a", "b"), imports=[mine]),
            function("B", call("A", "a", "b"), imports=[mine])]  # fmt: skip
    return model(call("A"), weights=(), functions=pair, imports=[mine])


ML = helper.make_opsetid("ai.onnx.ml", 3)
SVM = helper.make_node("LinearClassifier", ["x"], ["y"], "clf", domain="ai.onnx.ml")
FOREIGN = helper.make_node("FusedMatMul", ["x", "w"], ["y"], "f", domain="com.microsoft")
TEXT = tensor(kind=TensorProto.STRING, dims=[1], string_data=[b"a"])

UNSUPPORTED = {
    "control flow": (model(branch(), x=[value("x", 2), value("c", kind=9)]), r"'choice' \(If\)"),
    "control flow in a function": (
        model(call("F"), weights=(), functions=[function("F", branch())]),
        r"function 'F', node 0 'choice' \(If\): runs a graph",
    ),
    "graph in an attribute of a plain node": (hidden_graph(), r"'sly' \(Relu\): attribute 'body'"),
    "custom domain": (model(FOREIGN), r"'f' \(FusedMatMul\): .* 'com.microsoft'"),
    "ai.onnx.ml": (model(SVM, imports=[ML]), r"'clf' \(LinearClassifier\).*'ai.onnx.ml'"),
    "a function that redefines an operator": (
        model(functions=[function("Relu", node("Abs", "a", "b"), domain="")]),
        "would redefine an operator",
    ),
    "functions that are 2^40 nodes": (nested(41, 2), "1099511627776 nodes, functions written out"),
    "opset 99": (with_import(99), "opset 99 cannot be brought to 21"),
    "operator that 21 does not have": (
        helper.make_model(
            helper.make_graph([node("Swish", "x")], "g", [value("x", 2)], [value("y", 2)]),
            opset_imports=[helper.make_opsetid("", 24)], ir_version=10,
        ),
        "opset 24 cannot be brought to 21: .*No Previous Version of Swish",
    ),
    "strings": (model(weights=[TEXT]), "initializer 'w': elements of type string"),
    "string constant": (
        model(helper.make_node("Constant", [], ["y"], value_string="a")), "got 'value_string'",
    ),
    "float8": (
        model(weights=[tensor(kind=TensorProto.FLOAT8E4M3FN, raw_data=bytes(4))]),
        "initializer 'w': elements of type float8e4m3fn",
    ),
    "complex input": (model(x=[value("x", 2, kind=TensorProto.COMPLEX64)]), "input 'x': complex64"),
    "rank 9": (model(weights=[tensor(dims=[1] * 9, float_data=[1])]), "'w': rank 9"),
    "no declared rank": (
        model(y=[onnx.ValueInfoProto(name="y", type=helper.make_tensor_type_proto(1, None))]),
        "output 'y': expected a tensor of declared shape",
    ),
    "infinite attribute": (
        model(node("LeakyRelu", "x", alpha=float("inf"))), "attribute 'alpha': expected finite",
    ),
}  # fmt: skip

WRONG = {
    "no nodes": (helper.make_model(helper.make_graph([], "g", [value("x", 2)], [value("x", 2)])),
                 "one without nodes"),
    "no opset": (onnx.ModelProto(ir_version=10, graph=model().graph), "one opset import"),
    "two opsets": (model(imports=[helper.make_opsetid("ai.onnx", 20)]), r"got \[20, 21\]"),
    "opset 0": (with_import(0), "ONNX's checker refuses it"),
    "functions in a circle": (in_a_circle(), "call each other in a circle"),
    "functions nested 500 deep": (nested(500), "depth exceeds limit"),
    "cycle": (model(node("Add", "x,b", "a"), node("Relu", "a", "b"), node("Relu", "b")), "RX6001"),
    "undefined tensor": (model(node("Add", "x,nowhere")), "RX6003 tensor 'nowhere' is used"),
    "undefined output": (model(node("Relu", "x", "z")), "RX6003 tensor 'y' is used"),
    "two makers": (model(node("Relu", "x"), node("Abs", "x")), "RX6004 tensor 'y' is assigned"),
    "a sparse operator of ours": (model(node("SparseLinear", "x")), "RX6008"),
    "two weights of one name": (model(weights=[GOOD, GOOD]), "its own name, got 'w'"),
    "unknown operator": (model(node("Nope", "x")), "No Op registered for Nope"),
    "unknown attribute": (model(node("Relu", "x", __class__=1)), "none, got '__class__'"),
    "attribute of a later opset": (model(node("Relu", "x", later=1)), "attribute: later"),
    "attribute of another type": (model(node("Softmax", "x", axis=b"1")), "axis"),
    "many attributes": (
        model(node("Relu", "x", **{f"a{i}": i for i in range(100)})), "at most 64 attributes",
    ),
    "long attribute": (
        model(node("Transpose", "x", perm=[0] * 10**5)), "at most 4096 elements, got 100000",
    ),
    "inputs do not fit": (model(x=[value("x", "B", 3)]), "shapes or types do not fit"),
    "no input heard": (model(node("Identity", "w")), "expected outputs that depend on an input"),
    "types do not fit": (
        model(x=[value("x", "B", 2, kind=TensorProto.DOUBLE)]), "shapes or types do not fit",
    ),
    "convolution does not fit": (
        model(node("Conv", "x,w", kernel_shape=[3, 3]), x=[value("x", 1, 2, 5, 5)],
              y=[value("y", 1, 2, 5, 5)],
              weights=[tensor(dims=[2, 2, 1, 1], float_data=[0, 0, 0, 1])]),
        "shapes or types do not fit|kernel_shape",
    ),
    "negative size of an input": (model(x=[value("x", -1, 2)]), "axis 0: expected a size of at"),
    "negative size": (model(weights=[tensor(dims=[-2, -2], float_data=[1] * 4)]), r"\[-2, -2\]"),
    "sizes that overflow": (model(weights=[tensor(dims=[MANY] * 3)]), "sizes from 0 to 2.40"),
    "claim of 2 TB": (model(weights=[tensor(dims=[MANY], raw_data=b"1234")]), "bytes for .* got 4"),
    "claim of 2 GB": (model(weights=[tensor(dims=[1 << 29])]), "expected 536870912 elements"),
    "raw data too short": (model(weights=[tensor(raw_data=bytes(12))]), "16 bytes .* got 12"),
    "raw data too long": (model(weights=[tensor(raw_data=bytes(20))]), "16 bytes .* got 20"),
    "elements too few": (model(weights=[tensor(float_data=[1, 2, 3])]), "expected 4 elements"),
    "elements in two places": (
        model(weights=[tensor(float_data=[1] * 4, raw_data=bytes(16))]), "in one place",
    ),
    "elements in a wrong place": (model(weights=[tensor(int64_data=[1] * 4)]), "in float_data"),
    "elements beyond their type": (
        model(weights=[tensor(kind=TensorProto.INT8, int32_data=[1, 2, 3, 300])]), "int8, got 300",
    ),
    "sparse: outside": (coo([2, 2], [1, 4]), r"entry 1: .* inside \[2, 2\], got 4"),
    "sparse: negative": (coo([2, 2], [-1, 2]), "entry 0: expected a position"),
    "sparse: pair outside": (coo([2, 2], [0, 1, 1, 2], shape=[2, 2]), r"entry 1: .* got \[1, 2\]"),
    "sparse: twice": (coo([2, 2], [3, 3]), "entry 1: .* ascend, got 3 after 3"),
    "sparse: falling": (coo([2, 2], [3, 1]), "got 1 after 3"),
    "sparse: an index too few": (coo([2, 2], [3]), r"indices of shape \[2\] or \[2, 2\]"),
    "sparse: triples": (coo([2, 2], [0] * 6, shape=[2, 3]), r"indices of shape \[2\] or \[2, 2\]"),
    "sparse: more neurons than a side has": (
        model(x=[value("x", "B", MANY)], weights=(),
              sparse_initializer=[entries([MANY, 2], [3, 9])]),
        "expected sizes from 0 to 134217728",
    ),
    "sparse: more pointers than are made": (
        model(y=[value("y", "B", 1 << 27)], weights=(),
              sparse_initializer=[entries([2, 1 << 27], [3, 9])]),
        "more than 67108864 outputs in all",
    ),
    "sparse: 2^80 cells": (coo([MANY, MANY], [3, 9]), "expected sizes from 0 to 2.40"),
}  # fmt: skip


def refused(data, error, message, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(data if isinstance(data, bytes) else data.SerializeToString())
    with pytest.raises(error, match=message) as caught:
        rx.from_onnx(path)
    assert "m.onnx" in str(caught.value)
    assert len(str(caught.value)) < 1000
    with pytest.raises(error):
        rx.convert(path, tmp_path / "m.rx.h5")
    assert os.listdir(tmp_path) == ["m.onnx"]  # noqa: PTH208


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_the_format_cannot_hold(case, tmp_path):
    given, message = UNSUPPORTED[case]
    refused(given, UnsupportedError, message, tmp_path)


@pytest.mark.parametrize("case", WRONG)
def test_what_contradicts_itself(case, tmp_path):
    given, message = WRONG[case]
    refused(given, rx.RadixfmtError, message, tmp_path)


def test_codes_of_bad_positions(tmp_path):
    for indices, code in (([1, 4], "RX4004"), ([3, 1], "RX4005"), ([3, 3], "RX4006")):
        (tmp_path / "m.onnx").write_bytes(coo([2, 2], indices).SerializeToString())
        with pytest.raises(InputError) as caught:
            rx.from_onnx(tmp_path / "m.onnx")
        assert caught.value.code == code


class Planted:
    def __reduce__(self):
        return open, ("planted", "w")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it has no graph"),
        (
            pickle.dumps(Planted(), protocol=2),
            "expected an ONNX model, .*looks like a Python pickle",
        ),
        (b"PK\x03\x04" + bytes(100), "looks like a zip archive"),
        (b"\x08\x0a\x12\x00", "it has no graph"),
        (b"version https://git-lfs.github.com/spec/v1\n", "expected an ONNX model, it cannot"),
        (model().SerializeToString()[:-9], "expected an ONNX model, it cannot be parsed"),
        (b"\x08\x0a\x3a" + b"\x0b" * 10**5, "expected an ONNX model"),
        (
            model().SerializeToString().replace(b"product", b"pro\xffuct"),
            "a name in UTF-8, got b'pro",
        ),
    ],
)
def test_files_that_are_no_model(data, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(data, InputError, message, tmp_path)


def test_paths_that_are_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("pipe.onnx", "absent.onnx", "."):
        with pytest.raises(PathError, match="no such regular file"):
            rx.from_onnx(tmp_path / name)


def test_the_size_of_a_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.converters.onnx_file.LARGEST_FILE", 10)
    refused(model(), InputError, "more than 10 bytes", tmp_path)


def stored(folder, **keys):
    """Write a model whose weight of 2 by 2 lies where `keys` say, beside a file of 16 bytes."""
    weight = tensor()
    weight.data_location = TensorProto.EXTERNAL
    for key, text in keys.items():
        weight.external_data.add(key=key, value=text)
    (folder / "m.onnx").write_bytes(model(weights=[weight]).SerializeToString())
    (folder / "m.data").write_bytes(bytes(12) + b"\0\0\x80\x3f")
    return folder / "m.onnx"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"location": "../secret"}, "in the model's folder, got '../secret'"),
        ({"location": "sub/../../secret"}, "in the model's folder"),
        ({"location": "/etc/passwd"}, "in the model's folder, got '/etc/passwd'"),
        ({"location": "C:\\secret"}, "in the model's folder"),
        ({"location": ""}, "in the model's folder, got ''"),
        ({"location": "m.data\0x"}, "in the model's folder"),
        ({"location": "link"}, "'link' is reached through a symbolic link"),
        ({"location": "linked/secret"}, "reached through a symbolic link"),
        ({"location": "hard"}, "'hard' is a hard link"),
        ({"location": "pipe"}, "is no regular file"),
        ({"location": "sub"}, "is no regular file|Is a directory"),
        ({"location": "absent"}, "'absent': No such file"),
        ({"location": "m.data", "offset": "1"}, "expected 16 bytes from 1, got a file of 16"),
        ({"location": "m.data", "offset": "-4"}, "expected offset as a number"),
        ({"location": "m.data", "offset": "9" * 5000}, "expected offset as a number"),
        ({"location": "m.data", "offset": str(2**63 - 1)}, "got a file of 16"),
        ({"location": "m.data", "length": str(2**62)}, "expected 16 bytes of external data, got"),
        ({"location": "m.data", "__class__": "x"}, "got '__class__'"),
    ],
)
def test_122_external_data_stays_in_the_folder(keys, message, tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(16))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "hard").hardlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    path = stored(folder, **keys)
    with pytest.raises(InputError, match=message):
        rx.from_onnx(path, external_data=True)
    with pytest.raises(UnsupportedError, match="not read unless asked for"):
        rx.from_onnx(path)


def test_external_data_is_bounded_in_all(tmp_path, monkeypatch):
    path = stored(tmp_path, location="m.data", offset="0", length="16")
    assert rx.from_onnx(path, external_data=True).layers[0].pattern.nnz == 1
    monkeypatch.setattr("radixfmt.converters.onnx_external.LARGEST_TOTAL", 15)
    with pytest.raises(UnsupportedError, match="more than 15 bytes of external data"):
        rx.from_onnx(path, external_data=True)


def test_sparse_tensors_that_must_be_dense_are_bounded_in_all(tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.converters.onnx_layers.LARGEST_DENSE", 31)
    weights = [entries([2, 2], [1, 2]), entries([2, 2], [1, 2])]
    weights[1].values.name = "v"
    given = model(node("Add", "x,w", "h"), node("Add", "h,v"), weights=(),
                  sparse_initializer=weights)  # fmt: skip
    refused(given, UnsupportedError, "made dense, such tensors would take more than 31", tmp_path)


def test_any_byte_may_be_wrong(tmp_path):
    """Whatever a flipped byte means, the answer is a network or one of our errors."""
    whole = model(
        node("Gemm", "x,w,b", "h", transB=1), node("Relu", "h"),
        weights=[GOOD, numpy_helper.from_array(np.ones(2, np.float32), "b")],
    ).SerializeToString()  # fmt: skip
    random = np.random.default_rng(1)
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] = random.integers(256)
        (tmp_path / "m.onnx").write_bytes(broken)
        try:
            rx.from_onnx(tmp_path / "m.onnx")
        except rx.RadixfmtError as error:
            assert "m.onnx" in str(error)  # noqa: PT017
