"""Measure what files cost: 16 layers of 65536 x 65536 with 32 edges per neuron (33.5 M edges).

    python tools/benchmarks/storage.py [--layers 16] [--output results.json]

Every format writes and reads the same network in the same run: indices and pointers as int32 and
weights as float32 where it leaves the choice. Writing includes fsync of the file (and, for
radixfmt, every digest and the whole pattern check on reading); reading is from a warm cache into
arrays in memory. Ratios are what counts: the machine is shared. `radix` patterns are cyclic
shifts, `random` ones one random input in every band of n/32.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  a peer
import numpy as np

import radixfmt as rx
from radixfmt.benchmark.environment import environment
from radixfmt.benchmark.memory import peak_bytes
from radixfmt.model.invariants import problems

if TYPE_CHECKING:
    from collections.abc import Callable

N, DEGREE = 65536, 32
TIMES = 7
"""Runs of each, the best of which counts: fsync takes as long as the disk is busy."""


def radix_indices(layer: int) -> np.ndarray:
    """Return `[N, DEGREE]` sorted inputs of each neuron: cyclic shifts of one of three places."""
    place = (1, 32, 1024)[layer % 3]
    shifts = place * np.arange(DEGREE)
    found = (np.arange(N)[:, None] + shifts) % N
    return np.sort(found, axis=1).astype(np.int32)


def random_indices(layer: int) -> np.ndarray:
    """Return `[N, DEGREE]` sorted inputs: one in each band."""
    rng = np.random.default_rng(layer)
    band = N // DEGREE
    offsets = rng.integers(0, band, (N, DEGREE))
    return (offsets + band * np.arange(DEGREE)).astype(np.int32)


def layers_of(kind: str, count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return (indptr, indices, weights) of each layer."""
    make = radix_indices if kind == "radix" else random_indices
    indptr = np.arange(0, N * DEGREE + 1, DEGREE, dtype=np.int32)
    rng = np.random.default_rng(0)
    weights = [0.1 * rng.standard_normal(N * DEGREE, dtype=np.float32) for _ in range(count)]
    return [(indptr, make(i).reshape(-1), weights[i]) for i in range(count)]


def network_of(layers: list[Any]) -> rx.Network:
    """Return the layers as a network with explicit patterns."""
    made = [
        rx.Layer(f"layer{i}", rx.Pattern.explicit((N, N), indptr, indices), weights)
        for i, (indptr, indices, weights) in enumerate(layers)
    ]
    return rx.chain(made, activation="Relu")


def synced(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def with_h5py(options: dict[str, Any]) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Return writer and reader of plain h5py datasets."""

    def write(path: Path, layers: list[Any], _: rx.Network) -> None:
        with h5py.File(path, "w") as file:
            for i, arrays in enumerate(layers):
                for name, array in zip(("indptr", "indices", "values"), arrays, strict=True):
                    chunks = (min(array.size, (1 << 20) // 4),) if options else None
                    file.create_dataset(f"{i}/{name}", data=array, chunks=chunks, **options)
        synced(path)

    def read(path: Path) -> list[Any]:
        with h5py.File(path) as file:
            return [[dataset[:] for dataset in group.values()] for group in file.values()]

    return write, read


def with_npz(*, compressed: bool) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Return writer and reader of scipy-style npz."""

    def write(path: Path, layers: list[Any], _: rx.Network) -> None:
        arrays = {f"{i}_{j}": a for i, layer in enumerate(layers) for j, a in enumerate(layer)}
        with path.open("wb") as stream:
            (np.savez_compressed if compressed else np.savez)(stream, **arrays)
        synced(path)

    def read(path: Path) -> list[Any]:
        with np.load(path) as archive:
            return [archive[name] for name in archive.files]

    return write, read


def with_safetensors() -> tuple[Callable[..., None], Callable[..., Any]]:
    """Return writer and reader of safetensors, if it is installed."""
    from safetensors.numpy import load_file, save_file

    def write(path: Path, layers: list[Any], _: rx.Network) -> None:
        save_file(
            {f"{i}_{j}": a for i, layer in enumerate(layers) for j, a in enumerate(layer)}, path
        )
        synced(path)

    return write, load_file


def with_radixfmt(**options: Any) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Return writer and reader of this package: digests and checks included."""

    def write(path: Path, _: list[Any], network: rx.Network) -> None:
        rx.write(path, network, overwrite=True, storage="explicit", **options)

    return write, rx.read


def peers() -> dict[str, tuple[Callable[..., None], Callable[..., Any]]]:
    """Return every format by name."""
    found = {
        "radixfmt": with_radixfmt(),
        "h5py gzip-1 + shuffle on everything": with_h5py({"compression": 1, "shuffle": True}),
        "h5py contiguous": with_h5py({}),
        "npz": with_npz(compressed=False),
        "npz compressed": with_npz(compressed=True),
        "radixfmt --small": with_radixfmt(small=True),
    }
    try:
        found["safetensors"] = with_safetensors()
    except ImportError:
        print("safetensors is not installed: left out of the table", file=sys.stderr)
    return found


def best(times: int, work: Callable[[], Any]) -> float:
    """Return the least of several durations in seconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def table(kind: str, count: int, folder: Path) -> list[dict[str, Any]]:
    """Return size, write and read of every format on one kind of pattern."""
    layers = layers_of(kind, count)
    network = network_of(layers)
    raw = sum(array.nbytes for layer in layers for array in layer)
    rows = []
    for name, (write, read) in peers().items():
        path = folder / "file"
        times = 1 if "compressed" in name else TIMES

        def fresh(write: Any = write, path: Path = path) -> None:
            path.unlink(missing_ok=True)
            write(path, layers, network)

        writing = best(times, fresh)
        reading = best(times, lambda r=read, p=path: r(p))
        size = path.stat().st_size / raw
        rows.append({"format": name, "size": size, "write_s": writing, "read_s": reading})
        path.unlink()
    peer = next(row for row in rows if row["format"].startswith("h5py gzip"))
    for row in rows:
        row["write_x"] = peer["write_s"] / row["write_s"]
        row["read_x"] = peer["read_s"] / row["read_s"]
    return rows


def single(count: int, folder: Path) -> dict[str, float]:
    """Return the single figures: checks in memory, ten columns, information about a file."""
    layers = layers_of("radix", count)
    found: dict[str, float] = {}

    def check() -> None:
        for indptr, indices, _ in layers:
            if list(problems((N, N), indices.size, indptr, indices)):
                raise AssertionError("sound arrays were called broken")

    found["range, order and pointer checks_s"] = best(5, check)
    path = folder / "one.rx.h5"
    rx.write(path, network_of(layers), storage="explicit")
    with rx.open(path) as network:
        pattern = network.layers[count // 2]
        found["ten columns of an open layer_s"] = best(5, lambda: pattern.columns(40000, 40010))

    def whole() -> None:
        with rx.open(path) as network:
            network.layers[count // 2].columns(40000, 40010)

    found["open and ten columns_s"] = best(5, whole)
    imports = [sys.executable, "-c", "import click, h5py"]
    info = [sys.executable, "-m", "radixfmt", "info", str(path), "--json"]
    run = lambda words: subprocess.run(words, check=True, capture_output=True)  # noqa: E731
    found["python -c 'import click, h5py'_s"] = best(9, lambda: run(imports))
    found["info_s"] = best(9, lambda: run(info))
    return found


def stream(count: int, path: str) -> None:
    """Write `count` layers by column blocks and print the peak of resident memory."""
    with rx.Writer(path, overwrite=True) as writer:
        for i in range(count):
            indices = radix_indices(i)
            rng = np.random.default_rng(i)
            with writer.columns(f"layer{i}", (N, N), dtype="float32") as block:
                for start in range(0, N, 4096):
                    rows = indices[start : start + 4096]
                    weights = 0.1 * rng.standard_normal(rows.size, dtype=np.float32)
                    block.append(np.full(len(rows), DEGREE), rows.reshape(-1), weights)
    print(peak_bytes())


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--streamed", type=int, default=64)
    parser.add_argument("--output")
    parser.add_argument("--stream-only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stream_only:
        stream(options.streamed, options.stream_only)
        return
    record: dict[str, Any] = {"environment": environment(), "layers": options.layers}
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        for kind in ("radix", "random"):
            record[kind] = rows = table(kind, options.layers, folder)
            print(f"{kind}: size x raw, write s (x), read s (x); x against h5py gzip-1 + shuffle")
            for row in rows:
                print(
                    f"  {row['format']:<38} {row['size']:.3f}  {row['write_s']:6.3f} "
                    f"({row['write_x']:5.2f})  {row['read_s']:6.3f} ({row['read_x']:5.2f})"
                )
        record["single"] = single(options.layers, folder)
        for key, value in record["single"].items():
            print(f"{key.removesuffix('_s'):<44} {1000 * value:8.1f} ms")
        words = [sys.executable, __file__, "--streamed", str(options.streamed)]
        done = subprocess.run(
            [*words, "--stream-only", str(folder / "s.rx.h5")], check=True, capture_output=True
        )
        record["stream_peak_bytes"] = int(done.stdout)
        peak = int(done.stdout) / 1e6
        print(f"peak memory of streaming {options.streamed} layers: {peak:.0f} MB")
    if options.output:
        Path(options.output).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
