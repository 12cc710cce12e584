"""ONNX models that contradict themselves or claim too much: each is refused, and it is said why."""

from __future__ import annotations

import onnx
import pytest
from lying_models import (
    GOOD,
    call,
    coo,
    entries,
    function,
    model,
    nested,
    node,
    refused,
    tensor,
    value,
    with_import,
)
from onnx import TensorProto, helper

import radixfmt as rx
from radixfmt.errors import InputError

MANY = 1 << 40


def in_a_circle():
    mine = helper.make_opsetid("my", 1)
    pair = [function("A", call("B", "a", "b"), imports=[mine]),
            function("B", call("A", "a", "b"), imports=[mine])]  # fmt: skip
    return model(call("A"), weights=(), functions=pair, imports=[mine])


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
