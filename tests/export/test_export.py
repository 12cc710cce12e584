"""What an exported model looks like, and what the exporter refuses."""

import json
import re

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.errors import ParameterError, UnknownNameError, UnsupportedError
from radixfmt.export import export, exporter, to_onnx
from radixfmt.model.digest import digests


@pytest.fixture(scope="module")
def challenge():
    return rx.generate("graph-challenge", neurons=1024, layers=3)


def ops(model):
    return [node.op_type for node in model.graph.node]


def test_blocked_chain_is_gather_and_grouped_convolution(challenge):
    model = to_onnx(challenge)
    found = [op for op in ops(model) if op != "Reshape"]  # which moves nothing
    ends = ["Transpose", "Unsqueeze"], ["Squeeze", "Gather", "Transpose"]
    assert found == [*ends[0], *["Gather", "Conv", "Clip"] * 3, *ends[1]]
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    assert [node.name for node in convs] == [f"layer{i}/conv" for i in range(3)]
    assert {a.name: a.i for a in convs[0].attribute}["group"] >= 32
    assert [i.name for i in model.graph.input] == ["x"]
    assert [o.name for o in model.graph.output] == ["y"]


@pytest.mark.parametrize("labels", ["own", "shuffled"])
def test_neurons_that_are_read_together_lie_together(labels):
    network = rx.generate(
        "radix-net", systems=[[2] * 6] * 2, widths=[16] * 13, weights="he", activation="relu"
    )
    if labels == "shuffled":
        rng = np.random.default_rng(0)
        order, layers = np.arange(1024), []
        for layer in network.layers:
            following = rng.permutation(1024)
            matrix = layer.pattern.to_scipy(layer.weights)[order][:, following]
            pattern = rx.Pattern.from_scipy(matrix)
            layers.append(rx.Layer(layer.name, pattern, matrix.data))
            order = following
        network = rx.chain(layers, activation="Relu")
    model = to_onnx(network)
    gathered = {i.name: list(i.dims) for i in model.graph.initializer if "/rows" in i.name}
    # 16 neurons at a time: two such runs for each 16 outputs; two for 32 at the end of a cycle
    expected = [[128]] * 4 + [[64]] + [[128]] * 5 + [[64]]
    assert [gathered[f"layer{i}/rows"] for i in range(1, 12)] == expected
    x = np.random.default_rng(1).standard_normal((3, 1024)).astype(np.float32)
    check(Session(model, device="cpu").run(x), reference(network, x))


@pytest.mark.parametrize("activation", ["Relu", None])
def test_bias_and_activation_fuse_into_the_convolution(challenge, activation, tmp_path):
    import onnx
    import onnxruntime as ort

    if activation:
        challenge = rx.chain(challenge.layers, activation=activation)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3  # it warns that fused models are for this machine only
    ort.InferenceSession(to_onnx(challenge).SerializeToString(), options)
    fused = ops(onnx.load(tmp_path / "fused.onnx"))
    assert fused.count("FusedConv") == 3
    assert not {"Relu", "Clip", "Conv", "Add"} & set(fused)


def test_blocked_for_cuda_has_equal_batch_axes(challenge):
    model = to_onnx(challenge, target="cuda", lowering="blocked")
    assert "Conv" not in ops(model)
    shapes = {i.name: list(i.dims) for i in model.graph.initializer}
    groups, k = shapes["layer0/rows"]
    assert shapes["layer0/weight"][::2] == [groups, k]


def test_dense_chain_is_plain_gemm(challenge):
    model = to_onnx(challenge, lowering="dense")
    assert ops(model) == ["Gemm", "Clip"] * 3
    assert ops(to_onnx(challenge, lowering="dense", layout="feature-major"))[-1] == "Squeeze"


def test_says_what_it_chose_and_why(challenge):
    exported = export(challenge)
    assert [choice.lowering for choice in exported.layers] == ["blocked"] * 3
    assert exported.layers[0].name == "layer0"
    assert re.match(
        r"\d+ groups of \d+ outputs share \d+ inputs, fill 1\.\d+: "
        r"\d+x fewer multiplications than dense",
        exported.layers[0].why,
    )


def test_auto_leaves_random_patterns_dense():
    import scipy.sparse as sp

    w = sp.random_array((300, 300), density=0.1, rng=np.random.default_rng(0), format="csc")
    network = rx.chain([rx.Layer("noise", rx.Pattern.from_scipy(w), 1.0)], activation="Relu")
    exported = export(network)
    assert exported.layers[0].lowering == "dense"
    assert "10 % of the weights are edges; blocked would take" in exported.layers[0].why
    assert ops(exported.model) == ["Gemm", "Relu"]


def test_model_carries_its_origin(challenge):
    model = to_onnx(challenge)
    found = {p.key.removeprefix("radixfmt."): p.value for p in model.metadata_props}
    cited = digests(challenge)
    assert found["content_digest"] == cited.content
    assert found["topology_digest"] == cited.topology
    assert found["lowering"] == "blocked"
    assert found["layout"] == "batch-major"
    assert found["rows"] == "independent"
    assert json.loads(found["generator"])["topology"] == "graph-challenge"
    assert (model.ir_version, model.opset_import[0].version) == (10, 21)
    assert (model.producer_name, model.producer_version) == ("radixfmt", rx.__version__)


def test_same_network_same_bytes(challenge):
    again = rx.generate("graph-challenge", neurons=1024, layers=3)
    assert to_onnx(challenge).SerializeToString() == to_onnx(again).SerializeToString()


def test_names_layers_that_repeat_or_clash():
    from onnx.checker import check_model

    pattern = rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1])
    layers = [rx.Layer("x", pattern, 2.0, 1.0), rx.Layer("x", pattern, 3.0, 1.0)]
    for name in ("dense", "blocked"):
        model = to_onnx(rx.chain(layers), lowering=name)
        check_model(model, full_check=True)
        with Session(model, device="cpu") as session:
            assert session.run([[1, 2]]).tolist() == [[10, 16]]


def test_refuses_what_it_cannot_serve(challenge, monkeypatch):
    with pytest.raises(UnknownNameError, match="blokked") as caught:
        to_onnx(challenge, lowering="blokked")
    assert "'blocked'" in caught.value.hint
    with pytest.raises(ParameterError, match="target"):
        to_onnx(challenge, target="tpu")
    with pytest.raises(ParameterError, match="batch: expected at least 1"):
        to_onnx(challenge, batch=0)
    with pytest.raises(ParameterError, match="layout"):
        to_onnx(challenge, layout="columns")
    with pytest.raises(UnsupportedError, match="layer0: it has no weights") as caught:
        to_onnx(rx.generate("radix-net", systems=[[2, 2]]))
    assert "radixfmt convert IN OUT --weights he --seed S" in caught.value.hint
    monkeypatch.setattr(exporter.os, "sysconf", lambda _: 600, raising=False)
    with pytest.raises(UnsupportedError, match=r"\d+ bytes; this machine has 360000"):
        to_onnx(challenge)
