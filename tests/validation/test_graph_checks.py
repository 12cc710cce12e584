"""What the checks say of graphs: wiring, operators, sizes that do not meet (numbers: bad files)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from file_edits import edit_json

import radixfmt as rx

CONV = rx.ConvGeometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))


def node(i, **changes):
    return lambda f: edit_json(f, "manifest", lambda v: v["graph"]["nodes"][i].update(changes))


def graph(change):
    return lambda f: edit_json(f, "manifest", lambda v: change(v["graph"]))


def transposed(f):
    """Rewrite layer 0, 6 x 12, as its transpose, consistently."""
    group = f["/layers/000000"]
    matrix = sp.csc_array(
        (group["values"][:], group["indices_1"][:], group["pointers_to_1"][:].astype(int)),
        shape=(6, 12),
    ).T.tocsc()
    for name in ("pointers_to_1", "indices_1"):
        dtype = group[name].dtype
        del group[name]
        array = matrix.indptr if name == "pointers_to_1" else matrix.indices
        group[name] = array.astype(dtype)
    del group["bias"]
    group["bias"] = np.zeros(6, np.float32)
    edit_json(
        group,
        "layer",
        lambda v: v.update(shape=[12, 6], bias={"dtype": "float32", "length": 6}),
    )


def test_sizes_that_a_few_nodes_could_multiply_without_end_are_not_followed():
    nodes, last = [], "x"
    for i in range(200):
        nodes += [
            rx.Node("Flatten", (last,), (f"f{i}",), {"axis": 2}),
            rx.Node("Transpose", (f"f{i}",), (f"t{i}",)),
            rx.Node("Add", (f"f{i}", f"t{i}"), (f"a{i}",)),
        ]
        last = f"a{i}"
    eye = rx.Pattern.from_scipy(sp.eye_array(3, format="csc"))
    nodes.append(rx.Node("SparseLinear", ("y",), ("z",), layer=0))
    inputs = (rx.Value("x", (3, 3)), rx.Value("y", (1, 3)))
    outputs = (rx.Value(last, ("p", "q")), rx.Value("z", (1, 3)))
    rx.Network((rx.Layer("w", eye),), tuple(nodes), inputs, outputs)  # returns at all


def add_input(v):
    v["inputs"].append({"name": "u", "dtype": "float32", "shape": ["B", 3]})


def skip(v):
    v["nodes"].append({"op": "Add", "inputs": ["y", "x"], "outputs": ["end"]})
    v["outputs"] = [{"name": "end", "dtype": "float32", "shape": ["B", "N"]}]


def no_chain(change):
    def both(f):
        edit_json(f, "manifest", lambda v: v.pop("profile"))
        change(f)

    return both


GRAPHS = {
    "90-transposed": (transposed, "RX6005", "/graph/nodes/0"),
    "97-cycle": (node(0, inputs=["y"]), "RX6001", "/graph/nodes"),
    "98-lambda": (node(1, op="lambda"), "RX6002", "/graph/nodes/1/op"),
    "98-control-flow": (node(1, op="Loop"), "RX6002", "/graph/nodes/1/op"),
    "98-deprecated": (node(1, op="Upsample"), "RX6002", "/graph/nodes/1/op"),
    "99-missing-tensor": (node(2, inputs=["nobody"]), "RX6003", "/graph/nodes/2"),
    "100-two-producers": (node(2, outputs=["x"]), "RX6004", "/graph/nodes/2"),
    "101-other-size": (
        graph(lambda v: v["inputs"][0].update(shape=["B", 1024])), "RX6005", "/graph/nodes/0",
    ),
    "102-unused-layer": (node(2, layer=0), "RX6006", None),
    "103-island": (graph(add_input), "RX6007", "/graph/inputs/1"),
    "104-unknown-attribute": (
        node(1, attributes={"max": {"int": -1}}), "RX6008", "/graph/nodes/1/attributes/max",
    ),
    "104-attribute-of-another-type": (
        node(1, attributes={"alpha": {"int": 1}}), "RX6008", "/graph/nodes/1/attributes/alpha",
    ),
    "104-attribute-missing": (
        node(1, op="Cast", attributes={}), "RX6008", "/graph/nodes/1/attributes/to",
    ),
    "104-too-few-inputs": (node(1, op="Add", attributes={}), "RX6008", "/graph/nodes/1/inputs"),
    "104-input-left-out": (
        no_chain(node(1, op="Clip", inputs=["", "z0"], attributes={})),
        "RX6008", "/graph/nodes/1/inputs/0",
    ),
    "104-sparse-with-attributes": (
        node(0, attributes={"alpha": {"int": 1}}), "RX6008", "/graph/nodes/0/attributes",
    ),
    "105-skip-edge-in-chain": (graph(skip), "RX6009", "/graph/nodes/8/inputs"),
}  # fmt: skip


@pytest.mark.parametrize("case", GRAPHS)
def test_graphs(case, edited):
    change, code, pointer = GRAPHS[case]
    found = edited(change)
    assert code in found, found
    assert found[code].pointer == pointer


def test_106_a_convolution_that_yields_nothing(tmp_path, edited):
    pattern = rx.Pattern.from_scipy(sp.eye_array(18, 5, format="csc"))
    layer = rx.Layer("c", pattern, np.ones(5, np.float32), kind="conv", geometry=CONV)
    network = rx.Network(
        [layer],
        (rx.Node("SparseConv", ("x",), ("y",), layer=0),),
        (rx.Value("x", ("B", 2, 2, 2)),),
        (rx.Value("y", ("B", 5, 2, 2)),),
    )
    rx.write(tmp_path / "net.rx.h5", network)
    geometry = {"kernel_shape": [3, 3], "strides": [1, 1], "dilations": [1, 1], "group": 1}

    def pad(*pads):
        return lambda f: edit_json(
            f["/layers/000000"], "layer", lambda v: v.update(geometry=geometry | {"pads": pads})
        )

    assert "RX6011" in edited(pad(0, 0, 0, 0), tmp_path / "net.rx.h5")
    assert "RX6005" in edited(pad(2, 1, 1, 1), tmp_path / "net.rx.h5")


def test_without_onnx_the_report_says_what_was_not_checked(good, monkeypatch, edited):
    monkeypatch.setitem(sys.modules, "onnx", None)
    report = rx.validate(good)
    assert report.ok
    assert [skipped.check for skipped in report.skipped] == ["operators"]
    assert "RX6002" in edited(GRAPHS["98-control-flow"][0])


def test_a_graph_of_our_operators_alone_needs_no_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    edges = rx.Pattern.from_scipy(sp.eye_array(2, format="csc"))
    rx.write(tmp_path / "net.rx.h5", rx.chain([rx.Layer("w", edges)]))
    report = rx.validate(tmp_path / "net.rx.h5")
    assert report.ok
    assert report.skipped == ()
