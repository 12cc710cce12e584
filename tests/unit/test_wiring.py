"""Graphs that do not hold together, each with its code and place."""

from __future__ import annotations

import pytest

import radixfmt as rx
from radixfmt.errors import FormatError
from radixfmt.model.graph import Node, Value
from radixfmt.model.layer import ConvGeometry
from radixfmt.model.wiring import problems, profile_problems

LAYERS = [("linear", (4, 3)), ("linear", (3, 2))]
A = Node("SparseLinear", ("x",), ("a",), layer=0)
B = Node("SparseLinear", ("a",), ("y",), layer=1)
X, Y = Value("x", ("B", 4)), Value("y", ("B", 2))


def found(nodes, inputs=(X,), outputs=(Y,), tensors=()):
    return [(f.code, f.pointer) for f in problems(nodes, inputs, outputs, tensors, LAYERS)]


def test_a_sound_chain_has_no_findings_in_any_order():
    assert found([A, B]) == []
    assert found([B, A]) == []


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "expected"),
    [
        pytest.param(
            [Node("SparseLinear", ("b",), ("a",), layer=0), Node("Relu", ("a",), ("b",)), B],
            (X,), (Y,), ("RX6001", "/graph/nodes"), id="cycle",
        ),
        pytest.param([A], (X,), (Value("a", ("B", 3)),), ("RX6006", None), id="unused layer"),
        pytest.param(
            [A, Node("SparseLinear", ("q",), ("y",), layer=1)],
            (X,), (Y,), ("RX6003", "/graph/nodes/1"), id="tensor never made",
        ),
        pytest.param(
            [A, B, Node("Relu", ("a",), ("y",))],
            (X,), (Y,), ("RX6004", "/graph/nodes/2"), id="tensor made twice",
        ),
        pytest.param(
            [A, B, Node("Relu", ("a",), ("z",))],
            (X,), (Y,), ("RX6007", "/graph/nodes/2"), id="island",
        ),
        pytest.param([A, B], (X, Value("u", (3,))), (Y,), ("RX6007", "/graph/inputs/1"),
                     id="unused input"),
        pytest.param([A, B], (Value("x", ("B", 5)),), (Y,), ("RX6005", "/graph/nodes/0"),
                     id="input of another size"),
        pytest.param([A, B], (X,), (Value("y", ("B", 9)),), ("RX6005", "/graph/outputs/0"),
                     id="output of another size"),
        pytest.param([A, B], (X,), (Value("w", ()),), ("RX6003", "/graph/outputs/0"),
                     id="output never made"),
        pytest.param(
            [A, B, Node("Relu", ("y",), ("z",), layer=0)],
            (X,), (Value("z", ("B", 2)),), ("RX6008", "/graph/nodes/2/layer"),
            id="Relu with a layer",
        ),
        pytest.param(
            [A, B, Node("SparseLinear", ("y",), ("z",), layer=7)],
            (X,), (Value("z", ("B", 2)),), ("RX6003", "/graph/nodes/2/layer"), id="no such layer",
        ),
        pytest.param(
            [A, Node("SparseConv", ("a",), ("y",), layer=1)],
            (X,), (Y,), ("RX6008", "/graph/nodes/1/op"), id="operator of another kind",
        ),
        pytest.param(
            [A, Node("SparseLinear", ("a",), (), layer=1)],
            (X,), (Value("a", ("B", 3)),), ("RX6008", "/graph/nodes/1"), id="no output",
        ),
    ],
)  # fmt: skip
def test_broken_graphs(nodes, inputs, outputs, expected):
    assert expected in found(nodes, inputs, outputs)


CONV = ConvGeometry((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 2)


def sizes(nodes, shape, made, *, layers=(), geometries=None, shapes=None):
    """What a graph from `x` of `shape` to `y`, declared as `made`, breaks."""
    shapes = shapes or {}
    graph = problems(
        nodes,
        [Value("x", shape)],
        [Value("y", made)],
        shapes.keys(),
        layers,
        geometries=geometries or {},
        shapes=shapes,
    )
    return [f.code for f in graph]


def of(op, inputs=("x",), **attributes):
    return [Node(op, inputs, ("y",), attributes)]


@pytest.mark.parametrize(
    ("nodes", "shape", "made", "shapes", "sound"),
    [
        pytest.param(of("Relu"), ("B", 3, 4), ("B", 3, 4), {}, True, id="every axis is followed"),
        pytest.param(of("Relu"), ("B", 3, 4), ("B", 5, 4), {}, False, id="an inner axis"),
        pytest.param(of("Relu"), ("B", 3), ("B", 1, 3), {}, False, id="another rank"),
        pytest.param(of("Relu"), ("B", "T", 3), ("N", 7, 3), {}, True, id="symbols fit all"),
        pytest.param(of("Add", ("x", "b")), ("B", 3, 4), ("B", 3, 4), {"b": (4,)}, True,
                     id="a bias broadcasts"),
        pytest.param(of("Add", ("x", "b")), ("B", 3, 4), ("B", 3, 4), {"b": (3,)}, False,
                     id="a bias of another size"),
        pytest.param(of("Mul", ("x", "b")), ("B", 1), (2, "B", 5), {"b": (2, 1, 5)}, True,
                     id="both sides broadcast"),
        pytest.param(of("Concat", ("x", "b"), axis=-1), ("B", 3), ("B", 7), {"b": (8, 4)}, True,
                     id="concat"),
        pytest.param(of("Concat", ("x", "b"), axis=1), ("B", 3), ("B", 8), {"b": (8, 4)}, False,
                     id="concat of another sum"),
        pytest.param(of("Concat", ("x", "b"), axis=0), (2, 3), ("N", 3), {"b": (2, 4)}, False,
                     id="concat along the wrong axis"),
        pytest.param(of("Transpose", perm=(1, 0)), (2, 3), (3, 2), {}, True, id="transpose"),
        pytest.param(of("Transpose"), (2, 3, 4), (4, 2, 3), {}, False, id="transpose reversed"),
        pytest.param(of("Transpose", perm=(0, 0)), (2, 3), (9, 9), {}, True, id="no permutation"),
        pytest.param(of("Flatten"), ("B", 2, 3), ("B", 6), {}, True, id="flatten"),
        pytest.param(of("Flatten"), ("B", 2, 3), ("B", 5), {}, False, id="flatten to less"),
        pytest.param(of("MaxPool"), ("B", 2, 9, 9), ("B", 2, 4, 4), {}, True, id="pool"),
        pytest.param(of("MaxPool"), ("B", 2, 9, 9), ("B", 3, 4, 4), {}, False, id="pool channels"),
        pytest.param(of("Reshape", ("x", "b")), ("B", 6), (7, 7), {"b": (2,)}, True,
                     id="reshape is never guessed"),
    ],
)  # fmt: skip
def test_sizes_are_followed_as_far_as_they_are_certain(nodes, shape, made, shapes, sound):
    assert sizes(nodes, shape, made, shapes=shapes) == ([] if sound else ["RX6005"])


def test_what_is_behind_an_unknown_shape_is_checked_again_from_the_next_layer_on():
    nodes = [Node("Reshape", ("x", "s"), ("r",)), Node("SparseLinear", ("r",), ("y",), layer=0)]
    layers = [("linear", (4, 3))]
    assert sizes(nodes, ("B", 8), (1, 2, 3), layers=layers, shapes={"s": (3,)}) == []
    assert sizes(nodes, ("B", 8), (1, 2, 9), layers=layers, shapes={"s": (3,)}) == ["RX6005"]


@pytest.mark.parametrize(
    ("layer", "shape", "made", "geometry", "codes"),
    [
        pytest.param((18, 6), ("B", 4, 8, 7), ("B", 6, 4, 4), CONV, [], id="sound"),
        pytest.param((18, 6), ("B", 4, 8, 7), ("B", 6, 4, 3), CONV, ["RX6005"], id="spatial"),
        pytest.param((18, 6), ("B", 5, 8, 7), ("B", 6, 4, 4), CONV, ["RX6005"], id="channels"),
        pytest.param((18, 6), ("B", 4, "H", "W"), ("B", 6, "P", 9), CONV, [], id="symbols"),
        pytest.param((18, 6), ("B", 4, 8), ("B", 6, 4), CONV, ["RX6011"], id="rank"),
        pytest.param((18, 5), ("B", 4, 8, 7), ("B", 5, 4, 4), CONV, ["RX6011"], id="group"),
        pytest.param((17, 6), ("B", 4, 8, 7), ("B", 6, 4, 4), CONV, ["RX6011"], id="kernel"),
        pytest.param((18, 6), ("B", 2, 8, 2), ("B", 6, 4, 4),
                     ConvGeometry((3, 3), (1, 1), (0,) * 4, (1, 1)), ["RX6011"],
                     id="106-nothing-left"),
        pytest.param((18, 6), ("B", 9), ("B", 9), None, [], id="geometry not known"),
    ],
)  # fmt: skip
def test_convolutions(layer, shape, made, geometry, codes):
    found = sizes(
        [Node("SparseConv", ("x",), ("y",), layer=0)],
        shape,
        made,
        layers=[("conv", layer)],
        geometries={} if geometry is None else {0: geometry},
    )
    assert found == codes


def test_a_shared_layer_is_worth_saying_and_no_error(small):
    square = rx.Layer("square", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]))
    nodes = (
        Node("SparseLinear", ("x",), ("a",), layer=0),
        Node("SparseLinear", ("a",), ("y",), layer=0),
    )
    x, y = (Value("x", ("B", 2)),), (Value("y", ("B", 2)),)
    (finding,) = problems(nodes, x, y, (), [("linear", (2, 2))])
    assert (finding.code, finding.path) == ("RX6010", "/layers/000000")
    rx.Network((square,), nodes, x, y)
    with pytest.raises(FormatError, match="RX6005"):
        rx.Network((square,), nodes, (Value("x", ("B", 3)),), y)


@pytest.mark.parametrize(
    ("nodes", "outputs", "pointer"),
    [
        pytest.param([A, B], [Y], None, id="a chain"),
        pytest.param([B, A], [Y], None, id="a chain in another order"),
        pytest.param([A, Node("Add", ("a", "c"), ("y",))], [Y], None, id="with a dense tensor"),
        pytest.param([A, B], [Y, Value("a", ("B", 3))], "/graph/outputs", id="two outputs"),
        pytest.param([A, Node("Add", ("a", "x"), ("y",))], [Y], "/graph/nodes/1/inputs",
                     id="105-skip-edge"),
        pytest.param([A, Node("Relu", ("x",), ("y",))], [Y], "/graph/nodes/1/inputs/0",
                     id="two lines"),
        pytest.param([A, B, Node("Relu", ("y",), ("z",))], [Y], "/graph/outputs/0",
                     id="output on the way"),
    ],
)  # fmt: skip
def test_the_profile_chain(nodes, outputs, pointer):
    found = list(profile_problems("chain", nodes, [X], outputs))
    assert [(f.code, f.pointer) for f in found] == ([("RX6009", pointer)] if pointer else [])
    assert list(profile_problems("other", nodes, [X], outputs)) == []


def test_a_long_graph_takes_linear_time():
    count = 100_000
    nodes = [Node("Relu", (f"t{i}",), (f"t{i + 1}",)) for i in range(count)]
    outputs = [Value(f"t{count}", ("B", 4))]
    assert list(problems(nodes[::-1], [Value("t0", ("B", 4))], outputs, (), [])) == []
