"""ONNX models that are wrong in one place, and what checks that they are refused."""

from __future__ import annotations

import os

import pytest
from onnx import TensorProto, helper

import radixfmt as rx

OPSET = helper.make_opsetid("", 21)


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


def with_import(version, domain=""):
    found = model()
    found.opset_import[0].version, found.opset_import[0].domain = version, domain
    return found


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
