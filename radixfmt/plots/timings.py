"""A benchmark as a picture: how long engines take, with whiskers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.errors import InputError
from radixfmt.files import check_target
from radixfmt.plots import check_suffix, new_figure, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, LINE = 6.0, 0.25
"""Inches: of the picture, and of its height for each engine."""


def timings(results: Sequence[Mapping[str, Any]], target: str, *, overwrite: bool = False) -> None:
    """Draw the median seconds of engines as points, whiskers from the 10th to the 90th percentile.

    Each batch, number of threads and precision has a panel of its own; further left is better.

    Args:
        results: of `radixfmt bench --json`, drawn from top to bottom.
        target: a .png or .svg file.
        overwrite: replace what exists.

    Raises:
        InputError: there are no results.
        ParameterError: another suffix.
        MissingDependencyError: matplotlib is not installed.
    """
    check_suffix(target)
    check_target(target, overwrite=overwrite)
    panels: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for result in results:
        key = (result["batch"], result["threads"], result.get("precision", "float32"))
        panels.setdefault(key, []).append(result)
    if not panels:
        raise InputError("plot: expected results, got none")
    heights = [LINE * (len(panel) + 3) for panel in panels.values()]
    figure = new_figure(WIDTH, sum(heights))
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, ((batch, threads, precision), panel) in zip(grid, panels.items(), strict=True):
        _draw(axes, panel)
        axes.set_title(f"batch {batch}, threads {threads}, {precision}", size=8)
    grid[-1].set_xlabel("seconds per run: median, whiskers p10 to p90", size=7)
    write(figure, target, overwrite=overwrite)


def _draw(axes: Any, results: Sequence[Mapping[str, Any]]) -> None:
    seconds = [result["seconds"] for result in results]
    medians = [s["median"] for s in seconds]
    whiskers = [
        [max(0.0, s["median"] - s["p10"]) for s in seconds],
        [max(0.0, s["p90"] - s["median"]) for s in seconds],
    ]
    at = range(len(results))
    axes.errorbar(medians, at, xerr=whiskers, fmt="o", markersize=4, capsize=3, linewidth=1)
    axes.grid(axis="x", linewidth=0.3)
    axes.set_yticks(at, [result["engine"] for result in results], parse_math=False)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.3, y=0.1)  # room for the speeds
    for i, result in enumerate(results):
        axes.annotate(
            f"{result['edges_per_second'] / 1e9:.3g} Gedges/s", (seconds[i]["p90"], i),
            xytext=(6, 0), textcoords="offset points", va="center", size=6,
        )  # fmt: skip
    axes.tick_params(labelsize=6)
