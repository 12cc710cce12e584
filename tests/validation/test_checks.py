"""What each check says of a file that breaks its rule (numbers: the list of bad files)."""

from __future__ import annotations

import json
import shutil
import sys

import h5py
import ml_dtypes
import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx
from radixfmt.generators import from_record
from radixfmt.generators.permuted import permuted
from radixfmt.model.layer import Quantized
from radixfmt.validation.checks import arrays, values

LAYER = "/layers/000001"
CONV = rx.ConvGeometry((3, 3), (1, 1), (1, 1, 1, 1), (1, 1))


@pytest.fixture(scope="session")
def good(tmp_path_factory, small):
    path = tmp_path_factory.mktemp("good") / "net.rx.h5"
    rx.write(path, small, storage="explicit")
    return path


@pytest.fixture
def edited(good, tmp_path):
    """Return what `validate` finds after a change, by code."""

    def edit(change, source=good, **options):
        path = tmp_path / "edited.rx.h5"
        shutil.copy(source, path)
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            change(file)
        return by_code(rx.validate(path, **options))

    return edit


@pytest.fixture
def written(tmp_path):
    """Return what `validate` finds in a network written as it is, by code."""

    def write(network, **options):
        path = tmp_path / "written.rx.h5"
        rx.write(path, network, overwrite=True, storage="explicit")
        return by_code(rx.validate(path, **options))

    return write


def by_code(report):
    found = {}
    for finding in report.findings:
        found.setdefault(finding.code, finding)
    return found


def text(value: str):
    data = value.encode()
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))


def edit_json(owner, name, change):
    value = json.loads(owner["manifest"][()] if name == "manifest" else owner.attrs[name])
    change(value)
    if name == "manifest":
        del owner["manifest"]
        owner.create_dataset("manifest", data=text(json.dumps(value)))
    else:
        owner.attrs.create(name, text(json.dumps(value)))


def header(**changes):
    return lambda f: edit_json(f[LAYER], "layer", lambda v: v.update(changes))


def node(i, **changes):
    return lambda f: edit_json(f, "manifest", lambda v: v["graph"]["nodes"][i].update(changes))


def graph(change):
    return lambda f: edit_json(f, "manifest", lambda v: change(v["graph"]))


def metadata(**changes):
    return lambda f: edit_json(f, "manifest", lambda v: v["metadata"].update(changes))


def put(name, at, value):
    return lambda f: f[f"{LAYER}/{name}"].__setitem__(at, value)


def swap(name, make):
    """Replace a dataset by what `make` makes of its elements."""

    def change(f):
        old = f[f"{LAYER}/{name}"][:]
        del f[f"{LAYER}/{name}"]
        f[f"{LAYER}/{name}"] = make(old)

    return change


def casted(old):
    new = old.astype(np.uint32)
    new[-1] = 2**32 - 1
    return new


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


EDGES = {
    "78-first-pointer": (put("pointers_to_1", 0, 2), "RX4001", 0, None),
    "79-decreasing-pointer": (put("pointers_to_1", 4, 1), "RX4002", 4, None),
    "80-last-pointer": (put("pointers_to_1", 12, 77), "RX4003", 12, "72"),
    "81-pointer-beyond-2^63": (put("pointers_to_1", 3, 2**63 + 1), "RX4002", 4, "at least 9"),
    "82-index-out-of-range": (put("indices_1", 5, 12), "RX4004", 5, "0 <= index < 12"),
    "83-negative-index": (swap("indices_1", casted), "RX4004", 71, None),
    "84-one-based": (swap("indices_1", lambda old: old + 1), "RX4004", None, "0 <= index < 12"),
    "85-swapped": (put("indices_1", slice(0, 2), [7, 1]), "RX4005", 1, "more than 7"),
    "86-repeated-edge": (put("indices_1", slice(0, 2), [1, 1]), "RX4006", 1, None),
    "89-wrong-fan-in": (header(fan_in=[6, 7]), "RX4009", None, "[6, 6]"),
    "89-wrong-fan-out": (header(fan_out=[1, 6]), "RX4009", None, "[6, 6]"),
}


@pytest.mark.parametrize("blocks", [(1 << 20, 1 << 22), (3, 7), (2, 1)])
@pytest.mark.parametrize("case", EDGES)
def test_edges(case, blocks, edited, monkeypatch):
    """Whatever the size of the blocks: columns cut in two, one edge at a time."""
    monkeypatch.setattr(arrays, "BLOCK_POINTERS", blocks[0])
    monkeypatch.setattr(arrays, "BLOCK_EDGES", blocks[1])
    change, code, index, expected = EDGES[case]
    found = edited(change)
    assert code in found, found
    if index is not None:
        assert found[code].index == index
    if expected is not None:
        assert expected in (found[code].expected or "")
    assert found[code].path.startswith(LAYER)


def test_slips_are_named(edited):
    assert "1-based" in edited(EDGES["84-one-based"][0])["RX4004"].hint
    assert "negative" in edited(EDGES["83-negative-index"][0])["RX4004"].hint


def test_sound_files_have_no_edge_findings_in_blocks_of_any_size(good, monkeypatch):
    for pointers, edges in ((1, 1), (2, 3), (5, 4), (100, 100)):
        monkeypatch.setattr(arrays, "BLOCK_POINTERS", pointers)
        monkeypatch.setattr(arrays, "BLOCK_EDGES", edges)
        report = rx.validate(good)
        assert report.ok
        assert not [f for f in report.findings if f.code.startswith("RX4")]


def test_87_a_permutation_with_a_repeat(tmp_path, edited):
    base = from_record({"generator": "identity/1", "parameters": {"size": 5}})
    layer = rx.Layer("permuted", permuted(base, np.array([3, 1, 4, 0, 2])))
    rx.write(tmp_path / "net.rx.h5", rx.chain([layer]))
    path = "/layers/000000/in_perm"
    found = edited(lambda f: f[path].__setitem__(0, 1), tmp_path / "net.rx.h5")
    assert found["RX4007"].path == path
    found = edited(
        lambda f: (f.__delitem__(path), f.__setitem__(path, np.arange(4, dtype=np.uint32))),
        tmp_path / "net.rx.h5",
    )
    assert found["RX3012"].path == path


def stored_by_rows(f):
    """Rewrite layer 0 as CSR, as other writers may."""
    group = f["/layers/000000"]
    shape = json.loads(group.attrs["layer"])["shape"]
    matrix = sp.csc_array(
        (group["values"][:], group["indices_1"][:], group["pointers_to_1"][:].astype(int)),
        shape=shape,
    ).tocsr()
    matrix.sort_indices()
    for name, array in (
        ("pointers_to_1", matrix.indptr.astype(np.uint64)),
        ("indices_1", matrix.indices.astype(np.uint16)),
        ("values", matrix.data.astype(np.float32)),
    ):
        del group[name]
        group[name] = array
    edit_json(group, "layer", lambda v: v["pattern"].update(format="CSR"))
    edit_json(group, "binsparse", lambda v: v["binsparse"].update(format="CSR"))


@pytest.fixture
def lopsided():
    """3 inputs, of which 1 feeds nothing; 4 outputs, of which 0 and 3 have no input."""
    pattern = rx.Pattern.explicit((3, 4), [0, 0, 2, 3, 3], [0, 2, 2])
    return rx.chain([rx.Layer("lopsided", pattern, np.array([1, 2, 3], np.float32))])


@pytest.mark.parametrize("rows", [False, True], ids=["CSC", "CSR"])
@pytest.mark.parametrize("storage", [1, 1 << 20])
def test_88_neurons_without_edges(rows, storage, lopsided, tmp_path, edited, monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK_POINTERS", storage)
    path = tmp_path / "net.rx.h5"
    rx.write(path, lopsided, storage="explicit")
    with h5py.File(path, "r+") as f:
        if rows:
            stored_by_rows(f)
        edit_json(f["/layers/000000"], "layer", lambda v: v.update(fan_in=[0, 2], fan_out=[0, 2]))
    report = rx.validate(path)
    assert report.ok, report
    found = [(f.message.split()[0], f.index, f.count) for f in report.findings if "4008" in f.code]
    assert found == [("output", 0, 2), ("input", 1, 1)]
    bad = edited(
        lambda f: edit_json(f["/layers/000000"], "layer", lambda v: v.update(fan_in=[1, 2])), path
    )
    assert bad["RX4009"].pointer == "/fan_in"
    assert bad["RX4009"].expected == "[0, 2]"


def test_generated_layers_are_counted_as_far_as_the_limit_allows(tmp_path, small, edited):
    rx.write(tmp_path / "net.rx.h5", small)
    change = header(fan_in=[1, 2])
    assert "RX4009" in edited(change, tmp_path / "net.rx.h5")
    few = rx.validate(tmp_path / "edited.rx.h5", limits=rx.Limits(expand=10))
    assert "RX4009" not in by_code(few)
    assert "arrays" in {skipped.check for skipped in few.skipped}
    assert few.ok
    strict = rx.validate(
        tmp_path / "edited.rx.h5", strict=True, ignore=by_code(few), limits=rx.Limits(expand=10)
    )
    assert not strict.ok  # nothing is found, yet not all was looked at
    assert not strict.findings
    whole = rx.validate(tmp_path / "edited.rx.h5", expand=True, limits=rx.Limits(expand=10))
    assert "RX4009" in by_code(whole)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda v: v["digests"].update(foo="x"), "/digests/foo"),
        (lambda v: v["digests"].update(name="x"), "/digests/name"),
        (lambda v: v["digests"].update(scale="rx1:" + "0" * 64), "/digests/scale"),
        (lambda v: v["pattern"].update(transposed=True), "/pattern/transposed"),
    ],
)
def test_members_that_mean_nothing_are_said_and_do_no_harm(change, pointer, good, tmp_path, edited):
    found = edited(lambda f: edit_json(f[LAYER], "layer", change), good)
    assert found["RX9101"].pointer == pointer
    assert rx.validate(tmp_path / "edited.rx.h5").ok
    rx.convert(tmp_path / "edited.rx.h5", tmp_path / "copy.rx.h5")


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


def test_a_dense_pattern_is_worth_saying(written):
    full = rx.Pattern.explicit((8, 8), np.arange(0, 65, 8), np.tile(np.arange(8), 8))
    weights = np.arange(64, dtype=np.float32) + 1
    assert written(rx.chain([rx.Layer("full", full, weights)]))["RX4010"].severity == "info"


IDENTITY = rx.Pattern.from_scipy(sp.eye_array(1000, format="csc"))
VALUES = {
    "91-nan": (np.nan, 7, "RX5001", (7, 1, "nan")),
    "92-inf": (-np.inf, [8, 9], "RX5002", (8, 2, "-inf")),
    "93-zeros": (-0.0, slice(3, 6), "RX5003", (None, 3, None)),
    "subnormal": ("tiny", slice(0, 11), "RX5006", (None, 11, "11")),
    "few subnormal": ("tiny", slice(0, 10), None, None),
    "96-all-equal": (0.5, slice(None), "RX5005", (None, None, None)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("case", VALUES)
def test_values(case, dtype, written, monkeypatch):
    monkeypatch.setattr(values, "BLOCK", 300)
    monkeypatch.setattr(values, "PIECE", 7)
    value, at, code, facts = VALUES[case]
    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    weights = (np.arange(1000) % 100 + 1).astype(kind)
    weights[at] = np.array(ml_dtypes.finfo(kind).tiny / 2) if value == "tiny" else value
    found = written(rx.chain([rx.Layer("w", IDENTITY, weights)]))
    told = {name: finding for name, finding in found.items() if name.startswith("RX5")}
    assert list(told) == ([] if code is None else [code])
    if code is not None:
        finding = told[code]
        assert (finding.index, finding.count, finding.actual) == facts
        assert finding.path == "/layers/000000/values"


def test_94_and_95_values_that_must_be_something(written, edited, tmp_path):
    edges = rx.Pattern.from_scipy(sp.eye_array(4, format="csc"))
    assert not [code for code in written(rx.chain([rx.Layer("t", edges)])) if code[2] == "5"]
    source = tmp_path / "written.rx.h5"
    found = edited(lambda f: f["/layers/000000/values"].__setitem__(0, 2), source)
    assert "2" in found["RX5004"].actual
    codes = Quantized(
        np.array([3, 4, 5, 3], np.int8), np.ones(1, np.float32), np.array([3], np.int8)
    )
    found = written(rx.chain([rx.Layer("q", edges, codes)]))
    assert found["RX5003"].count == 2  # codes that mean 0
    found = edited(lambda f: f["/layers/000000/scale"].__setitem__(0, 0), source)
    assert found["RX5007"].path == "/layers/000000/scale"


def test_biases_and_dense_tensors_are_looked_at_too(written):
    edges = rx.Pattern.from_scipy(sp.eye_array(2, format="csc"))
    tensors = {
        "t": np.array([[1, 2], [3, np.inf]], np.float32),
        "s": np.array(np.nan, np.float32),
    }
    network = rx.Network(
        [rx.Layer("w", edges, np.array([1, 2], np.float32), np.array([np.nan, 0], np.float32))],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Add", ("a", "t"), ("b",)),
            rx.Node("Mul", ("b", "s"), ("y",)),
        ),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", (2, 2)),),
        tensors,
    )
    found = written(network)
    assert found["RX5001"].path == "/layers/000000/bias"
    assert (found["RX5002"].path, found["RX5002"].index) == ("/tensors/000000", 3)


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


METADATA = {
    "63-license": (metadata(license="free"), "RX2101", "/license"),
    "63-orcid": (
        metadata(authors=[{"name": "A", "orcid": "0000-0002-1825-0098"}]),
        "RX2102", "/authors/0/orcid",
    ),
    "doi": (metadata(citation=[{"doi": "doi.org/x"}]), "RX2102", "/citation/0/doi"),
    "created": (metadata(created="yesterday"), "RX2102", "/created"),
    "63-home": (
        metadata(provenance=[{"tool": "t", "parameters": {"a/b": ["", "--in=/home/al/x"]}}]),
        "RX2104", "/provenance/0/parameters/a~1b/1",
    ),
    "windows": (metadata(description="from C:\\Users\\al\\x"), "RX2104", "/description"),
    "share": (metadata(description="see \\\\server\\share\\x"), "RX2104", "/description"),
    "url of a file": (metadata(training={"data": "file:///x"}), "RX2104", "/training/data"),
    "user": (metadata(training={"/Users/al/x": 1}), "RX2104", "/training/~1Users~1al~1x"),
}  # fmt: skip


@pytest.mark.parametrize("case", METADATA)
def test_metadata(case, edited):
    change, code, pointer = METADATA[case]
    assert edited(change)[code].pointer == f"/metadata{pointer}"


def test_metadata_for_exchange_is_silent(edited):
    whole = metadata(
        license="CC-BY-4.0 OR Apache-2.0",
        authors=[
            {"name": "A", "orcid": "0000-0002-1825-0097"},
            {"name": "B", "orcid": "https://orcid.org/0000-0002-1694-233X"},
        ],
        citation=[
            {"doi": "10.48550/arXiv.1905.00416"},
            {"doi": "https://doi.org/10.1000/x"},
        ],
        created="2030-05-01T10:00:00Z",
        provenance=[{"activity": "train", "tool": "https://x.org/home/user/a, a/home/b, 1/2"}],
        description="/layers/000000 of ratio 3:/4 and and/or; c:x",
    )
    found = edited(whole)
    assert not [code for code in found if code.startswith("RX21")], found
    assert edited(metadata(license="MIT"))["RX2103"].message == "no authors"


def test_unknown_members_are_named(edited):
    found = edited(lambda f: edit_json(f, "manifest", lambda v: v.update(__proto__={"x": 1})))
    assert found["RX9101"].pointer == "/__proto__"
    found = edited(header(extra=1))
    assert (found["RX9101"].path, found["RX9101"].pointer) == (LAYER, "/extra")


@pytest.mark.parametrize("name", ["scale", "out_perm", "note"])
def test_67_datasets_that_no_encoding_uses(name, edited):
    found = edited(lambda f: f.__setitem__(f"{LAYER}/{name}", np.ones(3, np.float32)))
    assert found["RX3004"].path == f"{LAYER}/{name}"


def test_67_indices_in_a_generated_layer(edited, small, tmp_path):
    rx.write(tmp_path / "net.rx.h5", small)
    found = edited(
        lambda f: f.__setitem__(f"{LAYER}/indices_1", np.ones(72, np.uint16)),
        tmp_path / "net.rx.h5",
    )
    assert "RX3004" in found


def test_hints_about_storage(good, small, tmp_path):
    hint = by_code(rx.validate(good))["RX9203"]
    assert (hint.path, hint.count) == ("/layers/000000", len(small.layers))
    assert "radix-net/1" in hint.message
    rx.write(tmp_path / "net.rx.h5", small)
    found = by_code(rx.validate(tmp_path / "net.rx.h5"))
    assert "procedural.radix-net/1" in found["RX9204"].message
    assert "RX9203" not in found


def test_one_broken_layer_does_not_hide_another(edited, good, tmp_path):
    def change(f):
        f["/layers/000000/indices_1"][0] = 99
        f["/layers/000000/indices_1"][7] = 98
        f["/layers/000003/pointers_to_1"][1] = 99
        f["/layers/000002/values"][3] = np.nan

    edited(change)
    report = rx.validate(tmp_path / "edited.rx.h5")
    assert [(f.code, f.path, f.count) for f in report.findings if f.code[:3] in ("RX4", "RX5")] == [
        ("RX4004", "/layers/000000/indices_1", 2),
        ("RX4002", "/layers/000003/pointers_to_1", 1),
        ("RX5001", "/layers/000002/values", 1),
    ]
