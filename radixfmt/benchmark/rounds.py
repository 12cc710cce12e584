"""Rounds in which jobs take turns, each in a process of its own, and what comes of them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.benchmark.process import WorkerProcess
from radixfmt.benchmark.result import BenchResult
from radixfmt.benchmark.workload import checked_rows, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from radixfmt.benchmark.job import Job

LEAST_SAMPLES = 3
"""Steady samples of each engine, whatever the time budget."""


def measured(
    jobs: Sequence[Job],
    *,
    repeats: int,
    deadline: float,
    step: Callable[[], None] = lambda: None,
) -> list[BenchResult]:
    """Return the results of jobs, which may differ in anything, in their order.

    Args:
        jobs: with different `outputs`.
        repeats: rounds; in each, every job gives one steady sample.
        deadline: of `time.monotonic`, after which no further round starts; at least
            `LEAST_SAMPLES` rounds are run.
        step: called when a job is set up, and for every sample.

    Raises:
        RadixfmtError: an engine refuses its network, or its process died.
    """
    from radixfmt.backends.parity import parity

    repeats = max(repeats, LEAST_SAMPLES)
    yardsticks = {_key(job): _yardstick(job) for job in {_key(job): job for job in jobs}.values()}
    with ExitStack() as stack:
        workers = []
        for job in jobs:  # one after the other: engines must not disturb each other's trials
            workers.append(stack.enter_context(WorkerProcess(job)))
            step()
        steady: list[list[int]] = [[] for _ in jobs]
        while len(steady[0]) < repeats and (
            len(steady[0]) < LEAST_SAMPLES or time.monotonic() < deadline
        ):
            turns = list(zip(workers, steady, strict=True))
            # the first of a round can be some percent slower: no engine is always first
            for worker, taken in turns[:: -1 if len(steady[0]) % 2 else 1]:
                taken.append(worker.run())
                step()
        results = []
        for job, worker, taken in zip(jobs, workers, steady, strict=True):
            finished = worker.finish()
            expected, edges = yardsticks[_key(job)]
            results.append(
                BenchResult(
                    engine=job.engine,
                    provider=worker.ready["provider"],
                    lowering=worker.ready["lowering"],
                    batch=job.settings.batch,
                    threads=job.settings.threads,
                    samples=worker.ready["samples"] | {"steady": taken},
                    edges=edges,
                    peak_bytes=finished["peak_bytes"],
                    parity=parity(np.load(job.outputs), expected),
                    config=worker.ready["config"],
                    precision=job.settings.precision,
                    placement=finished["placement"],
                )
            )
    return results


def _key(job: Job) -> tuple[str, int, int]:
    return job.path, job.settings.batch, job.seed


def _yardstick(job: Job) -> tuple[NDArray[np.float64], int]:
    """Return what the reference makes of the checked rows, and the network's number of edges."""
    from radixfmt.backends.scipy import reference
    from radixfmt.storage import reader

    batch = job.settings.batch
    with reader.open(job.path) as network:
        x = samples(network, batch, job.seed)[checked_rows(batch)]
        return reference(network, x), network.nnz
