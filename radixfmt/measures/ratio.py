"""Exact numbers as JSON: fractions, and tallies of integers."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ratio(numerator: int, denominator: int) -> dict[str, Any]:
    """Return a fraction in lowest terms as `{numerator, denominator, value}`.

    `value` is the nearest float64; None if the denominator is 0 or the fraction is beyond 1e308.
    """
    divisor = gcd(numerator, denominator) or 1
    numerator, denominator = numerator // divisor, denominator // divisor
    try:
        value = numerator / denominator if denominator else None
    except OverflowError:
        value = None
    return {"numerator": numerator, "denominator": denominator, "value": value}


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each of some integers stands in a vector: ascending values and their counts."""

    values: list[int]
    counts: list[int]

    @classmethod
    def of(cls, vector: NDArray[np.int64]) -> Tally:
        """Return the tally of a vector; one number repeated without memory costs nothing."""
        if repeats(vector):
            return cls([int(vector[0])], [vector.size])
        values, counts = np.unique(vector, return_counts=True)
        return cls(values.tolist(), counts.tolist())

    @property
    def total(self) -> int:
        """Sum of the vector."""
        return sum(value * count for value, count in zip(self.values, self.counts, strict=True))

    def count(self, value: int) -> int:
        """Return how often `value` stands in the vector."""
        return dict(zip(self.values, self.counts, strict=True)).get(value, 0)


def repeats(vector: NDArray[Any]) -> bool:
    """Return whether a vector is one number, broadcast: a regular layer's degrees are."""
    return vector.size > 0 and vector.strides == (0,)
