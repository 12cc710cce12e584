"""ONNX models written by hand, and what checks that they come in and compute the same."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import radixfmt as rx

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
