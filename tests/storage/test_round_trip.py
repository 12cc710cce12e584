"""What is written is what is read, whatever the network."""

from __future__ import annotations

import json
from itertools import pairwise

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import radixfmt as rx
from radixfmt.errors import PathError, TargetExistsError, UnsupportedError
from radixfmt.model.digest import digests

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8"]


@st.composite
def networks(draw):
    sizes = draw(st.lists(st.integers(1, 8), min_size=2, max_size=4))
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        matrix = draw(hnp.arrays(bool, (n_in, n_out)))
        pattern = rx.Pattern.from_scipy(sp.csc_array(matrix))
        dtype = draw(st.sampled_from(DTYPES))
        elements = hnp.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False)
        length = draw(st.sampled_from([pattern.nnz, 1, None]))
        weights = None if length is None else draw(hnp.arrays(dtype, length, elements=elements))
        width = draw(st.sampled_from([n_out, 1, None]))
        bias = None if width is None else draw(hnp.arrays("float32", width, elements=st.just(2)))
        layers.append(rx.Layer(f"layer {i}", pattern, weights, bias))
    return rx.chain(layers, activation=draw(st.sampled_from([None, "Relu"])))


@given(networks(), st.sampled_from(["procedural", "explicit"]))
def test_any_chain_comes_back(tmp_path_factory, network, storage):
    path = tmp_path_factory.mktemp("x") / "net.rx.h5"
    content = rx.write(path, network, storage=storage)
    assert rx.validate(path).ok
    with rx.open(path) as lazy:
        assert digests(lazy) == digests(network)
        assert digests(lazy).content == content
    back = rx.read(path)
    for a, b in zip(network.layers, back.layers, strict=True):
        assert a.name == b.name
        assert (a.pattern.indices == b.pattern.indices).all()
        assert (a.pattern.indptr == b.pattern.indptr).all()
        assert (a.weights is None) == (b.weights is None)
        if a.weights is not None:
            assert a.weights.dtype == b.weights.dtype
            assert a.weights.tolist() == b.weights.tolist()
    assert back.graph == network.graph


def test_a_graph_with_a_skip_attributes_and_tensors_comes_back(tmp_path):
    first, second = rx.generate("radix-net", systems=[[2, 2]], weights="he").layers
    network = rx.Network(
        [first, second],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("LeakyRelu", ("a",), ("b",), {"alpha": 0.125}),
            rx.Node("SparseLinear", ("b",), ("c",), layer=1),
            rx.Node("Concat", ("b", "c"), ("d",), {"axis": 1}),
            rx.Node("Clip", ("d", "", "high"), ("y",)),
        ),
        (rx.Value("x", ("B", 4)),),
        (rx.Value("y", ("B", 8)),),
        {"high": np.array(6, np.float32)},
        rx.Metadata(name="é", license="Apache-2.0", authors=({"name": "A. Author"},)),
    )
    rx.write(tmp_path / "net.rx.h5", network)
    back = rx.read(tmp_path / "net.rx.h5")
    assert back.graph == network.graph
    assert back.graph[1].attributes["alpha"] == 0.125
    assert isinstance(back.graph[3].attributes["axis"], int)
    assert (back.inputs, back.outputs) == (network.inputs, network.outputs)
    assert back.tensors["high"].tolist() == 6
    assert back.metadata == network.metadata
    assert digests(back) == digests(network)


def test_a_conv_layer_keeps_its_geometry(tmp_path):
    geometry = rx.ConvGeometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))
    pattern = rx.Pattern.from_scipy(sp.eye_array(18, 5, format="csc"))
    layer = rx.Layer("conv", pattern, np.ones(5, np.float32), kind="conv", geometry=geometry)
    network = rx.Network(
        [layer],
        (rx.Node("SparseConv", ("x",), ("y",), layer=0),),
        (rx.Value("x", ("B", 2, 8, 8)),),
        (rx.Value("y", ("B", 5, 8, 8)),),
    )
    rx.write(tmp_path / "net.rx.h5", network)
    assert rx.validate(tmp_path / "net.rx.h5").ok
    assert rx.read(tmp_path / "net.rx.h5").layers[0].geometry == geometry


def test_reading_ten_columns_reads_no_more_than_their_part(tmp_path, monkeypatch):
    network = rx.generate("graph-challenge", neurons=1024, layers=3)
    network = rx.generate("graph-challenge", neurons=1024, layers=3, weights="he")
    rx.write(tmp_path / "net.rx.h5", network, storage="explicit")
    from radixfmt.storage.guard import GuardedArray

    asked = []
    original = GuardedArray.__getitem__

    def watched(self, key):
        asked.append((self.path, key))
        return original(self, key)

    monkeypatch.setattr(GuardedArray, "__getitem__", watched)
    with rx.open(tmp_path / "net.rx.h5") as net:
        assert not [path for path, _ in asked if "indices" in path or "values" in path]
        columns, weights = net.layers[1].columns(5, 15)
    assert ("/layers/000001/indices_1", slice(160, 480)) in asked
    assert ("/layers/000001/values", slice(160, 480)) in asked
    expected = network.layers[1].columns(5, 15)
    assert columns.indices.tolist() == expected.columns.indices.tolist()
    assert weights.tolist() == expected.weights.tolist()


def test_same_network_same_bytes(tmp_path, small):
    for name in "ab":
        rx.write(tmp_path / name, small)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_replaced_unless_asked(tmp_path, small):
    path = tmp_path / "net.rx.h5"
    path.write_text("precious")
    with pytest.raises(TargetExistsError, match="exists already"):
        rx.write(path, small)
    assert path.read_text() == "precious"
    rx.write(path, small, overwrite=True)
    assert rx.validate(path).ok


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, small):
    path = tmp_path / "net.rx.h5"
    rx.write(path, small)
    before = path.read_bytes()
    odd = rx.Layer("odd", small.layers[3].pattern, np.ones(36, np.complex64))
    with pytest.raises(UnsupportedError, match="complex64"):
        rx.write(path, rx.chain([*small.layers[:3], odd]), overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.rx.h5"]


def test_a_missing_folder_and_a_folder_are_named(tmp_path, small):
    with pytest.raises(PathError, match="folder does not exist"):
        rx.write(tmp_path / "no" / "net.rx.h5", small)
    with pytest.raises(PathError, match="got a folder"):
        rx.write(tmp_path, small)


def test_explicit_layers_are_binsparse_containers(tmp_path, small):
    rx.write(tmp_path / "net.rx.h5", small, storage="explicit")
    with h5py.File(tmp_path / "net.rx.h5") as file:
        group = file["layers/000001"]
        described = json.loads(group.attrs["binsparse"])["binsparse"]
        matrix = sp.csc_array(
            (group["values"][:], group["indices_1"][:], group["pointers_to_1"][:]),
            shape=described["shape"],
        )
    assert described["format"] == "CSC"
    assert described["number_of_stored_values"] == matrix.nnz
    layer = small.layers[1]
    assert (matrix != layer.pattern.to_scipy(layer.weights)).nnz == 0


def test_the_published_network_is_small_as_a_record(tmp_path):
    network = rx.generate("graph-challenge", neurons=1024, layers=120)
    rx.write(tmp_path / "gc.rx.h5", network)
    assert (tmp_path / "gc.rx.h5").stat().st_size < 240_000


def test_layers_may_be_asked_for_again_and_again(tmp_path, small):
    rx.write(tmp_path / "net.rx.h5", small, storage="explicit")
    with rx.open(tmp_path / "net.rx.h5") as network:
        for _ in range(3000):
            assert network.layers[0].pattern.nnz == 24


def test_a_layer_too_large_to_write_out_is_refused_at_once(tmp_path):
    network = rx.generate("radix-net", systems=[[64] * 6])
    with pytest.raises(UnsupportedError, match="4398046511104 edges") as caught:
        rx.write(tmp_path / "net.rx.h5", network, storage="explicit")
    assert "procedural" in caught.value.hint
    rx.write(tmp_path / "net.rx.h5", network)
    with pytest.raises(UnsupportedError, match="edges"):
        rx.convert(tmp_path / "net.rx.h5", tmp_path / "tsv", target_format="graph-challenge")
    with rx.open(tmp_path / "net.rx.h5") as stored, pytest.raises(UnsupportedError, match="whole"):
        stored.layers[0].pattern.indices  # noqa: B018
    assert [p.name for p in tmp_path.iterdir()] == ["net.rx.h5"]
