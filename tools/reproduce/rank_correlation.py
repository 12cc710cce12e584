"""Rank correlations between what a topology measures and what it learns."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = Sequence[dict[str, Any]]

MEASURES = {
    "gap": "gap ratio of layers",
    "connectivity": "algebraic connectivity of layers",
    "network_gap": "gap ratio of the network",
}
"""Key of a trial → what the page calls it."""

PERMUTATIONS = 9_999


def epochs_to(curve: Sequence[float], target: float) -> float:
    """Return the epochs until an accuracy is reached, by straight lines from 0.1 at epoch 0.

    Where it is not reached this is one more than there are, so that ranks place it last.
    """
    before = 0.1
    for epoch, accuracy in enumerate(curve):
        if accuracy >= target:
            return epoch + (target - before) / (accuracy - before)
        before = accuracy
    return len(curve) + 1.0


def outcomes(trial: dict[str, Any], readout: str, target: float) -> dict[str, float]:
    """Return a training's last accuracy and the epochs it took to `target`."""
    curve = trial[readout]
    return {"accuracy": curve[-1], "epochs": epochs_to(curve, target)}


def means(trials: Rows, degree: int, readout: str, target: float) -> dict[str, dict[str, float]]:
    """Return label → measures and outcomes of a group of families, means over seeds."""
    rows: dict[str, list[dict[str, float]]] = {}
    for trial in trials:
        if trial["degree"] == degree:
            row = {key: trial[key] for key in MEASURES} | outcomes(trial, readout, target)
            rows.setdefault(trial["label"], []).append(row)
    return {
        label: {key: fmean(row[key] for row in found) for key in found[0]}
        for label, found in rows.items()
    }


def correlations(trials: Rows, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return Spearman's rank correlation for every degree, readout, outcome and measure.

    Returns:
        entries with `rho` of the families' means and its `n`; `p`, the share of permutations of
        the families that correlate at least as much, either way; and `by_seed`, mean and standard
        deviation of the correlations of each seed alone.
    """
    plan, found = facts["plan"], []
    seeds = sorted({trial["seed"] for trial in trials})
    for degree in plan["degrees"]:
        for readout, target in plan["targets"].items():
            whole = means(trials, degree, readout, target)
            alone = [
                means([t for t in trials if t["seed"] == seed], degree, readout, target)
                for seed in seeds
            ]
            for outcome in ("accuracy", "epochs"):
                for measure in MEASURES:
                    each = [spearman(*_columns(part, measure, outcome))[0] for part in alone]
                    rho, p = spearman(*_columns(whole, measure, outcome))
                    entry = {"degree": degree, "readout": readout, "outcome": outcome}
                    entry |= {"measure": measure, "n": len(whole), "rho": rho, "p": p}
                    deviation = stdev(each) if len(each) > 1 else 0.0
                    found.append(entry | {"by_seed": [fmean(each), deviation]})
    return found


def spearman(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return the correlation of ranks, and its two-sided p-value by permutations (seed 0).

    Both are (0, 1) where all x, or all y, are equal.
    """
    from scipy.stats import permutation_test, rankdata

    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (x, y)]
    size = float(np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1])))
    if size == 0:
        return 0.0, 1.0

    def statistic(moved: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray((moved * ranks[1]).sum(axis=axis) / size)

    test = permutation_test(
        (ranks[0],), statistic, permutation_type="pairings", vectorized=True,
        n_resamples=PERMUTATIONS, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(test.statistic), float(test.pvalue)


def _columns(
    rows: dict[str, dict[str, float]], measure: str, outcome: str
) -> tuple[list[float], list[float]]:
    return [row[measure] for row in rows.values()], [row[outcome] for row in rows.values()]
