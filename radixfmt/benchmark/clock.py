"""A stopwatch with one list of nanoseconds per phase."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Samples by phase: `with clock("build"): …` appends one.

    Attributes:
        samples: phase → durations in nanoseconds, in the order taken.
    """

    __slots__ = ("samples",)

    def __init__(self) -> None:
        self.samples: dict[str, list[int]] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time the block and append it to the samples of `phase`; a block that raises is not."""
        start = perf_counter_ns()
        yield
        self.samples.setdefault(phase, []).append(perf_counter_ns() - start)
