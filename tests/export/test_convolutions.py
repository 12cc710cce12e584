"""Every form of a sparse convolution agrees with the reference, and the right one is taken."""

import numpy as np
import onnxruntime
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.checker import check_model
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn.utils import prune

import radixfmt as rx
from radixfmt.backends.evaluator import evaluate
from radixfmt.backends.layer_products import apply
from radixfmt.export import apart, export
from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.choice import choose

KINDS = ("random", "channels", "filters", "taps", "groups of channels", "blocks", "one", "none")


def conv(weight, mask, bias=None, **geometry):
    """Return the layer of a weight `[C_out, C_in / group, …]` at the cells of `mask`."""
    flat = mask.reshape(mask.shape[0], -1)
    pattern = rx.Pattern.from_scipy(sp.csc_array(flat.T))
    moves = {"strides": 1, "pads": 0, "dilations": 1}
    rank = weight.ndim - 2
    for name, least in moves.items():
        geometry.setdefault(name, (least,) * (rank * (1 + (name == "pads"))))
    shape = rx.ConvGeometry(weight.shape[2:], **geometry)
    values = weight.reshape(flat.shape)[flat]
    return rx.Layer("stem", pattern, values, bias, kind="conv", geometry=shape)


def masked(kind, shape, rng):
    """Return where a weight of `shape` has edges."""
    mask = np.ones(shape, bool)
    if kind == "random":
        mask = rng.random(shape) < 0.3
    elif kind == "channels":
        mask[:, rng.random(shape[1]) < 0.5] = False
    elif kind == "filters":
        mask[rng.random(shape[0]) < 0.5] = False
        mask &= rng.random(shape) < 0.8
    elif kind == "taps":
        for axis in range(2, len(shape)):
            dropped = rng.random(shape[axis]) < 0.5
            mask[(slice(None),) * axis + (dropped,)] = False
    elif kind == "groups of channels":
        mask[: shape[0] // 2, : shape[1] // 2] = False
        mask[shape[0] // 2 :, shape[1] // 2 :] = False
    elif kind == "blocks":
        pairs = rng.integers(0, 3, shape[0])[:, None] == rng.integers(0, 3, shape[1])
        mask[~pairs] = False
    elif kind == "one":
        mask[:] = False
        mask.flat[rng.integers(mask.size)] = True
    elif kind == "none":
        mask[:] = False
    return mask


@st.composite
def cases(draw):
    """Return a layer and an input that its kernel fits into."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rank = draw(st.integers(1, 3))
    each = draw(st.sampled_from([st.integers(1, 3), st.sampled_from([3, 5])]))
    group = draw(st.sampled_from([1, 1, 2, 4]))
    most = 24 if rank == 1 else 9  # more than 16, for the channels that come in fours
    shape = (
        group * draw(st.integers(1, most)),
        draw(st.integers(1, most)),
        *draw(st.lists(each, min_size=rank, max_size=rank)),
    )
    bias = draw(st.sampled_from([None, "one", "many"]))
    bias = rng.standard_normal(shape[0]).astype(np.float32) if bias == "many" else bias and 0.25
    layer = conv(
        rng.standard_normal(shape).astype(np.float32),
        masked(draw(st.sampled_from(KINDS)), shape, rng),
        bias,
        group=group,
        strides=tuple(draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))),
        dilations=tuple(draw(st.lists(st.integers(1, 2), min_size=rank, max_size=rank))),
        pads=tuple(draw(st.lists(st.integers(0, 3), min_size=2 * rank, max_size=2 * rank))),
    )
    sizes = [9 + draw(st.integers(0, 2)) for _ in range(rank)]
    x = rng.standard_normal((draw(st.integers(1, 3)), group * shape[1], *sizes))
    return layer, x.astype(np.float32)


def network(layer, *sizes):
    geometry = layer.geometry
    cells = int(np.prod(geometry.kernel_shape))
    channels = layer.pattern.shape[0] // cells * geometry.group
    rank = len(geometry.kernel_shape)
    return rx.Network(
        [layer],
        (rx.Node("SparseConv", ("x",), ("y",), layer=0),),
        (rx.Value("x", ("B", channels, *(sizes or [f"D{i}" for i in range(rank)])), "float32"),),
        (rx.Value("y", ("B", layer.pattern.shape[1], *(f"E{i}" for i in range(rank))), "float32"),),
    )


def forced(net, name, target="cpu"):
    """Return the export in which every convolution has one form, as far as it can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "choose", lambda *given, **_: choose(*given[:-1], name))
        return export(net, target=target)


def built(layer, name, x, target="cpu"):
    """Return the checked model of one form, or None where that form has nothing to offer."""
    made = forced(network(layer, *x.shape[2:]), name, target)
    if made.layers[0].lowering != name:
        assert f"no {name} form" in made.layers[0].why
        return None
    check_model(made.model, full_check=True)
    return made.model


def stock(model):
    """Return a session with the options that everybody has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@settings(max_examples=300, deadline=None)
@given(cases())
def test_every_form_agrees_with_the_reference(case):
    layer, x = case
    wanted = apply(layer, x.astype(np.float64))
    for name in convolution:
        model = built(layer, name, x)
        if model is not None:
            (found,) = stock(model).run(None, {"x": x})
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["channels", "filters", "taps", "blocks"])
@pytest.mark.parametrize("group", [1, 2])
def test_agrees_in_the_reference_evaluator(kind, group):
    rng = np.random.default_rng(5)
    shape = (12, 6, 3, 3)
    weight, mask = rng.standard_normal(shape).astype(np.float32), masked(kind, shape, rng)
    bias = rng.standard_normal(12).astype(np.float32)
    layer = conv(weight, mask, bias, pads=(1, 1, 1, 1), group=group)
    x = rng.standard_normal((2, 6 * group, 7, 8)).astype(np.float32)
    models = [built(layer, name, x, target="cuda") for name in convolution]
    assert any(models[1:]) or (kind, group) == ("blocks", 2)
    for model in filter(None, models):
        (found,) = ReferenceEvaluator(model).run(None, {"x": x})
        np.testing.assert_allclose(found, apply(layer, x.astype(np.float64)), atol=1e-4)


def typical():
    """Return masks `[64, 64, 3, 3]` by name, and the form that each should get."""
    rng = np.random.default_rng(0)
    shape = (64, 64, 3, 3)
    channels, filters, row, groups = (np.zeros(shape, bool) for _ in range(4))
    channels[:, rng.permutation(64)[:32]] = True
    filters[rng.permutation(64)[:16]] = True
    row[:, :, 1] = True
    members = rng.permutation(64).reshape(4, 16), rng.permutation(64).reshape(4, 16)
    for outputs, inputs in zip(*members, strict=True):
        groups[np.ix_(outputs, inputs)] = True
    return {
        "channels": (channels, "trimmed"),
        "filters": (filters, "trimmed"),
        "row": (row, "trimmed"),
        "groups": (groups, "grouped"),
        "unstructured": (rng.random(shape) < 0.1, "dense"),
        "full": (np.ones(shape, bool), "dense"),
    }


@pytest.mark.parametrize("name", typical())
@pytest.mark.parametrize("sizes", [(32, 32), ()])
def test_auto_takes_the_form_that_fits(name, sizes):
    mask, wanted = typical()[name]
    layer = conv(np.ones(mask.shape, np.float32), mask, pads=(1, 1, 1, 1))
    made = export(network(layer, *sizes))
    assert made.layers[0].lowering == wanted
    if wanted == "dense":
        assert [node.op_type for node in made.model.graph.node] == ["Conv"]
    else:
        assert "fewer multiplications than dense" in made.layers[0].why
        assert "dense would take" in made.layers[0].why


def test_a_depthwise_convolution_stays_one():
    layer = conv(
        np.ones((64, 1, 3, 3), np.float32), np.ones((64, 1, 3, 3), bool), pads=(1,) * 4, group=64
    )
    (node,) = export(network(layer, 32, 32)).model.graph.node
    assert {a.name: a.i for a in node.attribute}["group"] == 64


def test_a_row_of_taps_needs_no_other_node():
    mask = np.zeros((8, 8, 3, 5), bool)
    mask[:, :, 1, ::2] = True
    layer = conv(np.ones(mask.shape, np.float32), mask, pads=(1, 2, 1, 2))
    (node,) = export(network(layer, 32, 32)).model.graph.node
    found = {a.name: list(a.ints) for a in node.attribute}
    assert found["kernel_shape"] == [1, 3]
    assert found["pads"] == [0, 2, 0, 2]
    assert found["dilations"] == [1, 2]


def test_a_lowering_asked_for_is_taken_where_there_is_one():
    masks = typical()
    for kind, wanted, found in (
        ("groups", "blocked", "grouped"),
        ("groups", "dense", "dense"),
        ("channels", "dense", "dense"),
        ("unstructured", "blocked", "dense"),
    ):
        mask = masks[kind][0]
        layer = conv(np.ones(mask.shape, np.float32), mask, pads=(1, 1, 1, 1))
        (choice,) = export(network(layer, 32, 32), lowering=wanted).layers
        assert choice.lowering == found
        assert ("no blocked form" in choice.why) == (kind == "unstructured")


def test_cuda_gets_no_groups_unasked():
    mask, _ = typical()["groups"]
    layer = conv(np.ones(mask.shape, np.float32), mask, pads=(1, 1, 1, 1))
    (choice,) = export(network(layer, 32, 32), target="cuda").layers
    assert choice.lowering == "dense"


class LeNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip


class Block(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.first = nn.Conv2d(channels // stride, channels, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        self.short = nn.Conv2d(channels // stride, channels, 1, stride)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.norm(self.first(x)))) + self.short(x))


class ResNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 32, 3, padding=1), Block(32, 1), Block(64, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip


@pytest.mark.parametrize("make", [LeNet, ResNet])
@pytest.mark.parametrize("dim", [0, 1])
def test_a_net_pruned_by_filters_or_channels_keeps_its_outputs(make, dim):
    torch.manual_seed(0)
    net = make().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.bias)
        elif isinstance(module, nn.Conv2d) and module.weight.shape[dim] > 1:
            prune.ln_structured(module, "weight", 0.5, 2, dim)
            prune.remove(module, "weight")
    x = torch.randn(3, 1, 28, 28)
    made = rx.from_torch(net, (x,))
    feeds = {made.inputs[0].name: x.numpy()}
    (wanted,) = evaluate(made, feeds).values()
    trimmed = forced(made, "trimmed")
    assert "trimmed" in {choice.lowering for choice in trimmed.layers}
    for exported in (trimmed, export(made)):
        (found,) = stock(exported.model).run(None, feeds)
        np.testing.assert_allclose(found, net(x).detach(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
