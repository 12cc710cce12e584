"""What valid vectors hold that the package reads and does not write."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import h5py  # noqa: TID253  vectors are made with it
import numpy as np
from seal import layers, store_manifest, text

from radixfmt.model.canonical import canonical_json


def put(group: Any, name: str, data: Any, **settings: Any) -> None:
    """Replace a dataset; data may be the elements, or None for those that are there."""
    old = group[name][()]
    del group[name]
    group.create_dataset(name, data=old if data is None else data, **settings)


def store_header(group: Any, header: dict[str, Any]) -> None:
    """Write a layer's header."""
    group.attrs.create("layer", text(canonical_json(header)))


def binsparse(group: Any, **changes: Any) -> None:
    """Change members of a layer's Binsparse descriptor."""
    if "binsparse" not in group.attrs:
        return
    found = json.loads(group.attrs["binsparse"])
    types = changes.pop("data_types", {})
    found["binsparse"] |= changes
    found["binsparse"]["data_types"] |= types
    group.attrs.create("binsparse", text(canonical_json(found)))


def wider_indices(file: Any) -> None:
    """Give the layers indices of different types."""
    for (group, _), name in zip(layers(file), ("uint16", "uint32", "uint64"), strict=True):
        put(group, "indices_1", group["indices_1"][:].astype(f"<{np.dtype(name).str[1:]}"))
        binsparse(group, data_types={"indices_1": name})


def by_rows(file: Any) -> None:
    """Store every layer by rows."""
    for group, header in layers(file):
        n_in, n_out = header["shape"]
        indices = group["indices_1"][:].astype(np.int64)
        cols = np.repeat(np.arange(n_out), np.diff(group["pointers_to_1"][:].astype(np.int64)))
        order = np.lexsort((cols, indices))
        counts = np.bincount(indices, minlength=n_in)
        put(group, "pointers_to_1", np.concatenate([[0], np.cumsum(counts)]).astype("<u8"))
        put(group, "indices_1", cols[order].astype("<u2"))
        if group["values"].size == header["nnz"] > 1:
            put(group, "values", group["values"][:][order])
        header["pattern"]["format"] = "CSR"
        store_header(group, header)
        binsparse(group, format="CSR")


def wider_permutations(file: Any) -> None:
    """Store the permutations of the last layer as u64."""
    *_, (group, _) = layers(file)
    for name in ("in_perm", "out_perm"):
        put(group, name, group[name][:].astype("<u8"))


def small_chunks(file: Any) -> None:
    """Store arrays in several deflated chunks, which the file's version lists in a B-tree."""
    for group, _ in layers(file):
        for name in ("indices_1", "values"):
            put(group, name, None, chunks=(50,), shuffle=True, compression=9)


def newer_minor(file: Any) -> None:
    """Say version 1.7 and add members that no reader of 1.0 can know."""
    file.attrs.create("format_version", text("1.7"))
    manifest = json.loads(file["manifest"][()])
    manifest |= {"version": "1.7", "licence_texts": ["of 1.7"]}
    manifest["graph"]["nodes"][0]["note"] = "of 1.7"
    manifest["graph"]["inputs"][0]["layout"] = "of 1.7"
    store_manifest(file, manifest)
    for group, header in layers(file):
        store_header(group, header | {"sparsity": {"target": 0.5}})


def other_spelling(file: Any) -> None:
    """Spell the manifest as other programs might: no digest depends on it."""
    data = file["manifest"][()].decode()
    for canonical, other in (
        ('"float":0.1}', '"float":0.10000000149011612}'),
        ('"float":1}', '"float":100.0e-2}'),
        ('"inputs":["z"]', '"attributes":{},"inputs":["z"]'),
        ("é", "\\u00e9"),
        ('"graph":', '\n\t"graph" : '),
    ):
        assert canonical in data  # noqa: S101  the network is made for it
        data = data.replace(canonical, other)
    del file["manifest"]
    file.create_dataset("manifest", data=text(data))


def other_text_types(file: Any) -> None:
    """Store two attributes as null-terminated text, one of them marked as ASCII."""
    for name, charset in (("format", h5py.h5t.CSET_ASCII), ("writer", h5py.h5t.CSET_UTF8)):
        data = bytes(file.attrs[name]) if isinstance(file.attrs[name], bytes) else None
        value = data if data is not None else file.attrs[name].encode()
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(len(value) + 1)
        kind.set_strpad(h5py.h5t.STR_NULLTERM)
        kind.set_cset(charset)
        del file.attrs[name]
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        made = h5py.h5a.create(file.id, name.encode(), kind, space)
        made.write(np.array(value, f"S{len(value) + 1}"), kind)


def stored_in_every_way(file: Any) -> None:
    """Store arrays in each layout and with each combination of filters."""
    first, second, third = (group for group, _ in layers(file))
    ways = [
        {"shuffle": shuffle, "compression": deflate, "fletcher32": checksum}
        for shuffle, deflate, checksum in product((False, True), (None, 9), (False, True))
    ]
    chunks = iter((67, 100, 64, 30, 99, 250, 17, 41))
    for group, names in ((first, ("indices_1", "values", "pointers_to_1", "bias")),
                         (second, ("indices_1", "values", "pointers_to_1", "bias"))):  # fmt: skip
        for name in names:
            length = min(next(chunks), group[name].size)
            put(group, name, None, chunks=(length,), **ways.pop(0))
    compact(third, "values")
    compact(third, "bias")
    packed = {"shuffle": True, "compression": 9, "fletcher32": True}
    folder = file["ext/org.example.radixfmt"]
    put(folder, "grid", None, chunks=(4, 5), **packed)
    put(folder, "cube", None, chunks=(2, 4, 2), shuffle=True)
    allocated_early(folder, "early")


def compact(group: Any, name: str) -> None:
    """Keep a dataset's elements in its header."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT)
    store_as(group, name, settings)


def allocated_early(group: Any, name: str) -> None:
    """Keep a dataset in chunks without a list of them: they lie one behind the other."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((4,))
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    store_as(group, name, settings)


def store_as(group: Any, name: str, settings: Any) -> None:
    """Replace a dataset by one that HDF5 makes with these settings."""
    old = group[name][()]
    del group[name]
    settings.set_obj_track_times(False)
    kind = h5py.h5t.py_create(old.dtype)
    space = h5py.h5s.create_simple(old.shape)
    made = h5py.h5d.create(group.id, name.encode(), kind, space, settings)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, old)
