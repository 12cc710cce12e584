"""The vectors: what they hold is what is found, and what is broken is refused."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.model.digest import digests
from radixfmt.storage.file import File
from radixfmt.validation import Isolated, Options

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "spec/vectors"
VALID = sorted(path.name[:-6] for path in (VECTORS / "valid").glob("*.rx.h5"))
INVALID = json.loads((VECTORS / "invalid/expected.json").read_text("utf-8"))["files"]

MOST_EDGES = 1 << 20
"""Edges of a layer up to which it is written out in a test."""


def vector(name: str) -> tuple[Path, dict]:
    text = (VECTORS / f"valid/{name}.json").read_text("utf-8")
    return VECTORS / f"valid/{name}.rx.h5", json.loads(text)


@pytest.fixture(scope="module")
def isolated():
    with Isolated() as worker:
        yield worker


@pytest.fixture(scope="module")
def seal():
    """The second implementation of digests."""
    sys.path.insert(0, str(ROOT / "tools/spec"))
    yield importlib.import_module("seal")
    sys.path.remove(str(ROOT / "tools/spec"))


def test_the_folder_is_what_the_tool_makes():
    tool = ROOT / "tools/spec/make_vectors.py"
    done = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_folder_stays_small():
    assert sum(path.stat().st_size for path in VECTORS.rglob("*") if path.is_file()) < 2 << 20


@pytest.mark.parametrize("name", VALID)
def test_valid_vectors_are_valid(name):
    path, expected = vector(name)
    report = rx.validate(path)
    assert report.ok
    assert sorted({finding.code for finding in report.findings}) == expected["findings"]


@pytest.mark.parametrize("name", VALID)
def test_valid_vectors_hold_what_is_expected(name, radixfmt):
    path, expected = vector(name)
    assert radixfmt("info", "--json", str(path)).json == expected["info"]
    network = rx.read(path)
    found = digests(network)
    for root in ("topology", "content", "metadata"):
        assert getattr(found, root) == expected["info"][f"{root}_digest"]
    for layer, wanted, each in zip(network.layers, expected["layers"], found.layers, strict=True):
        assert each.as_json() == wanted["digests"]
        for column, indices in wanted["columns"].items():
            start = int(column)
            assert layer.pattern.columns(start, start + 1).indices.tolist() == indices
        if "dense" in wanted:
            assert dense(layer).tolist() == wanted["dense"]


def dense(layer: rx.Layer) -> np.ndarray:
    """W, by scipy's own expansion of the pattern."""
    weights = layer.weights
    whole = layer.pattern.to_scipy(weights.astype(np.float64)).toarray()
    assert (whole[layer.pattern.to_scipy().toarray() == 0] == 0).all()
    return whole.reshape(layer.pattern.shape)


@pytest.mark.parametrize("name", VALID)
def test_a_second_implementation_gets_the_same_digests(name, seal):
    path, expected = vector(name)
    with h5py.File(path, "r") as file:
        for root, digest in seal.root_digests(file).items():
            assert digest == expected["info"][f"{root}_digest"]
        for (group, header), wanted in zip(seal.layers(file), expected["layers"], strict=True):
            assert seal.layer_digests(group, header) == wanted["digests"]
        manifest = json.loads(file["manifest"][()])
        declared = [entry["digest"] for entry in manifest["tensors"]]
        assert seal.tensor_digests(file, manifest) == declared


STORAGES = [
    {"storage": "procedural"},
    {"storage": "explicit"},
    {"storage": "explicit", "small": True},
    {"storage": "procedural", "compat": "1.8"},
]


WAYS = [
    (name, settings)
    for name in VALID
    for settings in STORAGES
    if settings["storage"] == "procedural"
    or max(layer["nnz"] for layer in vector(name)[1]["info"]["layers"]) <= MOST_EDGES
]


@pytest.mark.parametrize(("name", "settings"), WAYS, ids=str)
def test_digests_survive_every_way_of_writing(name, settings, tmp_path):
    path, expected = vector(name)
    network = rx.read(path)
    rx.write(tmp_path / "again.rx.h5", network, **settings)
    with rx.open(tmp_path / "again.rx.h5") as again:
        found = digests(again)
    for root in ("topology", "content", "metadata"):
        assert getattr(found, root) == expected["info"][f"{root}_digest"]
    file = File(tmp_path / "again.rx.h5")
    assert file.digest("content") == found.content
    file.guard.close()
    assert rx.validate(tmp_path / "again.rx.h5").ok


def options(words: list[str]) -> Options:
    """What the command line makes of its options."""
    if not words:
        return Options()
    name, value = words
    if name == "--expect":
        return Options(expect=(value,))
    assert name == "--limits"
    return Options(limits=rx.Limits.parse([value]))


@pytest.mark.parametrize("name", INVALID)
def test_invalid_vectors_report_their_code_and_no_other(name, isolated):
    expected = INVALID[name]
    report = isolated.validate(VECTORS / "invalid" / name, options(expected["options"]))
    assert sorted({finding.code for finding in report.findings}) == expected["codes"], report
    assert report.ok is expected["valid"]
    assert name[:6] in expected["codes"]
    for finding in report.findings:
        assert finding.advice


@pytest.mark.parametrize("name", ["RX4004.rx.h5", "RX8009.rx.h5", "RX1006-objects.rx.h5"])
def test_the_command_line_says_the_same(name, radixfmt):
    expected = INVALID[name]
    path = VECTORS / "invalid" / name
    answer = radixfmt("validate", "--json", *expected["options"], str(path))
    assert answer.code == 1
    (report,) = answer.json["files"]
    assert sorted({finding["code"] for finding in report["findings"]}) == expected["codes"]


def read_everything(path: Path) -> None:
    """Read a file as a stranger's program would, and check that what it gets can be used."""
    network = rx.read(path)
    for layer in network.layers:
        n_in, n_out = layer.pattern.shape
        columns = layer.pattern.columns(0, n_out)
        assert columns.indptr[0] == 0
        assert columns.indptr[-1] == columns.indices.size == layer.pattern.nnz
        assert ((columns.indices >= 0) & (columns.indices < n_in)).all()
        assert layer.weights is None or layer.weights.shape in ((1,), (layer.pattern.nnz,))
        assert layer.bias is None or layer.bias.shape in ((1,), (n_out,))


@pytest.mark.parametrize("name", INVALID)
def test_nothing_broken_is_handed_out(name):
    path, level = VECTORS / "invalid" / name, INVALID[name]["level"]
    if level in ("hint", "validator"):
        try:
            read_everything(path)
        except rx.RadixfmtError as error:
            assert error.code == "RX0104"  # noqa: PT017  old superblocks need trust
        return
    with pytest.raises(rx.RadixfmtError) as caught:
        read_everything(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
