"""Results as a plain-text table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.benchmark.result import BenchResult

DENSE = "ort-dense"
"""The engine others are compared with."""

HEADER = (
    "engine", "lowering", "batch", "median", "p10 to p90", "Gedges/s", "x dense", "peak MB",
    "max rel",
)  # fmt: skip
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


def table(results: Sequence[BenchResult]) -> str:
    """Return one line per result below a header, without a final newline.

    "x dense" is how many times faster than `ort-dense` at the same batch and threads, the median
    over the rounds of one `bench` call; "-" where that engine did not run.
    """
    dense = {(r.batch, r.threads): r for r in results if r.engine == DENSE}
    rows = [HEADER, *(_row(r, dense.get((r.batch, r.threads))) for r in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)  # the names left, figures right
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(result: BenchResult, dense: BenchResult | None) -> tuple[str, ...]:
    seconds = result.seconds
    return (
        result.engine,
        result.lowering,
        str(result.batch),
        _duration(seconds["median"]),
        f"{_duration(seconds['p10'])} to {_duration(seconds['p90'])}",
        f"{result.edges_per_second / 1e9:.3g}",
        "-" if dense is None else f"{result.speedup(dense):.2f}",
        "-" if result.peak_bytes is None else f"{result.peak_bytes / 1e6:.0f}",
        f"{result.parity.max_rel:.1e}",
    )


def _duration(seconds: float) -> str:
    """Return three digits in the largest unit that leaves at least 1."""
    scale, unit = next((u for u in UNITS if seconds >= u[0]), UNITS[-1])
    return f"{seconds / scale:.3g} {unit}"
