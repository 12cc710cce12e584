"""What is read whole, or not at all until it is asked for, and what that may cost."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx
from radixfmt.errors import FormatError
from radixfmt.storage.strict_json import MOST_VALUES, parse

EYE = rx.Pattern.from_scipy(sp.eye_array(4, format="csc"))


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "net.rx.h5"
    rx.write(path, rx.chain([rx.Layer("w", EYE, np.ones(4, np.float32))]))
    return path


def with_big_endian_ext(path):
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        file["ext/org.example/x"] = np.ones(3, ">f4")


def test_what_is_under_ext_is_nobodys_trouble_until_it_is_asked_for(stored):
    with_big_endian_ext(stored)
    with rx.open(stored) as network:
        assert network.layers[0].pattern.nnz == 4
        with pytest.raises(FormatError, match="RX1032"):
            list(network.ext)


def test_attributes_under_ext_are_said_to_be_dropped(stored):
    with h5py.File(stored, "r+", libver=("v110", "v110")) as file:
        file["ext/org.example/x"] = np.ones(3, "<f4")
        file["ext/org.example/x"].attrs["unit"] = np.bytes_(b"metre")
    said = [f for f in rx.validate(stored).findings if f.code == "RX1051"]
    assert [finding.path for finding in said] == ["/ext/org.example/x"]


def test_tensors_that_a_small_file_blows_up_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "net.rx.h5"
    layer = rx.Layer("w", EYE, np.ones(4, np.float32))
    nodes = (
        rx.Node("SparseLinear", ("x",), ("a",), layer=0),
        rx.Node("Shape", ("t",), ("s",)),
        rx.Node("Identity", ("a",), ("y",)),
    )
    value = {"t": np.zeros(1 << 20, np.float64)}
    outputs = (rx.Value("y", ("B", 4)), rx.Value("s", (1,), "int64"))
    rx.write(path, rx.Network((layer,), nodes, (rx.Value("x", ("B", 4)),), outputs, value))
    rx.convert(path, tmp_path / "small.rx.h5", small=True)
    with rx.open(path) as network:
        assert network.tensors["t"].size == 1 << 20

    from radixfmt.model import entries

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "MODEST", 1 << 20)
        patch.setattr(entries, "USUAL_EXPANSION", 0)
        with pytest.raises(FormatError, match="RX1020"):
            rx.open(path)


def test_an_object_of_too_many_values_is_refused_before_it_is_parsed():
    def text(count):
        return b'{"a":[' + b"0," * count + b"0]}"

    assert len(parse(text(MOST_VALUES - 2), path="/manifest", file="f")["a"]) == MOST_VALUES - 1
    with pytest.raises(FormatError, match="RX2006"):
        parse(text(MOST_VALUES - 1), path="/manifest", file="f")


def test_one_dataset_too_large_leaves_the_others_innocent(tmp_path):
    stored = tmp_path / "net.rx.h5"
    weights = np.arange(1, 5, dtype=np.float32)
    rx.write(stored, rx.chain([rx.Layer(name, EYE, weights) for name in "abc"]))
    with h5py.File(stored, "r+", libver=("v110", "v110")) as file:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((1 << 18,))
        settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        del file["layers/000000/values"]
        space = h5py.h5s.create_simple((1 << 24,))
        group = file["layers/000000"].id
        h5py.h5d.create(group, b"values", h5py.h5t.IEEE_F32LE, space, settings)
    said = {f.path for f in rx.validate(stored).findings if f.code == "RX1020"}
    assert said == {"/layers/000000/values"}


def test_a_missing_digest_of_edges_that_are_not_made_is_said_and_not_computed(tmp_path):
    import json

    path = tmp_path / "net.rx.h5"
    rx.write(path, rx.generate("radix-net", systems=[[4, 4]]))
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        group = file["layers/000000"]
        header = json.loads(group.attrs["layer"])
        del header["digests"]["pattern"]
        data = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
        group.attrs.create("layer", np.array(data, h5py.string_dtype("utf-8", len(data))))
    report = rx.validate(path, limits=rx.Limits(expand=10))
    codes = {finding.code for finding in report.findings if finding.severity == "error"}
    assert codes == {"RX8006"}
    assert not report.ok


def test_a_block_is_bounded_where_a_few_columns_are_full():
    n = 4096
    full = np.arange(n)
    indptr = np.concatenate([[0], np.cumsum([n] * 8 + [1] * 1000)])
    pattern = rx.Pattern.explicit((n, 1008), indptr, np.concatenate([*[full] * 8, [0] * 1000]))
    blocks = list(pattern.blocks(2 * n))
    assert max(columns.indices.size for _, _, columns in blocks) <= 2 * n
    assert [start for start, _, _ in blocks[1:]] == [stop for _, stop, _ in blocks[:-1]]
    found = np.concatenate([columns.indices for _, _, columns in blocks])
    np.testing.assert_array_equal(found, pattern.indices)


def test_an_encoding_that_gives_less_than_it_announced_is_caught(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from radixfmt.storage.array_writer import ArrayWriter

    with h5py.File(tmp_path / "a.h5", "w") as file, ThreadPoolExecutor(1) as pool:
        for level in (0, 1):
            name = f"a{level}"
            writer = ArrayWriter(file, name, np.dtype("<f4"), 5000, level=level, pool=pool)
            writer.append(np.ones(4000, np.float32))
            with pytest.raises(ValueError, match="5000 elements were announced, 4000 came"):
                writer.close()
