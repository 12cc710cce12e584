"""The ways in which tools/fuzz.py damages a file: each changes the one at a path, by chance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  mutants are made with it
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NUMBERS = [0, 1, -1, 2, 31, 2**16, 2**31, 2**32 - 1, 2**40, 2**53, 2**63, 1e300, -0.0, 0.5]
ODD: list[Any] = [*NUMBERS, None, True, "", "x", "rx1:" + "0" * 64, [], {}, [0], {"a": 1}, "\ud800"]


def flip(rng: np.random.Generator, path: Path) -> None:
    """Change one to four bytes."""
    data = np.fromfile(path, np.uint8)
    data[rng.integers(0, data.size, rng.integers(1, 5))] ^= rng.integers(1, 256, dtype=np.uint8)
    data.tofile(path)


def flip_a_bit(rng: np.random.Generator, path: Path) -> None:
    """Change one bit behind the superblock."""
    data = np.fromfile(path, np.uint8)
    data[rng.integers(48, data.size)] ^= np.uint8(1 << rng.integers(0, 8))
    data.tofile(path)


def resize(rng: np.random.Generator, path: Path) -> None:
    """Cut the file, or add to it; half the time its superblock says the new size."""
    data = path.read_bytes()
    size = int(rng.integers(0, len(data) + 200))
    data = data[:size] + bytes(max(size - len(data), 0))
    if rng.random() < 0.5 and len(data) > 48:
        data = data[:28] + len(data).to_bytes(8, "little") + data[36:]
    path.write_bytes(data)


def transplant(rng: np.random.Generator, path: Path) -> None:
    """Copy a run of bytes over another place."""
    data = np.fromfile(path, np.uint8)
    count = int(rng.integers(1, 65))
    source, target = rng.integers(0, max(data.size - count, 1), 2)
    data[target : target + count] = data[source : source + count].copy()
    data.tofile(path)


def edit_json(rng: np.random.Generator, path: Path) -> None:
    """Change one place in one JSON text."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        texts = [(file, "manifest")]
        for group in file["layers"].values():
            texts += [(group, name) for name in group.attrs]
        owner, name = texts[rng.integers(0, len(texts))]
        stored = owner["manifest"][()] if name == "manifest" else owner.attrs[name]
        value = json.loads(stored)
        mutate(rng, value)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        data = text.encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            data = data[: int(rng.integers(0, len(data)))] + b"\xff" * int(rng.integers(0, 3))
        if name == "manifest":
            del owner["manifest"]
            owner["manifest"] = fixed(data)
        else:
            owner.attrs.create(name, fixed(data))


def mutate(rng: np.random.Generator, value: Any) -> None:
    """Change one member somewhere below `value`."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = keys[rng.integers(0, len(keys))]
        child = value[key]
        if isinstance(child, dict | list) and child and rng.random() < 0.8:
            value = child
            continue
        choice = rng.integers(0, 5)
        if choice == 0:
            del value[key]
        elif choice == 1 and isinstance(child, int):
            value[key] = child + int(rng.integers(-2, 3))
        elif choice == 2 and isinstance(value, dict):
            value[f"{key}x"] = child
        elif choice == 3 and isinstance(value, list):
            value.append(child)
        else:
            value[key] = ODD[rng.integers(0, len(ODD))]
        return


def edit_array(rng: np.random.Generator, path: Path) -> None:
    """Change elements of one dataset, or put another in its place."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        found: list[str] = []
        file.visit(
            lambda name: found.append(name) if isinstance(file[name], h5py.Dataset) else None
        )
        names = [name for name in found if file[name].dtype.kind in "iuf"]
        if not names:
            return
        name = names[rng.integers(0, len(names))]
        values = file[name][()]
        flat = np.atleast_1d(values).reshape(-1).copy()
        if flat.size and rng.random() < 0.6:
            at = rng.integers(0, flat.size, rng.integers(1, 3))
            bits = flat.view(f"u{flat.itemsize}")
            bits[at] ^= np.array(1 << rng.integers(0, 8 * flat.itemsize, at.size), bits.dtype)
            file[name].write_direct(np.ascontiguousarray(flat.reshape(np.shape(values))))
            return
        del file[name]
        kind = ["<u2", "<u4", "<u8", "<i4", "<f4", "<f8", ">u4", "<f2", "i1"][rng.integers(0, 9)]
        size = max(flat.size + int(rng.integers(-2, 3)), 0)
        with np.errstate(all="ignore"):
            other = np.resize(flat, size).astype(kind) if flat.size else np.zeros(size, kind)
        if rng.random() < 0.9:
            options = [{}, {"compression": 1}, {"shuffle": True, "fletcher32": True}]
            chosen = options[rng.integers(0, 3)] if size else {}
            file.create_dataset(name, data=other, **chosen)


def edit_attribute(rng: np.random.Generator, path: Path) -> None:
    """Change, drop or add an attribute of the root."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        names = [*file.attrs, "note"]
        name = names[rng.integers(0, len(names))]
        old = bytes(file.attrs[name]) if name in file.attrs else b"text"
        data = bytearray(old)
        if data:
            data[rng.integers(0, len(data))] ^= 1 << rng.integers(0, 7)
        if rng.random() < 0.1 and name in file.attrs:
            del file.attrs[name]
        else:
            file.attrs.create(name, fixed(bytes(data)))


def forge_chunk(rng: np.random.Generator, path: Path) -> None:
    """Replace the stored bytes of a chunk."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        found: list[str] = []
        file.visit(
            lambda name: found.append(name) if isinstance(file[name], h5py.Dataset) else None
        )
        names = [name for name in found if file[name].chunks and file[name].size]
        if not names:
            return
        dataset = file[names[rng.integers(0, len(names))]]
        count = dataset.id.get_num_chunks()
        place = dataset.id.get_chunk_info(int(rng.integers(0, count))).chunk_offset
        mask, data = dataset.id.read_direct_chunk(place)
        data = bytearray(data)
        choice = rng.integers(0, 4)
        if choice == 0 and data:
            data[rng.integers(0, len(data))] ^= int(rng.integers(1, 256))
        elif choice == 1:
            data = data[: int(rng.integers(0, len(data) + 1))]
        elif choice == 2:
            data += bytes(rng.integers(0, 256, 10, dtype=np.uint8))
        else:
            mask = int(rng.integers(0, 8))
        dataset.id.write_direct_chunk(place, bytes(data), mask)


MUTATIONS: list[Callable[[np.random.Generator, Path], None]] = [
    flip, flip_a_bit, flip_a_bit, resize, transplant, edit_json, edit_json, edit_array, edit_array,
    edit_attribute, forge_chunk,
]  # fmt: skip


def fixed(data: bytes) -> Any:
    """Return bytes as the format stores text."""
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))
