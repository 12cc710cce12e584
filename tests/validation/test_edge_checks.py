"""What the checks say of pointers, indices and fans that break a rule (numbers: bad files)."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from file_edits import LAYER, by_code, edit_json, header

import radixfmt as rx
from radixfmt.generators import from_record
from radixfmt.generators.permuted import permuted
from radixfmt.validation.checks import arrays


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


def test_a_dense_pattern_is_worth_saying(written):
    full = rx.Pattern.explicit((8, 8), np.arange(0, 65, 8), np.tile(np.arange(8), 8))
    weights = np.arange(64, dtype=np.float32) + 1
    assert written(rx.chain([rx.Layer("full", full, weights)]))["RX4010"].severity == "info"
