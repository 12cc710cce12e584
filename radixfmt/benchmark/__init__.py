"""Benchmarks: every engine in a process of its own, all taking turns on the same samples.

Machines are noisy: rounds in which each engine runs once spread the noise over all alike, and
ratios are taken inside a round. Every result is checked against the float64 reference.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.benchmark.engines import Settings, engine
from radixfmt.benchmark.job import Job
from radixfmt.benchmark.process import WorkerProcess
from radixfmt.benchmark.result import BenchResult
from radixfmt.benchmark.workload import checked_rows, samples
from radixfmt.errors import ParameterError
from radixfmt.model.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ENGINES = ("ort-auto", "ort-dense", "scipy")
"""Ours, the dense model ONNX Runtime would run instead, and the usual sparse library."""

LEAST_SAMPLES = 3
"""Steady samples of each engine, whatever the time budget."""


def bench(
    network_or_path: Network | str | os.PathLike[str],
    *,
    engines: Sequence[str] = ENGINES,
    batch: int | Sequence[int] = 4096,
    threads: int = 1,
    device: str = "auto",
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
        repeats: rounds; in each, every engine gives one steady sample.
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
    with TemporaryDirectory(prefix="radixfmt-bench-") as folder, ExitStack() as opened:
        network, path = _both(network_or_path, Path(folder), opened)
        for i, rows in enumerate(batches):
            now = time.monotonic()
            results += _measure(
                network,
                [
                    Job(name, path, Settings(rows, threads, device), seed, f"{folder}/{name}.npy")
                    for name in names
                ],
                Path(folder),
                repeats=max(repeats, LEAST_SAMPLES),
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


def _both(
    source: Network | str | os.PathLike[str], folder: Path, opened: ExitStack
) -> tuple[Network, str]:
    """Return the network and a file of it, making the one that is missing."""
    from radixfmt.storage import reader, writer

    if isinstance(source, Network):
        path = folder / "network.rx.h5"
        writer.write(path, source)
        return source, str(path)
    return opened.enter_context(reader.open(source)), os.fspath(source)


def _measure(
    network: Network,
    jobs: Sequence[Job],
    folder: Path,
    *,
    repeats: int,
    deadline: float,
    step: Callable[[], None],
) -> list[BenchResult]:
    """Return the results of jobs of one batch size, run in rounds."""
    from radixfmt.backends.parity import parity
    from radixfmt.backends.scipy import reference

    settings = jobs[0].settings
    rows = checked_rows(settings.batch)
    expected = reference(network, samples(network, settings.batch, jobs[0].seed)[rows])
    edges = network.nnz
    with ExitStack() as stack:
        workers = []
        for job in jobs:  # one after the other: engines must not disturb each other's trials
            workers.append(stack.enter_context(WorkerProcess(job, folder)))
            step()
        steady: list[list[int]] = [[] for _ in jobs]
        while len(steady[0]) < repeats and (
            len(steady[0]) < LEAST_SAMPLES or time.monotonic() < deadline
        ):
            for worker, taken in zip(workers, steady, strict=True):
                taken.append(worker.run())
                step()
        return [
            BenchResult(
                engine=job.engine,
                provider=worker.ready["provider"],
                lowering=worker.ready["lowering"],
                batch=settings.batch,
                threads=settings.threads,
                samples=worker.ready["samples"] | {"steady": taken},
                edges=edges,
                peak_bytes=worker.finish()["peak_bytes"],
                parity=parity(np.load(job.outputs), expected),
                config=worker.ready["config"],
            )
            for job, worker, taken in zip(jobs, workers, steady, strict=True)
        ]
