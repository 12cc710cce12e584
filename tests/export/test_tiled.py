"""Deep networks of large batches run in tiles inside the model, whoever runs it."""

import dataclasses

import numpy as np
import onnxruntime as ort
import pytest
from onnx.checker import check_model
from onnx.reference import ReferenceEvaluator

import radixfmt as rx
from radixfmt.backends.binding import fitting_tile
from radixfmt.backends.parity import check
from radixfmt.backends.scipy import reference
from radixfmt.export import export, to_onnx

ROWS = 128
"""Of a tile of 1024 neurons."""


@pytest.fixture(scope="module")
def network():
    systems = [[2] * 6] * 4
    return rx.generate("radix-net", systems=systems, widths=[16] * 25, weights="he", bias=0.1)


def ops(model):
    return [node.op_type for node in model.graph.node]


def metadata(model):
    return {p.key: p.value for p in model.metadata_props}


def samples(rows):
    return np.random.default_rng(rows).standard_normal((rows, 1024)).astype(np.float32)


def run(model, x):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def test_every_number_of_rows_comes_back(network):
    model = to_onnx(network)
    assert "Scan" in ops(model)
    check_model(model, full_check=True)
    for rows in (0, 1, 2, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS - 1, 3 * ROWS, 700):
        x = samples(rows)
        found = run(model, x)
        assert found.shape == (rows, 1024)
        if rows:
            check(found, reference(network, x))


@pytest.mark.parametrize("batch", [4 * ROWS, 4 * ROWS - 1])
def test_a_fixed_batch(network, batch):
    model = to_onnx(network, batch=batch)
    assert ("Pad" in ops(model)) == bool(batch % ROWS)
    assert ops(model).count("Scan") == 1
    check(run(model, samples(batch)), reference(network, samples(batch)))


def test_an_open_batch_of_wide_layers_is_planned_for_its_tiles():
    systems = [[2] * 8] * 3
    wide = rx.generate("radix-net", systems=systems, widths=[16] * 25, weights="he")
    left_open, fixed = (export(wide, batch=batch) for batch in (None, 4096))
    assert {"radixfmt.tile": "32"}.items() <= metadata(left_open.model).items()
    # of 128 rows at a time, tiles half as many and half as full would be cheaper
    assert "fill 1.00" in left_open.layers[1].why
    assert left_open.layers == fixed.layers


def held(model):
    """Return how many values of each sample the tiles of a model hold."""
    (scan,) = (node for node in model.graph.node if node.op_type == "Scan")
    (body,) = (attribute.g for attribute in scan.attribute if attribute.name == "body")
    return body.input[0].type.tensor_type.shape.dim[1].dim_value


def test_samples_grow_longer_only_where_neurons_are_picked_by_number(network):
    relu = rx.Node("Relu", (network.inputs[0].name,), ("positive",))
    first = dataclasses.replace(network.graph[0], inputs=("positive",))
    graph = (relu, first, *network.graph[1:])
    after_relu = dataclasses.replace(network, graph=graph)
    blocks = rx.generate("block-sparse", widths=[1024] * 17, block=16, degree=2, weights="he")
    narrow = rx.generate(
        "random-regular", widths=[1000] * 25, degree=32, weights="he", activation="relu"
    )
    x = np.random.default_rng(0).standard_normal((ROWS + 3, 1024)).astype(np.float32)
    for net, values in ((network, 1040), (after_relu, 1024), (blocks, 1024), (narrow, 1000)):
        model = to_onnx(net)
        assert held(model) == values
        check(run(model, x[:, :values]), reference(net, x[:, :values]))


def test_a_session_leaves_tiles_to_the_model(network):
    model = to_onnx(network)
    assert metadata(model)["radixfmt.tile"] == str(ROWS)
    x = samples(5 * ROWS + 1)
    called = []
    for threads in (1, 2):
        session = rx.Session(model, device="cpu", threads=threads)
        feed = session._feed
        session._feed = lambda feeds, feed=feed: called.append(len(feeds["x"])) or feed(feeds)
        check(session.run(x), reference(network, x))
    assert called[0] == len(x)
    assert len(called) == 3, "one piece for each thread"


@pytest.mark.parametrize(("width", "rows"), [(1024, 4096), (16384, 1024), (10**6, 32)])
def test_what_a_tiled_model_copies_is_bounded(width, rows):
    assert fitting_tile("cpu", width, {"radixfmt.tile": "32"}) == rows


def test_rows_that_depend_on_each_other_stay_together(network):
    softmax = rx.Node("Softmax", network.graph[-1].outputs, ("shares",), {"axis": 0})
    (y,) = network.outputs
    mixed = rx.Network(
        network.layers,
        (*network.graph, softmax),
        network.inputs,
        (rx.Value("shares", y.shape),),
        network.tensors,
    )
    model = to_onnx(mixed, batch=4 * ROWS)
    assert "Scan" not in ops(model)
    np.testing.assert_allclose(run(model, samples(4 * ROWS)).sum(0), 1, rtol=1e-4)


def test_other_runtimes(network, openvino):
    model = to_onnx(network)
    x = samples(ROWS + 9)
    check(ReferenceEvaluator(model).run(None, {"x": x})[0], reference(network, x))
    check(openvino(model, x), reference(network, x))


def test_no_tiles_where_they_would_not_pay(network):
    few = rx.chain(list(network.layers)[:2], activation="Relu")
    for model in (
        to_onnx(few),  # two layers gain less at many rows than they lose at one
        to_onnx(network, batch=ROWS),
        to_onnx(network, target="cuda"),
        to_onnx(network, layout="feature-major"),
        to_onnx(network, lowering="native"),  # its operators cut batches themselves
    ):
        assert "Scan" not in ops(model)


def test_layers_are_found_inside(network):
    (scan,) = (node for node in to_onnx(network).graph.node if node.op_type == "Scan")
    (body,) = (attribute.g for attribute in scan.attribute if attribute.name == "body")
    names = {node.name.split("/")[0] for node in body.node}
    assert {layer.name for layer in network.layers} <= names


def test_bfloat16_ends_become_float32_inside_too(network):
    first, last = (
        rx.Value(value.name, value.shape, "bfloat16")
        for value in (*network.inputs, *network.outputs)
    )
    model = to_onnx(rx.Network(network.layers, network.graph, (first,), (last,), network.tensors))
    assert "Scan" in ops(model)
    check(run(model, samples(5)), reference(network, samples(5)))
