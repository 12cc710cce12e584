"""Graphs that do not hold together, each with its code and place."""

from __future__ import annotations

import pytest

from radixfmt.model.graph import Node, Value
from radixfmt.model.wiring import problems

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
