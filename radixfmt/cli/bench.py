"""`radixfmt bench`: engines side by side on one network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radixfmt.backends.precision import FLOAT32, PRECISIONS
from radixfmt.benchmark import ENGINES
from radixfmt.benchmark.engines import engine
from radixfmt.cli.options import device_option, overwritable, spoken

if TYPE_CHECKING:
    from radixfmt.cli.output import Output


@click.command(
    epilog="Example: radixfmt bench net.rx.h5 --engine ort-auto --engine ort-dense --batch 256"
)
@click.argument("file")
@click.option(
    "--engine", "engines", multiple=True, metavar="NAME",
    help=f"{', '.join(engine)}; repeat it. By default {', '.join(ENGINES)}.",
)  # fmt: skip
@click.option(
    "--batch", "batches", multiple=True, type=click.IntRange(min=1), help="Rows; repeat it."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@device_option
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=FLOAT32, show_default=True,
    help="Of the arithmetic; others than float32 are for CUDA.",
)  # fmt: skip
@click.option(
    "--time-budget", type=click.FloatRange(min=0), default=60.0, show_default=True,
    metavar="SECONDS", help="After this no further round starts; at least three are run.",
)  # fmt: skip
@click.option(
    "--baseline", metavar="OLD.json", help="Exit 1 if an engine is slower than in this file."
)
@click.option("--plot", metavar="FILE", help="Also draw the times, .png or .svg.")
@overwritable
@spoken
def command(
    file: str,
    engines: tuple[str, ...],
    batches: tuple[int, ...],
    threads: int,
    device: str,
    precision: str,
    time_budget: float,
    baseline: str | None,
    plot: str | None,
    overwrite: bool,
    output: Output,
) -> int:
    """Measure how fast engines run a network, each in its own process, taking turns."""
    from radixfmt.backends.parity import TOLERANCE
    from radixfmt.backends.precision import TOLERANCES
    from radixfmt.benchmark import bench
    from radixfmt.benchmark.baseline import baseline as compare
    from radixfmt.benchmark.environment import environment
    from radixfmt.benchmark.table import table
    from radixfmt.files import check_target
    from radixfmt.plots import check_suffix
    from radixfmt.plots.timings import timings

    old = None if baseline is None else _read(baseline)
    if old is not None:
        compare(old, [])  # refuses what is no baseline before the work starts
    if plot is not None:
        check_suffix(plot)
        check_target(plot, overwrite=overwrite)
    results = bench(
        file,
        engines=engines or ENGINES,
        batch=batches or 4096,
        threads=threads,
        device=device,
        precision=precision,
        time_budget=time_budget,
        progress=output.progress("measuring"),
    )
    record: dict[str, Any] = {
        "environment": environment(),
        "results": [result.as_json() for result in results],
    }
    output.answer(table(results), record)
    if plot is not None:
        timings(record["results"], plot, overwrite=overwrite)
    tolerance = max(TOLERANCE, TOLERANCES[precision])
    off = [result.engine for result in results if not result.parity.max_rel <= tolerance]
    for name in off:
        output.note(f"parity fails: {name} is further than {tolerance:g} from the reference")
    slower = 0 if old is None else _compare(old, results, output)
    return 1 if off else slower


def _read(path: str) -> dict[str, Any]:
    """Return an earlier `bench --json`, before the work starts."""
    from radixfmt.errors import InputError, PathError

    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PathError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{path}: expected what `bench --json` printed: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("results"), list):
        raise InputError(f"{path}: expected what `bench --json` printed, got other JSON")
    return found


def _compare(old: dict[str, Any], results: list[Any], output: Output) -> int:
    from radixfmt.benchmark.baseline import baseline
    from radixfmt.errors import InputError

    compared = baseline(old, results)
    for note in compared.notes:
        output.note(note)
    for change in compared.changes:
        verdict = "slower" if change in compared.regressions else "kept up"
        output.note(
            f"{change.engine}, batch {change.batch}: {change.ratio:.2f} of the baseline's speed, "
            f"{verdict}"
        )
    if not compared.changes:
        raise InputError("baseline: none of these engines, batches and threads is in it")
    return 1 if compared.regressions else 0
