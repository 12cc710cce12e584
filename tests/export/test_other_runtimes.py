"""Exported models in ONNX's reference and in OpenVINO, and what a person sees in them."""

import numpy as np
import pytest
from onnx.checker import check_model
from onnx.inliner import inline_local_functions
from onnx.reference import ReferenceEvaluator

import radixfmt as rx
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.export import to_onnx
from radixfmt.export.lowerings import lowering

NAMES = [*lowering, "auto"]
EVERYWHERE = [name for name in NAMES if name != "sparse_initializer"]


def chain():
    """Return two layers that share inputs and one that has no structure, with fan-ins of 0 to 9."""
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    structured = rx.generate(
        "radix-net", systems=[[4, 4]], widths=[4, 4, 4], weights="he", bias=0.1, seed=1
    )
    w = sp.random_array((64, 50), density=0.05, rng=rng, format="csc")
    noise = rx.Layer("noise", rx.Pattern.from_scipy(w), rng.standard_normal(w.nnz), 0.5)
    layers = [structured.layers[0], structured.layers[1].replace(bias=None), noise]
    return rx.chain(layers, activation="Relu")


@pytest.fixture(params=["batch-major", "feature-major"])
def layout(request):
    return request.param


@pytest.fixture(params=[("cpu", None), ("cpu", 1), ("cuda", None)], ids=str)
def case(request, layout):
    """Return a network, samples for it, how to run a model on them, and what to expect."""
    target, batch = request.param
    network = chain()
    x = np.random.default_rng(2).standard_normal((batch or 5, 64)).astype(np.float32)
    wanted = reference(network, x)
    turned = layout == "feature-major"
    given, wanted = (x.T, wanted.T) if turned else (x, wanted)

    def made(name):
        return to_onnx(network, lowering=name, target=target, batch=batch, layout=layout)

    return made, np.ascontiguousarray(given), wanted


@pytest.mark.parametrize("name", EVERYWHERE)
def test_runs_in_onnx_reference(name, case):
    made, x, wanted = case
    model = made(name)
    check_model(model, full_check=True)
    check(ReferenceEvaluator(model).run(None, {"x": x})[0], wanted)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_runs_in_openvino(name, case, openvino):
    made, x, wanted = case
    check(openvino(inline_local_functions(made(name)), x), wanted)  # it reads no functions


@pytest.mark.parametrize("name", NAMES)
def test_names_tell_the_layer(name, case):
    graph = case[0](name).graph
    own = {i.name for i in graph.initializer} | {s.values.name for s in graph.sparse_initializer}
    nodes = [node.name for node in graph.node]
    assert len({*nodes}) == len(nodes)
    for node in graph.node:
        scope = node.name.split("/")[0]
        assert all(
            name.split("/")[0] == scope for name in node.input if name in own and "/" in name
        )
        assert all(node.output)
    for layer in ["layer0..noise"] if name == "native" else ["layer0", "layer1", "noise"]:
        assert any(node.startswith(f"{layer}/") for node in nodes)
        assert any(name.startswith(f"{layer}/") and "/weight" in name for name in own)
