"""Our own files as a source: older drafts, old superblocks, what a rewrite drops or recognises."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError

DRAFTS = sorted((Path(__file__).parents[1] / "storage" / "drafts").glob("*.rx.h5"))


def text_of(path, name):
    with h5py.File(path) as file:
        return np.bytes_(file.attrs[name]).decode()


def text_of_manifest(path):
    with h5py.File(path) as file:
        return file["manifest"][()].decode()


def as_plain_h5py_writes(path, source):
    """Copy a file with superblock 0 and all its texts of variable length."""
    with h5py.File(source) as file, h5py.File(path, "w") as copy:

        def attributes(a, b):
            for name, value in a.attrs.items():
                b.attrs[name] = np.bytes_(value).decode()

        def visit(name, item):
            if isinstance(item, h5py.Group):
                made = copy.require_group(name)
            elif item.dtype.kind == "S":
                made = copy.create_dataset(name, data=item[()].decode())
            else:
                made = copy.create_dataset(name, data=item[()])
            attributes(item, made)

        file.visititems(visit)
        attributes(file, copy)
    assert path.read_bytes()[8] == 0
    return path


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """The folder that temporary files go to."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda path: path.name)
@pytest.mark.parametrize("plain", [False, True], ids=["as written", "by plain h5py"])
def test_older_drafts_are_brought_up(draft, plain, temporary, tmp_path):
    if plain and "bfloat16" in text_of_manifest(draft):
        pytest.skip("plain h5py writes no bfloat16")
    source = as_plain_h5py_writes(tmp_path / "old.rx.h5", draft) if plain else draft
    done = rx.convert(source, tmp_path / "new.rx.h5")
    assert done.losses == ()
    report = rx.validate(tmp_path / "new.rx.h5")
    assert report.ok, report
    assert done.digests["content"] == text_of(draft, "content_digest")
    assert done.digests["topology"] == text_of(draft, "topology_digest")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("storage", ["procedural", "explicit"])
def test_what_plain_h5py_writes_is_rewritten(storage, small, temporary, tmp_path):
    rx.write(tmp_path / "good.rx.h5", small, storage=storage)
    old = as_plain_h5py_writes(tmp_path / "old.rx.h5", tmp_path / "good.rx.h5")
    with pytest.raises(FormatError, match="RX0104") as caught:
        rx.open(old)
    assert "convert" in caught.value.hint
    options = {} if storage == "procedural" else {"storage": storage}
    done = rx.convert(old, tmp_path / "new.rx.h5", **options)
    assert done.losses == ()
    assert (tmp_path / "new.rx.h5").read_bytes() == (tmp_path / "good.rx.h5").read_bytes()
    assert not list(temporary.iterdir())


def test_text_of_variable_length_alone_is_rewritten_too(small, temporary, tmp_path):
    rx.write(tmp_path / "a.rx.h5", small)
    with h5py.File(tmp_path / "a.rx.h5", "r+") as file:
        content = text_of(tmp_path / "a.rx.h5", "content_digest")
        file.attrs["writer"] = "somebody"
        file.attrs["content_digest"] = content
        manifest = file["manifest"][()].decode()
        del file["manifest"]
        file["manifest"] = manifest
    done = rx.convert(tmp_path / "a.rx.h5", tmp_path / "b.rx.h5")
    assert (done.losses, done.digests["content"]) == ((), content)
    assert rx.validate(tmp_path / "b.rx.h5").ok


def test_a_broken_old_file_is_refused_and_a_lost_process_named(small, temporary, tmp_path):
    rx.write(tmp_path / "good.rx.h5", small)
    old = as_plain_h5py_writes(tmp_path / "old.rx.h5", tmp_path / "good.rx.h5")
    with pytest.raises(FormatError, match="old.rx.h5.*RX0199"):
        rx.convert(old, tmp_path / "new.rx.h5", limits=rx.Limits(wall=0))
    with h5py.File(old, "r+") as file:
        file["layers/000000"].attrs["layer"] = "{}"
    with pytest.raises(FormatError, match="old.rx.h5:/layers/000000#.*RX2007"):
        rx.convert(old, tmp_path / "new.rx.h5")
    assert not (tmp_path / "new.rx.h5").exists()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("plain", [False, True], ids=["as written", "by plain h5py"])
def test_what_a_rewrite_drops_is_said(plain, small, temporary, tmp_path):
    path = tmp_path / "a.rx.h5"
    rx.write(path, small)
    with h5py.File(path, "r+") as file:
        for holder, text in (
            (file["layers/000001"].attrs, file["layers/000001"].attrs["layer"]),
            (file, file["manifest"][()]),
        ):
            name = "manifest" if holder is file else "layer"
            changed = text.replace(b'"kind"', b'"colour":"red","kind"', 1)
            changed = changed.replace(b'"requires"', b'"mood":1,"requires"', 1)
            del holder[name]
            holder[name] = np.bytes_(changed)
        file["extra"] = np.zeros(3)
        file["ext/org.example.mine/x"] = np.arange(2.0)
    if plain:
        path = as_plain_h5py_writes(tmp_path / "old.rx.h5", path)
    losses = rx.convert(path, tmp_path / "b.rx.h5").losses
    assert losses == (
        "/manifest#/mood: a member that this version does not name",
        "/layers/000001#/colour: a member that this version does not name",
        "/extra: dataset that this version does not name",
    )
    assert rx.read(tmp_path / "b.rx.h5").ext["org.example.mine/x"].tolist() == [0, 1]


def test_records_take_the_place_of_edges_when_asked_for(tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", small, storage="explicit")
    kept = rx.convert(tmp_path / "a.rx.h5", tmp_path / "b.rx.h5")
    assert all(layer.pattern.record is None for layer in rx.read(tmp_path / "b.rx.h5").layers)
    found = rx.convert(tmp_path / "a.rx.h5", tmp_path / "c.rx.h5", storage="procedural")
    back = rx.read(tmp_path / "c.rx.h5")
    assert {layer.pattern.record["generator"] for layer in back.layers} == {"radix-net/1"}
    assert found.digests == kept.digests
    assert rx.validate(tmp_path / "c.rx.h5", expand=True).ok
    for a, b in zip(small.layers, back.layers, strict=True):
        assert a.weights.tolist() == b.weights.tolist()


def test_edges_that_no_generator_makes_stay_explicit(tmp_path):
    pattern = rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 2, 1])
    rx.write(tmp_path / "a.rx.h5", rx.chain([rx.Layer("a", pattern)]))
    rx.convert(tmp_path / "a.rx.h5", tmp_path / "b.rx.h5", storage="procedural")
    assert rx.read(tmp_path / "b.rx.h5").layers[0].pattern.record is None


def test_a_target_in_the_way_is_told_before_the_source_is_read(tmp_path, monkeypatch):
    from radixfmt.converters.radixfmt_file import RadixfmtFile

    monkeypatch.setattr(RadixfmtFile, "read", lambda *_: pytest.fail("the source was read"))
    rx.write(tmp_path / "a.rx.h5", rx.generate("radix-net", systems=[[2, 2]]))
    (tmp_path / "b.rx.h5").write_bytes(b"precious")
    with pytest.raises(rx.RadixfmtError, match="exists"):
        rx.convert(tmp_path / "a.rx.h5", tmp_path / "b.rx.h5")
    assert (tmp_path / "b.rx.h5").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["a.mtx", "a.npz", "a.bsp.h5"])
def test_a_matrix_holds_neither_many_layers_nor_a_convolution(name, tmp_path):
    rx.write(tmp_path / "two.rx.h5", rx.generate("radix-net", systems=[[2, 2]]))
    with pytest.raises(rx.RadixfmtError, match="one linear layer, got 2 layers") as error:
        rx.convert(tmp_path / "two.rx.h5", tmp_path / name)
    assert "--layer" in error.value.hint
    conv = Path(__file__).resolve().parents[2] / "spec/vectors/valid/conv.rx.h5"
    with pytest.raises(rx.RadixfmtError, match="got a conv layer") as error:
        rx.convert(conv, tmp_path / name, layer=0)
    assert "--layer" not in error.value.hint
