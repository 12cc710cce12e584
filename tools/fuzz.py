"""Mutate valid files and see that nothing but findings and our own errors comes of it.

    python tools/fuzz.py [--mutants 200000] [--seed 0] [--processes 2] [--output results.json]

Mutants come from the valid vectors: damaged bytes, edited JSON, edited or replaced arrays and
attributes, forged chunks. Each is validated and, whatever the verdict, opened and read whole, and
some are converted. What must not happen: a process that dies, an exception that is not a
`RadixfmtError`, also one inside a check, more than `--seconds` for one mutant, a mutant that is
called valid and cannot be read or converted to the same content, or that holds something else than
its original and still carries the original's digest. Mutant N of a seed is the same on every run:
`--only N` makes and keeps that one.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py  # noqa: TID253  mutants are made with it
import numpy as np
from mutations import MUTATIONS

import radixfmt as rx
from radixfmt.errors import RadixfmtError
from radixfmt.model.digest import EXPANSION_LIMIT, graph_json

CRASHED = re.compile(r"the check '.*' (failed on this file|ran out of memory)")
"""What `radixfmt.validate` says of a check that raised something."""

VECTORS = Path(__file__).resolve().parents[1] / "spec/vectors/valid"
BATCH = 250
EVERY = 16
"""One mutant in so many is also converted."""
LIMITS = rx.Limits(expand=1 << 20, objects=10_000)


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


def judge(path: Path, original: Path, *, convert: bool = True) -> str:
    """Return the verdict on a mutant, or raise what must not be raised."""
    report = rx.validate(path, limits=LIMITS)
    for finding in report.findings:
        if CRASHED.search(finding.message):
            raise AssertionError(finding.message)
    try:
        network = rx.read(path)
        seen = portrait(network)
    except RadixfmtError:
        if report.ok:
            raise AssertionError("valid, but cannot be read") from None
        if convert:
            repacked(path, "explicit")  # older drafts convert; others are refused by our errors
        return "refused"
    if report.ok:
        compare(path, original, seen)
    if convert:
        small = sum(layer.pattern.nnz for layer in network.layers) <= LIMITS.expand
        copy = repacked(path, "explicit" if small else "procedural")
        if report.ok and copy != (declared(path)[0], seen[0]):
            raise AssertionError("valid, but not converted to the same content")
    return "valid" if report.ok else "invalid"


def compare(path: Path, original: Path, seen: tuple[Any, Any]) -> None:
    """Check that a valid mutant that holds something else than its original says so."""
    before, digests = known(original)
    after = declared(path)
    for what, old, new, a, b in zip(
        ("content", "metadata"), before, seen, digests, after, strict=True
    ):
        if old != new and a == b:
            raise AssertionError(f"another {what}, the same digest")


def repacked(path: Path, storage: str) -> tuple[Any, Any] | None:
    """Convert a mutant; return the copy's content digest and content, or None if it is refused."""
    copy = path.with_name(f"copy-{path.name}")
    try:
        try:
            rx.convert(path, copy, storage=storage, overwrite=True)
        except RadixfmtError:
            return None
        if not rx.validate(copy, limits=LIMITS).ok:
            raise AssertionError("converted to an invalid file")
        return declared(copy)[0], portrait(rx.read(copy))[0]
    finally:
        copy.unlink(missing_ok=True)


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


class Slow(BaseException):
    """A mutant took too long; no `except Exception` on the way takes it for something else."""


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
            verdict = (
                "not made"
                if original is None
                else judge(path, original, convert=number % EVERY == 0)
            )
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
            last, died = drain(process, queue, counts, bad, 3 * options.seconds)
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


def drain(
    process: Any, queue: Any, counts: Counter[str], bad: dict[int, str], patience: float
) -> tuple[int, bool]:
    """Collect a batch's verdicts; return the last mutant begun and whether the process died.

    One that says nothing for `patience` seconds hangs where no signal reaches it, and is killed.
    """
    last, ended, heard = -1, True, time.monotonic()
    while process.is_alive() or not queue.empty():
        if queue.empty():
            process.join(0.01)
            if time.monotonic() - heard > patience:
                process.kill()
            continue
        number, verdict = queue.get()
        heard = time.monotonic()
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
