"""What the studies share: a command line, trials in parallel, and the files that tell the result.

A study is a function of one trial, called in a process of its own with one thread and a seed, so
that results do not depend on how many run at once. It writes `NAME.json` (every trial and the
environment), `NAME.png` (a plot) and `NAME.md` (the page).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from radixfmt.benchmark.environment import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
QUICK = Path(__file__).parent / "quick"
"""Where --quick writes: never over the results of a full run."""


class Options(NamedTuple):
    """How a study is run.

    Attributes:
        quick: a smoke test of under two minutes: fewer cases, epochs and images.
        seeds: how many times each case is trained.
        jobs: trials at the same time.
        output: folder of the files.
    """

    quick: bool
    seeds: int
    jobs: int
    output: Path


def options(about: str) -> Options:
    """Return what the command line asks for.

    Args:
        about: what the study does, for --help.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="a smoke test of under two minutes")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trials at the same time")
    parser.add_argument("--output", type=Path, help="folder of the JSON, the plot and the page")
    found = parser.parse_args()
    if found.seeds < 1 or found.jobs < 1:
        parser.error("--seeds and --jobs: expected at least 1")
    return Options(
        found.quick, found.seeds, found.jobs, found.output or (QUICK if found.quick else RESULTS)
    )


def trials(
    trial: Callable[..., dict[str, Any]], cases: Iterable[dict[str, Any]], options: Options
) -> list[dict[str, Any]]:
    """Return `case | {"seed": seed} | trial(**case, seed=seed)` of every case and seed, in order.

    Args:
        trial: a function of a module's top level; what it returns must be JSON values.
        cases: its arguments, JSON values too.
        options: of the study.
    """
    work = [case | {"seed": seed} for case in cases for seed in range(options.seeds)]
    found: list[dict[str, Any]] = [{} for _ in work]
    began = time.monotonic()
    with ProcessPoolExecutor(
        options.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
    ) as pool:
        running = {pool.submit(trial, **words): i for i, words in enumerate(work)}
        for done, future in enumerate(as_completed(running), 1):
            i = running[future]
            found[i] = work[i] | future.result()
            told = " ".join(f"{value}" for value in work[i].values())
            seconds = time.monotonic() - began
            print(f"{done}/{len(work)} {seconds:.0f} s: {told}", file=sys.stderr, flush=True)
    return found


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def spread(values: Sequence[float], digits: int = 2, scale: float = 100) -> str:
    """Return "mean ± standard deviation" of the trials, by default of shares as per cent."""
    mean = statistics.fmean(values) * scale
    deviation = statistics.stdev(values) * scale if len(values) > 1 else 0.0
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def footing(name: str, options: Options) -> str:
    """Return the page's last lines: the command and the run's environment."""
    here = environment()
    versions = ", ".join(
        f"{key} {here['packages'].get(key)}" for key in ("numpy", "scipy", "torch")
    )
    words = f"{' --quick' if options.quick else ''} --seeds {options.seeds}"
    return (
        f"Made by `python tools/reproduce/{name}.py{words}` with radixfmt {here['radixfmt']}, "
        f"Python {here['python']}, {versions} on {here['os']}, {here['cpu']}, one thread a trial."
    )


def publish(
    name: str,
    options: Options,
    found: Sequence[dict[str, Any]],
    facts: dict[str, Any],
    figure: Figure,
    page: str,
) -> None:
    """Write the study's three files and say where.

    Args:
        name: of the study.
        options: of the study.
        found: all trials.
        facts: what else a reader of the JSON needs (data, epochs, published figures).
        figure: the plot.
        page: Markdown; it may show the plot as `NAME.png`.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    record = {
        "study": name,
        "quick": options.quick,
        "environment": environment(),
        **facts,
        "trials": list(found),
    }
    text = json.dumps(record, indent=1) + "\n"
    (options.output / f"{name}.json").write_text(text, encoding="utf-8")
    figure.savefig(options.output / f"{name}.png", dpi=120, metadata={"Software": None})
    (options.output / f"{name}.md").write_text(page.rstrip() + "\n", encoding="utf-8")
    print(options.output / f"{name}.md")
