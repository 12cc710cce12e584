"""Mutate valid files and see that nothing but findings and our own errors comes of it.

    python tools/fuzz.py [--mutants 200000] [--seed 0] [--processes 2] [--output results.json]

Mutants come from the valid vectors: damaged bytes, edited JSON, edited or replaced arrays and
attributes, forged chunks. Each is validated and, whatever the verdict, opened and read whole. What
must not happen: a process that dies, an exception that is not a `RadixfmtError`, more than
`--seconds` for one mutant, a mutant that is called valid, holds something else than its original,
and still carries the original's digest. Mutant N of a seed is the same on every run:
`--only N` makes and keeps that one.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  mutants are made with it
import numpy as np

import radixfmt as rx
from radixfmt.errors import RadixfmtError
from radixfmt.model.digest import EXPANSION_LIMIT, graph_json

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).resolve().parents[1] / "spec/vectors/valid"
BATCH = 250
LIMITS = rx.Limits(expand=1 << 20, objects=10_000)
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


def portrait(network: rx.Network) -> tuple[Any, Any]:
    """Return what is computed with, and what is said of it, without using any digest."""
    layers = []
    for layer in network.layers:
        pattern = layer.pattern
        edges: Any = json.dumps(pattern.record, sort_keys=True)
        if pattern.nnz <= EXPANSION_LIMIT:
            edges = (
                pattern.indptr.astype("<u8").tobytes(),
                pattern.indices.astype("<u8").tobytes(),
            )
        weights = layer.weights
        if weights is not None and pattern.nnz <= EXPANSION_LIMIT:
            weights = np.broadcast_to(weights, (pattern.nnz,))
        bias = layer.bias
        if bias is not None and pattern.shape[1] <= EXPANSION_LIMIT:
            bias = np.broadcast_to(bias, (pattern.shape[1],))
        arrays = [None if a is None else (a.dtype.name, a.tobytes()) for a in (weights, bias)]
        stored = None if layer.quantized is None else np.asarray(layer.quantized.codes[:]).tobytes()
        geometry = None if layer.geometry is None else asdict(layer.geometry)
        layers.append((layer.kind, pattern.shape, pattern.nnz, edges, arrays, stored, geometry))
    tensors = {k: (v.dtype.name, v.shape, v.tobytes()) for k, v in network.tensors.items()}
    ext = {k: v if isinstance(v, str) else (str(v.dtype), v.shape, v.tobytes())
           for k, v in network.ext.items()}  # fmt: skip
    names = [layer.name for layer in network.layers]
    return (layers, graph_json(network), tensors), (names, network.metadata.as_json(), ext)


def declared(path: Path) -> tuple[Any, Any]:
    """Return the content and metadata digests that a file declares."""
    with h5py.File(path) as file:
        return file.attrs.get("content_digest"), file.attrs.get("metadata_digest")


@functools.cache
def known(original: Path) -> tuple[Any, Any]:
    """Return a vector's portrait and declared digests."""
    return portrait(rx.read(original)), declared(original)


def judge(path: Path, original: Path) -> str:
    """Return the verdict on a mutant, or raise what must not be raised."""
    report = rx.validate(path, limits=LIMITS)
    try:
        network = rx.read(path)
        seen = portrait(network)
    except RadixfmtError:
        if report.ok:
            raise AssertionError("valid, but cannot be read") from None
        return "refused"
    if not report.ok:
        return "invalid"
    before, digests = known(original)
    after = declared(path)
    for what, old, new, a, b in zip(
        ("content", "metadata"), before, seen, digests, after, strict=True
    ):
        if old != new and a == b:
            raise AssertionError(f"another {what}, the same digest")
    return "valid"


def mutant(number: int, seed: int, path: Path) -> Path | None:
    """Make mutant `number` at `path`; return its original, or None if HDF5 would not make it."""
    rng = np.random.default_rng([seed, number])
    originals = sorted(VECTORS.glob("*.rx.h5"))
    original = originals[rng.integers(0, len(originals))]
    shutil.copyfile(original, path)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        change = MUTATIONS[rng.integers(0, len(MUTATIONS))]
        try:
            change(rng, path)
        except Exception:  # noqa: BLE001  h5py refuses to make some nonsense
            return None
    return original


class Slow(Exception):  # noqa: N818  not an error of the package
    """A mutant took too long."""


def run(first: int, seed: int, seconds: int, folder: str, found: Any) -> None:
    """Judge one batch and put (number, verdict) pairs into a queue."""

    def too_slow(*_: Any) -> None:
        raise Slow

    signal.signal(signal.SIGALRM, too_slow)
    path = Path(folder) / f"{first}.rx.h5"
    for number in range(first, first + BATCH):
        found.put((number, "begun"))
        signal.alarm(seconds)
        try:
            original = mutant(number, seed, path)
            verdict = "not made" if original is None else judge(path, original)
        except Slow:
            verdict = "hang"
        except Exception:  # noqa: BLE001  what must not happen
            verdict = "exception: " + traceback.format_exc(limit=-4)
        signal.alarm(0)
        found.put((number, verdict))
    path.unlink(missing_ok=True)


def main() -> int:
    """Make and judge mutants; exit 1 if anything happened that must not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--only", type=int)
    parser.add_argument("--output")
    options = parser.parse_args()
    if options.only is not None:
        path = Path(f"mutant-{options.only}.rx.h5")
        print(path, "from", mutant(options.only, options.seed, path))
        return 0
    counts: Counter[str] = Counter()
    bad: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        waiting = list(range(0, options.mutants, BATCH))
        running: list[tuple[Any, Any, int]] = []
        while waiting or running:
            while waiting and len(running) < options.processes:
                first = waiting.pop(0)
                queue = multiprocessing.SimpleQueue()
                words = (first, options.seed, options.seconds, folder, queue)
                process = multiprocessing.Process(target=run, args=words)
                process.start()
                running.append((process, queue, first))
            process, queue, first = running.pop(0)
            last, died = drain(process, queue, counts, bad)
            if died:
                bad[last] = f"died: exit code {process.exitcode}"
                counts["died"] += 1
            done = sum(counts.values())
            print(f"\r{done} mutants, {dict(counts)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    record = {"mutants": sum(counts.values()), "seed": options.seed, "verdicts": dict(counts),
              "bad": {str(k): v for k, v in list(bad.items())[:5]}}  # fmt: skip
    print(json.dumps(record, indent=1))
    if options.output:
        Path(options.output).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 1 if bad else 0


def drain(process: Any, queue: Any, counts: Counter[str], bad: dict[int, str]) -> tuple[int, bool]:
    """Collect a batch's verdicts; return the last mutant begun and whether the process died."""
    last, ended = -1, True
    while process.is_alive() or not queue.empty():
        if queue.empty():
            process.join(0.01)
            continue
        number, verdict = queue.get()
        last, ended = number, verdict != "begun"
        if verdict == "begun":
            continue
        kind = verdict.partition(":")[0]
        counts[kind] += 1
        if kind in ("hang", "exception"):
            bad[number] = verdict
    process.join()
    return last, process.exitcode != 0 or not ended


if __name__ == "__main__":
    sys.exit(main())
