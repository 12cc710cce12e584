"""Files that break the specification: validate says so with its code, open refuses."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError

LAYER = "/layers/000001"
WRONG = "rx1:" + "0" * 64


@pytest.fixture(scope="session")
def good(tmp_path_factory, small):
    path = tmp_path_factory.mktemp("good") / "net.rx.h5"
    rx.write(path, small, storage="explicit")
    return path


def text(value: str):
    data = value.encode()
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))


def edit_json(owner, name, change):
    """Rewrite the JSON in an attribute, or in the manifest for the root."""
    value = json.loads(owner["manifest"][()] if name == "manifest" else owner.attrs[name])
    change(value)
    if name == "manifest":
        del owner["manifest"]
        owner.create_dataset("manifest", data=text(json.dumps(value)))
    else:
        owner.attrs.create(name, text(json.dumps(value)))


def header(**changes):
    return lambda f: edit_json(f[LAYER], "layer", lambda v: v.update(changes))


def digest(name, value):
    return lambda f: edit_json(f[LAYER], "layer", lambda v: v["digests"].update({name: value}))


def manifest(change):
    return lambda f: edit_json(f, "manifest", change)


def raw_manifest(data):
    def change(f):
        del f["manifest"]
        f.create_dataset("manifest", data=np.array(data, f"S{len(data)}"))

    return change


def swap(name, values):
    def change(f):
        del f[f"{LAYER}/{name}"]
        f[f"{LAYER}/{name}"] = values

    return change


def put(name, at, value):
    def change(f):
        f[f"{LAYER}/{name}"][at] = value

    return change


def virtual(shape, dtype):
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", shape)
    return layout


def link(name, target):
    def change(f):
        del f[name]
        f[name] = target

    return change


CASES = {
    "RX0201": lambda f: f.attrs.create("format", text("other")),
    "RX0202": lambda f: f.attrs.create("format_version", text("2.0")),
    "RX0203": manifest(lambda v: v.update(requires=["op.lambda/1"])),
    "RX0204": lambda f: f.attrs.create("format_version", text("one")),
    "RX1001": link(f"{LAYER}/values", h5py.SoftLink("/layers/000000/values")),
    "RX1002": link(f"{LAYER}/values", h5py.ExternalLink("/etc/passwd", "/x")),
    "RX1011": lambda f: (
        f.__delitem__(f"{LAYER}/values"),
        f.create_dataset(f"{LAYER}/values", (72,), "<f4", external=[("/etc/passwd", 0, 288)]),
    ),
    "RX1012": lambda f: (
        f.__delitem__(f"{LAYER}/values"),
        f.create_virtual_dataset(f"{LAYER}/values", virtual((72,), "<f4")),
    ),
    "RX1013": lambda f: (
        f.__delitem__(f"{LAYER}/values"),
        f.create_dataset(f"{LAYER}/values", data=np.ones(72, "<f4"), compression="lzf"),
    ),
    "RX1014": lambda f: (
        f.__delitem__(f"{LAYER}/values"),
        f.create_dataset(f"{LAYER}/values", (72,), "<f4", chunks=(2**23,), maxshape=(None,)),
    ),
    "RX1031": swap("values", np.array([b"text"] * 72)),
    "RX1032": swap("values", np.ones(72, ">f4")),
    "RX1033": swap("values", np.ones((72, 1), np.float32)),
    "RX1042": lambda f: f[LAYER].attrs.create("layer", [1, 2]),
    "RX2002": raw_manifest(b"{\xff}"),
    "RX2003": raw_manifest(b'{"a":1,}'),
    "RX2004": raw_manifest(b'{"a":1,"a":2}'),
    "RX2005": raw_manifest(b'{"a":NaN}'),
    "RX2006": raw_manifest(b"[" * 100_000 + b"]" * 100_000),
    "RX2007": manifest(lambda v: v.update(graph=3)),
    "RX2010": raw_manifest(b'{"a":"\\ud800"}'),
    "RX3001": lambda f: f.move("/layers/000001", "/layers/000007"),
    "RX3002": lambda f: f[LAYER].attrs.__delitem__("layer"),
    "RX3003": lambda f: f.__delitem__(f"{LAYER}/values"),
    "RX3005": swap("pointers_to_1", np.zeros(5, np.uint64)),
    "RX3011": swap("values", np.ones(5, np.float32)),
    "RX3006": swap("values", np.ones(72)),
    "RX3007": swap("indices_1", np.zeros(72, np.int32)),
    "RX3008": header(shape=[12, -1]),
    "RX3009": header(nnz=10**6),
    "RX4001": put("pointers_to_1", 0, 2),
    "RX4002": put("pointers_to_1", 3, 2**63),
    "RX4003": put("pointers_to_1", 12, 77),
    "RX4004": put("indices_1", 5, 12),
    "RX4005": put("indices_1", slice(0, 2), [7, 1]),
    "RX4006": put("indices_1", slice(0, 2), [1, 1]),
    "RX6001": manifest(lambda v: v["graph"]["nodes"][0].update(inputs=["y"])),
    "RX6003": manifest(lambda v: v["graph"]["nodes"][2].update(inputs=["nobody"])),
    "RX6004": manifest(lambda v: v["graph"]["nodes"][2].update(outputs=["x"])),
    "RX6008": manifest(lambda v: v["graph"]["nodes"][1].update(layer=0)),
    "RX8001": digest("pattern", WRONG),
    "RX8002": put("values", 3, 0.5),
    "RX8003": lambda f: f[f"{LAYER}/bias"].__setitem__(0, 9),
    "RX8004": lambda f: f.attrs.create("topology_digest", text(WRONG)),
    "RX8006": lambda f: f.attrs.__delitem__("content_digest"),
    "RX8007": digest("values", "md5:00"),
    "RX8005": lambda f: f.attrs.create("content_digest", text(WRONG)),
}


def read_everything(path):
    with rx.open(path) as network:
        for layer in network.layers:
            layer.pattern.columns(0, layer.pattern.shape[1])


@pytest.mark.parametrize("code", CASES)
def test_each_break_is_found_and_never_handed_out(code, good, tmp_path):
    path = tmp_path / "bad.rx.h5"
    shutil.copy(good, path)
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        CASES[code](file)
    report = rx.validate(path)
    assert not report.ok
    assert code in {finding.code for finding in report.findings}, report
    if code.startswith("RX8"):
        return  # digests are validate's business: `open` checks structure
    with pytest.raises(FormatError) as caught:
        read_everything(path)
    assert str(path) in str(caught.value)


def test_one_broken_layer_does_not_hide_another(good, tmp_path):
    path = tmp_path / "bad.rx.h5"
    shutil.copy(good, path)
    with h5py.File(path, "r+") as file:
        file["/layers/000000/indices_1"][0] = 99
        file["/layers/000003/pointers_to_1"][1] = 99
    report = rx.validate(path)
    assert [(f.code, f.path) for f in report.findings if f.severity == "error"] == [
        ("RX4004", "/layers/000000/indices_1"),
        ("RX4002", "/layers/000003/pointers_to_1"),
    ]
    assert [skipped.check for skipped in report.skipped] == ["digests"]


def test_nan_is_a_warning_and_strict_makes_it_an_error(small, tmp_path):
    layer = small.layers[0]
    weights = layer.weights.copy()
    weights[4] = np.nan
    network = rx.chain([rx.Layer("nan", layer.pattern, weights)])
    rx.write(tmp_path / "nan.rx.h5", network)
    report = rx.validate(tmp_path / "nan.rx.h5")
    (finding,) = [f for f in report.findings if f.severity == "warning"]
    assert (finding.code, finding.index, finding.count) == ("RX5001", 4, 1)
    assert report.ok
    assert not rx.validate(tmp_path / "nan.rx.h5", strict=True).ok
    assert rx.validate(tmp_path / "nan.rx.h5", strict=True, ignore=["RX5"]).ok


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda data: b"", "RX0101", id="empty"),
        pytest.param(lambda data: data[:8], "RX0102", id="signature only"),
        pytest.param(lambda data: data[: len(data) // 2], "RX0102", id="half"),
        pytest.param(lambda data: data[:-1], "RX0102", id="last byte gone"),
        pytest.param(lambda data: data + b"x" * 1000, "RX0103", id="tail"),
        pytest.param(lambda data: b"PK\x03\x04" + data, "RX0101", id="zip"),
        pytest.param(lambda data: b"x" + data, "RX0101", id="junk in front"),
        pytest.param(lambda data: data[:11] + b"\x01" + data[12:], "RX0107", id="open flag"),
        pytest.param(
            lambda data: data[:28] + (2**63).to_bytes(8, "little") + data[36:], "RX0102",
            id="end far away",
        ),
    ],
)  # fmt: skip
def test_bytes_that_are_no_whole_file(make, code, good, tmp_path):
    path = tmp_path / "bad.rx.h5"
    path.write_bytes(make(good.read_bytes()))
    assert [f.code for f in rx.validate(path).findings] == [code]
    with pytest.raises(FormatError, match=code):
        rx.open(path)


def test_old_superblocks_need_trust(tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["x"] = 1
    with pytest.raises(FormatError, match="RX0104") as caught:
        rx.open(path)
    assert "trusted" in caught.value.hint
    with pytest.raises(FormatError, match="RX0201"):
        rx.open(path, trusted=True)


def test_more_declared_than_a_file_can_hold_is_refused_before_allocation(good, tmp_path):
    path = tmp_path / "bomb.rx.h5"
    shutil.copy(good, path)
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        del file[f"{LAYER}/values"]
        file.create_dataset(f"{LAYER}/values", (2**40,), "<f4", chunks=(2**20,), compression=1)
    codes = {finding.code for finding in rx.validate(path).findings}
    assert codes & {"RX1015", "RX1020"}


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"generator": "python/1", "parameters": {}}, "RX7001"),
        ({"generator": "radix-net/1", "parameters": {"systems": [[1]]}}, "RX7002"),
        ({"generator": "radix-net/1", "parameters": 3}, "RX7002"),
        ({"generator": "radix-net/1", "parameters": {"systems": 3, "widths": [1], "index": 0}},
         "RX7002"),
        ({"generator": "graph-challenge/1", "parameters": {"neurons": 1024, "layer": 2**40}},
         "RX7002"),
        ({"generator": "graph-challenge/1", "parameters": {"neurons": 1024, "layer": 1}},
         "RX7003"),
    ],
)  # fmt: skip
def test_bad_generator_records(facts, code, small, tmp_path):
    path = tmp_path / "bad.rx.h5"
    rx.write(path, small)
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        header(pattern={"encoding": "procedural", **facts})(file)
    assert code in {finding.code for finding in rx.validate(path).findings}


def test_damaged_bytes_never_raise_anything_but_our_errors(good, tmp_path):
    """A seeded sample of what the fuzzer of the format does at length."""
    rng = np.random.default_rng(0)
    whole = np.frombuffer(good.read_bytes(), np.uint8)
    path = tmp_path / "mutant.rx.h5"
    refused = 0
    for _ in range(300):
        mutant = whole.copy()
        at = rng.integers(48, whole.size, rng.integers(1, 4))
        mutant[at] ^= rng.integers(1, 256, at.size, np.uint8)
        path.write_bytes(mutant.tobytes())
        rx.validate(path)
        try:
            read_everything(path)
        except rx.RadixfmtError:
            refused += 1
    assert refused > 100


def test_a_closed_file_says_so(good):
    with rx.open(good) as network:
        layer = network.layers[0]
    for use in (lambda: layer.weights, lambda: layer.pattern.indices, lambda: network.layers[1]):
        with pytest.raises(rx.RadixfmtError, match="closed"):
            use()


def test_ignoring_a_code_does_not_make_a_file_valid(good, tmp_path):
    path = tmp_path / "bad.rx.h5"
    shutil.copy(good, path)
    with h5py.File(path, "r+") as file:
        file["/layers/000000/indices_1"][0] = 99
    assert not rx.validate(path, ignore=["RX4"]).ok
