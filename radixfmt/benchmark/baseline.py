"""Comparison with an earlier benchmark: is anything slower than it was?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radixfmt.backends.precision import FLOAT32
from radixfmt.benchmark.environment import environment
from radixfmt.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from radixfmt.benchmark.result import BenchResult

TOLERANCE = 0.1
"""Share of its former speed an engine may lose before it counts as slower."""


@dataclass(frozen=True, slots=True)
class Change:
    """One engine then and now; speeds in edges per second."""

    engine: str
    batch: int
    threads: int
    precision: str
    before: float
    now: float

    @property
    def ratio(self) -> float:
        """Speed now / speed before; below 1 is slower."""
        return self.now / self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the engines of a baseline.

    Attributes:
        changes: every result that has a counterpart of equal engine, batch, threads
            and precision.
        regressions: those that lost more than the tolerance.
        notes: what limits the comparison: another environment, results without counterpart.
    """

    changes: tuple[Change, ...]
    regressions: tuple[Change, ...]
    notes: tuple[str, ...]


def baseline(
    old: Mapping[str, Any],
    results: Sequence[BenchResult],
    tolerance: float = TOLERANCE,
    *,
    here: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare results with the object that `radixfmt bench --json` wrote earlier.

    Args:
        old: `{environment, results: […]}`.
        results: of now.
        tolerance: share of the former speed that may be lost.
        here: the environment of `results`; None asks this machine.

    Raises:
        InputError: `old` is no such object.
    """
    try:
        before = {
            _key(r["engine"], r["batch"], r["threads"], r.get("precision", FLOAT32)): float(
                r["edges_per_second"]
            )
            for r in old["results"]
        }
        there = dict(old["environment"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"baseline: expected the object `radixfmt bench --json` writes, got one where "
            f"{type(error).__name__}: {error}",
            hint="radixfmt bench NET.rx.h5 --json > OLD.json",
        ) from error
    changes, notes = [], _differences(there, environment() if here is None else here)
    for result in results:
        key = _key(result.engine, result.batch, result.threads, result.precision)
        if before.get(key, 0.0) > 0:
            changes.append(Change(*key, before[key], result.edges_per_second))
        else:
            other = "" if result.precision == FLOAT32 else f", {result.precision}"
            notes.append(f"{key[0]}, batch {key[1]}, threads {key[2]}{other}: not in the baseline")
    slower = tuple(change for change in changes if change.ratio < 1 - tolerance)
    return Comparison(tuple(changes), slower, tuple(notes))


def _key(engine: Any, batch: Any, threads: Any, precision: Any) -> tuple[str, int, int, str]:
    return str(engine), int(batch), int(threads), str(precision)


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return a line for each thing of the environment that is not what it was."""
    return [
        f"environment, {key}: {there.get(key)} in the baseline, {here.get(key)} now"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key)
    ]
