"""The process one engine runs in: `python -m radixfmt.benchmark.worker`.

It talks JSON lines. In: a job, then any number of "run", then "finish". Out, one line for each:
`{ready: {…}}`, `{ns: …}`, `{finished: {…}}`, or `{error: {…}}` and the end. It ends when its input
does, even in the middle of a run, so that a parent that dies takes it along.
"""

from __future__ import annotations

import gc
import json
import os
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from radixfmt.backends.device import resolve
from radixfmt.benchmark.clock import Clock
from radixfmt.benchmark.engines import TILE, Ready, Settings, Work, engine
from radixfmt.benchmark.job import Job
from radixfmt.benchmark.memory import peak_bytes
from radixfmt.benchmark.workload import checked_rows, samples
from radixfmt.errors import RadixfmtError
from radixfmt.model.layer import Layer
from radixfmt.model.network import chain
from radixfmt.model.pattern import Pattern
from radixfmt.storage.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

SAMPLE_NS = 20_000_000
"""A sample repeats runs until it is about this long, so that short runs are timed well."""

WARM_NS = 5_000_000_000
"""A turn begins with a run that does not count, unless runs take this long: what other engines left
of the caches would make up a part of a short run."""

TRIAL_NS = 2_000_000_000
"""Trying one config ends after this long or three runs."""


def main() -> None:
    """Do one job over stdin and stdout."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to stderr, not into the conversation
    source = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:  # a forked child may close what it thinks is stdin
        os.dup2(nothing.fileno(), 0)
    messages: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(source, messages), daemon=True).start()
    try:
        _serve(messages.get, channel)
    except RadixfmtError as error:
        problem = {"type": type(error).__name__, "message": str(error), "hint": error.hint}
        _say(channel, {"error": problem | {"code": error.code}})


def _listen(source: TextIO, messages: SimpleQueue[Any]) -> None:
    """Pass on what the parent says; when it has said its last, end the process at once."""
    for line in source:
        messages.put(json.loads(line))
    os._exit(0)


def _say(channel: TextIO, message: Mapping[str, Any]) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _serve(hear: Callable[[], Any], channel: TextIO) -> None:
    message = hear()
    job = Job(**message | {"settings": Settings(**message["settings"])})
    config, refused = _fastest_config(job)
    ready, x, clock = _prepare(job, config)
    with clock("first"):
        work = ready.work(x)
        work.run()
    once = _time(work)
    runs = max(1, SAMPLE_NS // max(1, once))
    _say(
        channel,
        {
            "ready": {
                "provider": ready.provider,
                "lowering": ready.lowering,
                "config": {**config, "runs_per_sample": runs, **refused},
                "samples": clock.samples,
            }
        },
    )
    while hear() == "run":
        if once < WARM_NS:
            work.run()
        start = perf_counter_ns()
        for _ in range(runs):
            work.run()
        _say(channel, {"ns": (perf_counter_ns() - start) // runs})
    np.save(job.outputs, work.outputs()[checked_rows(job.settings.batch)])
    peak = peak_bytes()  # before the second session that tells the placement
    del work
    found = None if ready.placement is None else ready.placement().as_json()
    _say(channel, {"finished": {"peak_bytes": peak, "placement": found}})


def _prepare(job: Job, config: Mapping[str, Any]) -> tuple[Ready, NDArray[np.float32], Clock]:
    """Return the engine at work on the file, its samples, and the phases until here."""
    _rehearse(job, config)
    clock = Clock()
    with clock("read"):
        network = read(job.path, verify=True)
    x = samples(network, job.settings.batch, job.seed)
    return engine[job.engine](network, job.settings, config, clock), x, clock


def _rehearse(job: Job, config: Mapping[str, Any]) -> None:
    """Run a network of two neurons once: phases then time the work, not the imports."""
    tiny = chain([Layer("tiny", Pattern.explicit((2, 2), [0, 2, 4], [0, 1, 0, 1]), 1.0)])
    with suppress(RadixfmtError):  # what is really wrong shows with the real network
        ready = engine[job.engine](tiny, job.settings, config, Clock())
        ready.work(np.ones((2, 2), np.float32)).run()


def _configs(job: Job) -> tuple[Mapping[str, Any], ...]:
    """Return the configs to try for this job."""
    facts = engine.facts(job.engine)
    known: tuple[Mapping[str, Any], ...] = facts["configs"]
    if "cuda_configs" in facts and resolve(job.settings.device) == "cuda":
        known = facts["cuda_configs"]
    # a tile that holds the whole batch is no other config than no tile
    return tuple(c for c in known if (c.get("tile") or 0) < job.settings.batch) or known


def _fastest_config(job: Job) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the config under which this engine is fastest on this job, and what was refused.

    Each is set up, timed and let go before the next, so that the peak memory is that of one.

    Raises:
        RadixfmtError: every config is refused.
    """
    configs = _configs(job)
    if len(configs) == 1:
        return configs[0], {}
    taken, refused = {}, {}
    for i, config in enumerate(configs):
        try:
            taken[i] = _trial(job, config)
        except RadixfmtError as error:
            if i == len(configs) - 1 and not taken:
                raise
            refused[json.dumps(config)] = str(error)
        gc.collect()
    fastest = configs[min(taken, key=taken.__getitem__)]
    return fastest, {"refused": refused} if refused else {}


def _trial(job: Job, config: Mapping[str, Any]) -> int:
    """Return the nanoseconds of the fastest of up to three runs."""
    ready, x, _ = _prepare(job, config)
    ready.work(x[:TILE]).run()
    work = ready.work(x)
    runs = [_time(work)]
    while len(runs) < 3 and sum(runs) < TRIAL_NS:
        runs.append(_time(work))
    return min(runs)


def _time(work: Work) -> int:
    """Return the nanoseconds of one run."""
    start = perf_counter_ns()
    work.run()
    return perf_counter_ns() - start


if __name__ == "__main__":
    main()
