"""115 to 119: digests find every change of content and no change of storage.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx
from radixfmt.model.digest import digests

LAYER = "/layers/000001"
WRONG = "rx1:" + "0" * 64


def put(name, at, value):
    return lambda e: e.file[f"{LAYER}/{name}"].__setitem__(at, value)


def layer_digest(name, value):
    return lambda e: e.header(lambda v: v["digests"].update({name: value}))


def root_digest(name, value):
    return lambda e: e.attribute(f"{name}_digest", value)


def one_bit(old):
    new = old.copy()
    new.view(np.uint32)[3] ^= 1
    return new


CASES = {
    "115-one-bit": (lambda e: e.change(f"{LAYER}/values", one_bit), {"RX8002", "RX8005"}),
    "115-one-weight": (put("values", 3, 0.5), {"RX8002", "RX8005"}),
    "115-bias": (put("bias", 0, 9), {"RX8003", "RX8005"}),
    "115-activation": (
        lambda e: e.manifest(lambda v: v["graph"]["nodes"][1].update(op="Relu")), {"RX8005"}),
    # the first column holds 0 2 4 6 8 10
    "116-edge-moved": (put("indices_1", 1, 3), {"RX8001", "RX8004", "RX8005"}),
    "118-other-algorithm": (layer_digest("values", "md5:" + "0" * 64), {"RX8007"}),
    "118-upper-case": (layer_digest("pattern", "rx1:" + "A" * 64), {"RX8007"}),
    "118-upper-case-root": (root_digest("content", "rx1:" + "A" * 64), {"RX8007"}),
    "118-short": (root_digest("topology", "rx1:00"), {"RX8007"}),
    "118-long": (layer_digest("values", "x" * 60_000), {"RX8007"}),
    "118-missing": (lambda e: e.file.attrs.__delitem__("content_digest"), {"RX8006"}),
    "118-missing-of-a-layer": (
        lambda e: e.header(lambda v: v["digests"].pop("values")), {"RX8006"}),
    "pattern-not-declared-so": (layer_digest("pattern", WRONG), {"RX8001"}),
    "topology-not-declared-so": (root_digest("topology", WRONG), {"RX8004"}),
    "content-not-declared-so": (root_digest("content", WRONG), {"RX8005"}),
    "metadata-not-declared-so": (root_digest("metadata", WRONG), {"RX8008"}),
    "recipe-not-exact": (root_digest("content", "rx1r:" + "0" * 64), {"RX8005"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_change_is_found_by_its_digests_alone(name, edited, judge):
    change, codes = CASES[name]
    judge(edited("explicit", change), codes)


def by_rows(e):
    """Store layer 1 as CSR."""
    group = e.file[LAYER]
    shape = json.loads(group.attrs["layer"])["shape"]
    columns = (group["values"][:], group["indices_1"][:], group["pointers_to_1"][:].astype(int))
    matrix = sp.csc_array(columns, shape=shape).tocsr()
    matrix.sort_indices()
    for name, array in (
        ("pointers_to_1", matrix.indptr.astype("<u8")),
        ("indices_1", matrix.indices.astype("<u2")),
        ("values", matrix.data),
    ):
        e.replace(f"{LAYER}/{name}", array)
    e.header(lambda v: v["pattern"].update(format="CSR"))
    e.header(lambda v: v["binsparse"].update(format="CSR"), name="binsparse")


def wide_indices(dtype):
    def change(e):
        e.change(f"{LAYER}/indices_1", lambda old: old.astype(dtype))
        e.header(
            lambda v: v["binsparse"]["data_types"].update(indices_1=np.dtype(dtype).name),
            name="binsparse",
        )

    return change


def stored_as(name, **options):
    return lambda e: e.replace(f"{LAYER}/{name}", e.file[f"{LAYER}/{name}"][:], **options)


REPACKED = {
    "117-by-rows": by_rows,
    "117-u32": wide_indices("<u4"),
    "117-u64": wide_indices("<u8"),
    "117-small-chunks": stored_as("indices_1", chunks=(5,)),
    "117-gzip-9": stored_as("values", chunks=(72,), compression=9, shuffle=True, fletcher32=True),
    "117-contiguous": stored_as("pointers_to_1"),
}


@pytest.mark.parametrize("name", REPACKED)
def test_a_file_that_is_only_stored_otherwise_is_valid(name, edited, judge, small, tmp_path):
    path = edited("explicit", REPACKED[name])
    judge(path, set())
    with rx.open(path) as network:
        assert digests(network) == digests(small)
        assert rx.write(tmp_path / "again.rx.h5", network) == digests(small).content


def test_119_metadata_is_not_content(small, edited, judge, tmp_path):
    def change(e):
        e.manifest(lambda v: v["metadata"].update(description="another"))

    judge(edited("explicit", change), {"RX8008"})
    other = replace(small, metadata=rx.Metadata(description="another"))
    old, new = digests(small), digests(other)
    assert (old.topology, old.content) == (new.topology, new.content)
    assert old.metadata != new.metadata
    path = tmp_path / "other.rx.h5"
    assert rx.write(path, other) == old.content
    with h5py.File(path) as file:
        assert file.attrs["metadata_digest"].decode() == new.metadata
