"""Small layers and graphs to export, and what runs them against the float64 reference."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from onnx.checker import check_model

import radixfmt as rx
from radixfmt.backends.evaluator import evaluate
from radixfmt.backends.evidence import evidence
from radixfmt.backends.ort import Session
from radixfmt.export import to_onnx


def sparse(shape, seed=0, density=0.4):
    """Return a float32 array, most of it zeros."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * (rng.random(shape) < density)).astype(np.float32)


def linear(name, w, bias=None, dtype=np.float32):
    """Return the layer of W `[n_in, n_out]`."""
    pattern = rx.Pattern.from_scipy(sp.csc_array(w))
    return rx.Layer(name, pattern, w.T[w.T != 0].astype(dtype), bias)


def conv(name, weight, bias=None, *, strides, pads, dilations, group=1):
    """Return the layer of a weight `[C_out, C_in / group, …]`."""
    flat = linear(name, weight.reshape(weight.shape[0], -1).T)
    geometry = rx.ConvGeometry(weight.shape[2:], strides, pads, dilations, group)
    return rx.Layer(name, flat.pattern, flat.weights, bias, kind="conv", geometry=geometry)


def network(layers, nodes, inputs, outputs, tensors=None):
    def values(given):
        return tuple(v if isinstance(v, rx.Value) else rx.Value(*v) for v in given)

    return rx.Network(layers, tuple(nodes), values(inputs), values(outputs), tensors or {})


def run(net, *arrays, **options):
    """Return the outputs of onnxruntime, after the checker and the float64 reference agree."""
    model = to_onnx(net, **options)
    check_model(model, full_check=True)
    evidence(net, model, to_onnx, layout="batch-major")
    feeds = {value.name: x for value, x in zip(net.inputs, arrays, strict=True)}
    with Session(model, device="cpu", threads=1) as session:
        found = session.run_named(feeds)
    wanted = evaluate(net, feeds)
    for name, y in found.items():
        np.testing.assert_allclose(y, wanted[name], rtol=1e-3, atol=1e-3)
    return [found[value.name] for value in net.outputs]


def close(found, wanted, tolerance=1e-4):
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=tolerance, atol=tolerance)
