"""Convolutions of every geometry, exported and run, against what torch computes."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_graphs import close, conv, linear, network, run, sparse
from torch.nn import functional as F  # noqa: N812  its usual name

import radixfmt as rx
from radixfmt.backends.evaluator import evaluate
from radixfmt.backends.ort import Session
from radixfmt.export import export


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))
    group = draw(st.sampled_from([1, 2, 3]))
    each = st.integers(1, 3)
    sizes = draw(st.lists(st.integers(5, 7), min_size=rank, max_size=rank))
    return {
        "group": group,
        "channels": group * draw(st.integers(1, 2)),
        "outputs": group * draw(st.integers(1, 2)),
        "kernel": draw(st.lists(each, min_size=rank, max_size=rank)),
        "strides": draw(st.lists(each, min_size=rank, max_size=rank)),
        "dilations": draw(st.lists(st.integers(1, 2), min_size=rank, max_size=rank)),
        "pads": draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank)),
        "sizes": sizes,
        "bias": draw(st.booleans()),
        "batch": draw(st.sampled_from([1, 5])),
    }


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_convolutions_of_every_geometry(case):
    rank, channels = len(case["kernel"]), case["channels"]
    weight = sparse((case["outputs"], channels // case["group"], *case["kernel"]))
    weight.flat[0] = 1
    bias = np.arange(case["outputs"], dtype=np.float32) if case["bias"] else None
    moves = {name: tuple(case[name]) for name in ("strides", "pads", "dilations")}
    layer = conv("stem", weight, bias, **moves, group=case["group"])
    open_sizes = [f"D{i}" for i in range(rank)]
    net = network(
        [layer],
        [rx.Node("SparseConv", ("x",), ("y",), layer=0)],
        [("x", ("B", channels, *open_sizes))],
        [("y", ("B", case["outputs"], *(f"E{i}" for i in range(rank))))],
    )
    x = np.random.default_rng(1).standard_normal((case["batch"], channels, *case["sizes"]))
    x = x.astype(np.float32)
    before, after = case["pads"][:rank], case["pads"][rank:]
    around = [n for pair in zip(before[::-1], after[::-1], strict=True) for n in pair]
    wanted = (F.conv1d, F.conv2d, F.conv3d)[rank - 1](
        F.pad(torch.from_numpy(x), around),
        torch.from_numpy(weight),
        None if bias is None else torch.from_numpy(bias),
        stride=case["strides"],
        dilation=case["dilations"],
        groups=case["group"],
    )
    with Session(net, device="cpu", threads=1) as session:
        close(session.run(x), wanted)
    close(evaluate(net, {"x": x})["y"], wanted)


def test_convolution_says_that_it_is_dense():
    weight = sparse((4, 2, 3, 3))
    layer = conv("stem", weight, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1))
    net = network(
        [layer],
        [rx.Node("SparseConv", ("x",), ("y",), layer=0)],
        [("x", ("B", 2, 8, 8))],
        [("y", ("B", 4, 8, 8))],
    )
    for name in ("auto", "blocked"):
        (choice,) = export(net, lowering=name).layers
        assert choice.lowering == "dense"
        assert "scattered into a dense Conv" in choice.why


def test_residual_convolutional_net():
    """Depthwise and pointwise convolutions, batch norm, a skip, pooling, a dense node, a head."""
    depthwise = conv(
        "deep", sparse((4, 1, 3, 3), 1), np.ones(4, np.float32),
        strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), group=4,
    )  # fmt: skip
    pointwise = conv(
        "point", sparse((4, 4, 1, 1), 2), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)
    )
    head = linear("head", sparse((36, 3), 3), np.zeros(1, np.float32))
    rng = np.random.default_rng(4)
    norm = {name: rng.random(4).astype(np.float32) + 0.5 for name in ("s", "b", "m", "v")}
    dense = rng.standard_normal((5, 4, 1, 1)).astype(np.float32)
    net = network(
        [depthwise, pointwise, head],
        [
            rx.Node("SparseConv", ("x",), ("a",), layer=0),
            rx.Node("BatchNormalization", ("a", "s", "b", "m", "v"), ("n",), {"epsilon": 1e-3}),
            rx.Node("Relu", ("n",), ("r",)),
            rx.Node("SparseConv", ("r",), ("c",), layer=1),
            rx.Node("Add", ("c", "x"), ("d",)),
            rx.Node("Conv", ("d", "dense"), ("e",)),
            rx.Node("Concat", ("d", "e"), ("f",), {"axis": 1}),
            rx.Node("MaxPool", ("f",), ("p",), {"kernel_shape": (4, 4), "strides": (4, 4)}),
            rx.Node("Flatten", ("p",), ("g",)),
            rx.Node("SparseLinear", ("g",), ("y",), layer=2),
        ],
        [("x", ("B", 4, 8, 8))],
        [("y", ("B", 3)), ("d", ("B", 4, 8, 8))],
        {**norm, "dense": dense},
    )
    for batch in (1, 5):
        x = rng.standard_normal((batch, 4, 8, 8)).astype(np.float32)
        t = {name: torch.from_numpy(array) for name, array in (*norm.items(), ("x", x))}
        a = F.conv2d(t["x"], torch.from_numpy(sparse((4, 1, 3, 3), 1)), padding=1, groups=4) + 1
        r = F.relu(F.batch_norm(a, t["m"], t["v"], t["s"], t["b"], eps=1e-3))
        d = F.conv2d(r, torch.from_numpy(sparse((4, 4, 1, 1), 2))) + t["x"]
        f = torch.cat([d, F.conv2d(d, torch.from_numpy(dense))], 1)
        y = F.max_pool2d(f, 4).flatten(1) @ torch.from_numpy(sparse((36, 3), 3))
        found = run(net, x)
        close(found[0], y)
        close(found[1], d)
