"""Models as people train them go through a file and come out the same, in every direction."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from models import MODELS, pruned
from torch import nn
from torch.nn.utils import prune

import radixfmt as rx
from radixfmt.backends.parity import check
from radixfmt.model.digest import digests

BATCHES = (1, 5)
PROVIDERS = ["CPUExecutionProvider"]
EXACT = 1e-5
ROUNDED = {torch.float16: 5e-3, torch.bfloat16: 4e-2}
"""Of types whose own rounding is larger; see `radixfmt.backends.parity` for the measure."""


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(3)
    return MODELS[request.param]


def expected_of(module, x):
    with torch.no_grad():
        return module(x).double().numpy()


def fed(x):
    """Return samples as a graph takes them: bfloat16 is computed as float32."""
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy()


def round_trip(module, model, path, tolerance):
    """Check torch → file → onnxruntime and torch → file → torch; return the stored network."""
    dtype = next(module.parameters()).dtype
    samples = [model.samples(batch, dtype) for batch in BATCHES]
    rx.write(path, rx.from_torch(module, samples[1]))
    assert [f for f in rx.validate(path).findings if f.severity == "error"] == []
    net = rx.read(path)
    options = ort.SessionOptions()
    if dtype == torch.float16:  # level ALL crashes: github.com/microsoft/onnxruntime/issues/28392
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    exported = ort.InferenceSession(rx.to_onnx(net).SerializeToString(), options, PROVIDERS)
    (entry,) = exported.get_inputs()
    assert entry.shape[0] == "batch"
    again = rx.to_torch(net)
    with rx.Session(path, device="cpu", threads=1) as session:
        for x in samples:
            expected = expected_of(module, x)
            assert np.ptp(expected) > 0
            check(session.run(fed(x)), expected, tolerance=tolerance)
            check(exported.run(None, {entry.name: fed(x)})[0], expected, tolerance=tolerance)
            check(again(torch.from_numpy(fed(x))).detach(), expected, tolerance=tolerance)
    return net


def test_a_pruned_model_goes_round_with_its_names_and_edges(model, tmp_path):
    module = pruned(model.make()).eval()
    net = round_trip(module, model, tmp_path / "m.rx.h5", EXACT)
    state = module.state_dict()
    assert tuple(layer.name for layer in net.layers) == model.layers
    for layer in net.layers:
        mask = state[f"{layer.name}_mask"].flatten(1).numpy()
        np.testing.assert_array_equal(layer.pattern.to_scipy().toarray().T, mask)
    assert "losses" not in net.metadata.provenance[-1]


@pytest.mark.parametrize("dtype", ROUNDED, ids=str)
def test_a_model_of_halves_goes_round_to_their_precision(model, dtype, tmp_path):
    module = pruned(model.make().to(dtype)).eval()
    net = round_trip(module, model, tmp_path / "m.rx.h5", ROUNDED[dtype])
    name = str(dtype).removeprefix("torch.")
    assert {layer.dtype.name for layer in net.layers} == {name}
    computed = "float32" if dtype == torch.bfloat16 else name
    assert model.tokens or net.inputs[0].dtype == computed
    assert net.outputs[0].dtype == computed
    if dtype != torch.bfloat16:
        return
    assert "which are float32" in net.metadata.provenance[-1]["losses"][0]
    twin = model.make().eval()  # computes the same weights in float32, as the file does
    twin.load_state_dict(finished(module))
    x = torch.from_numpy(fed(model.samples(3, dtype)))
    with rx.Session(net, device="cpu", threads=1) as session:
        check(session.run(x.numpy()), expected_of(twin, x), tolerance=EXACT)


def finished(module):
    """Return a module's state with its masks applied, as after `prune.remove`."""
    state = module.state_dict()
    masks = {k.removesuffix("_mask"): state.pop(k) for k in list(state) if k.endswith("_mask")}
    for name, mask in masks.items():
        state[name] = state.pop(f"{name}_orig") * mask
    return state


@pytest.mark.filterwarnings("ignore")  # of torch's exporter, called as users call it
def test_what_torch_exports_comes_in(model, tmp_path):
    module = model.make()
    module.load_state_dict(finished(pruned(model.make())))
    module.eval()
    samples = [model.samples(batch) for batch in BATCHES]
    torch.onnx.export(
        module, (samples[1],), tmp_path / "m.onnx", dynamo=True, external_data=False,
        dynamic_shapes=({0: "batch"},), verbose=False,
    )  # fmt: skip
    net = rx.from_onnx(tmp_path / "m.onnx")
    assert sum(layer.pattern.nnz for layer in net.layers) == sum(
        int(value.count_nonzero())
        for name, value in module.state_dict().items()
        if name in model.layers
    )
    original = ort.InferenceSession(tmp_path / "m.onnx", providers=PROVIDERS)
    with rx.Session(net, device="cpu", threads=1) as session:
        for x in samples:
            found = session.run(fed(x))
            check(found, expected_of(module, x), tolerance=EXACT)
            check(found, original.run(None, {net.inputs[0].name: fed(x)})[0], tolerance=EXACT)


def test_lenet_300_100_with_radix_masks_keeps_their_topology(tmp_path):
    topology = rx.generate("radix-net", fit=[784, 300, 100, 10], density=0.1)
    model = MODELS["lenet-300-100"]
    module = model.make().eval()
    linear = [part for part in module if isinstance(part, nn.Linear)]
    for part, layer in zip(linear, topology.layers, strict=True):
        mask = torch.from_numpy(layer.pattern.to_scipy().toarray().T)
        prune.custom_from_mask(part, "weight", mask)
    net = round_trip(module, model, tmp_path / "m.rx.h5", EXACT)
    assert digests(net).topology == digests(topology).topology
