"""ONNX models that the format cannot hold: each is refused, and it is said why."""

from __future__ import annotations

import onnx
import pytest
from lying_models import call, function, model, nested, node, refused, tensor, value, with_import
from onnx import TensorProto, helper

from radixfmt.errors import UnsupportedError


def branch():
    body = helper.make_graph([node("Relu", "x", "z")], "b", [], [value("z", "B", 2)])
    return helper.make_node("If", ["c"], ["y"], "choice", then_branch=body, else_branch=body)


def hidden_graph():
    found = model(node("Relu", "x", name="sly"))
    attribute = found.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.INT, i=1)
    attribute.g.CopyFrom(helper.make_graph([], "hidden", [], []))
    return found


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


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_the_format_cannot_hold(case, tmp_path):
    given, message = UNSUPPORTED[case]
    refused(given, UnsupportedError, message, tmp_path)
