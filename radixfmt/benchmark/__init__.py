"""Benchmarks: every engine in a process of its own, all taking turns on the same samples.

Machines are noisy: rounds in which each engine runs once spread the noise over all alike, and
ratios are taken inside a round. Every result is checked against the float64 reference.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from radixfmt.backends.precision import FLOAT32
from radixfmt.benchmark.engines import Settings, engine
from radixfmt.benchmark.job import Job
from radixfmt.benchmark.rounds import LEAST_SAMPLES, measured
from radixfmt.errors import ParameterError
from radixfmt.model.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from radixfmt.benchmark.result import BenchResult

ENGINES = ("ort-auto", "ort-dense", "scipy")
"""Ours, the dense model ONNX Runtime would run instead, and the usual sparse library."""


def bench(
    network_or_path: Network | str | os.PathLike[str],
    *,
    engines: Sequence[str] = ENGINES,
    batch: int | Sequence[int] = 4096,
    threads: int = 1,
    device: str = "auto",
    precision: str = FLOAT32,
    repeats: int = 20,
    time_budget: float = 60.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[BenchResult]:
    """Measure how fast engines run a network.

    Args:
        network_or_path: a network is first written to a temporary file; workers read files.
        engines: registered names, in the order of the results.
        batch: rows per run, or several to measure one after the other.
        threads: threads each engine may use.
        device: "auto", "cpu" or "cuda", for the engines that can choose.
        precision: on CUDA "tf32", "float16" or "bfloat16" in place of "float32".
        repeats: rounds; in each, every engine warms up, if its runs are short, and gives one
            steady sample.
        time_budget: seconds after which no further round starts, all batch sizes together and
            preparation included; at least `LEAST_SAMPLES` rounds are run.
        seed: of the samples, float32 uniform in [0, 1).
        progress: called with (steps done, steps in all).

    Returns:
        One result per batch size and engine, batch sizes first.

    Raises:
        UnknownNameError: no such engine.
        ParameterError: a number out of range, or no engine, or no batch size.
        MissingDependencyError: an engine's library is not installed.
        RadixfmtError: an engine refuses the network, or its process died.
    """
    names = tuple(dict.fromkeys(engines))
    for name in names:
        engine[name]
    batches = (batch,) if isinstance(batch, int) else tuple(batch)
    _check(names, batches, threads, repeats, time_budget)
    steps = _Steps(len(batches) * len(names) * (1 + max(repeats, LEAST_SAMPLES)), progress)
    deadline = time.monotonic() + time_budget
    results = []
    with TemporaryDirectory(prefix="radixfmt-bench-") as folder:
        path = _file(network_or_path, Path(folder))
        for i, rows in enumerate(batches):
            now = time.monotonic()
            settings = Settings(rows, threads, device, precision)
            results += measured(
                [Job(name, path, settings, seed, f"{folder}/{name}.npy") for name in names],
                repeats=repeats,
                deadline=now + (deadline - now) / (len(batches) - i),
                step=steps.one,
            )
    steps.all()
    return results


class _Steps:
    """Counts what is done for whoever draws the progress."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def one(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)

    def all(self) -> None:
        """The budget may have cut rounds off: jump to the end."""
        if self._done < self._total:
            self._done = self._total - 1
            self.one()


def _check(
    names: Sequence[str], batches: Sequence[int], threads: int, repeats: int, time_budget: float
) -> None:
    if not names or not batches:
        raise ParameterError("benchmark: expected at least one engine and one batch size")
    least = {"threads": threads, "repeats": repeats, **{f"batch {b}": b for b in batches}}
    for what, value in least.items():
        if value < 1:
            raise ParameterError(f"benchmark, {what}: expected at least 1, got {value}")
    if not time_budget >= 0:
        raise ParameterError(f"benchmark, time budget: expected seconds, got {time_budget}")


def _file(source: Network | str | os.PathLike[str], folder: Path) -> str:
    """Return a file of the network, made here if there is none: workers read files."""
    from radixfmt.storage import writer

    if not isinstance(source, Network):
        return os.fspath(source)
    path = folder / "network.rx.h5"
    writer.write(path, source)
    return str(path)
