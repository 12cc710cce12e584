"""By how much two runs of numbers differ: the largest difference, in value and in ULP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.model.dtypes import is_float

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class Tally:
    """What was found so far.

    Attributes:
        count: values that differ; of one type, those whose bits do (a NaN equals itself).
        max_abs: largest finite difference, None where there is none.
        max_ulp: the same in units in the last place: how many floats of that type lie between,
            plus one. None where types differ or are no floats.
        not_finite: differing pairs whose difference is not finite.
    """

    count: int = 0
    max_abs: float | None = None
    max_ulp: int | None = None
    not_finite: int = 0

    def add(self, one: NDArray[Any], other: NDArray[Any], *, times: int = 1) -> None:
        """Compare two vectors of one length, of values that stand `times` times each."""
        one, other = (np.asarray(x, x.dtype.newbyteorder("=")) for x in (one, other))
        same_type = one.dtype == other.dtype
        if same_type:
            differ = _bits(one) != _bits(other)
        else:
            one, other = one.astype(np.float64), other.astype(np.float64)
            differ = (one != other) & ~(np.isnan(one) & np.isnan(other))
        count = int(np.count_nonzero(differ))
        if not count:
            return
        self.count += count * times
        one, other = one[differ], other[differ]
        if not is_float(one.dtype):
            self.max_abs = max(self.max_abs or 0, _largest_gap(one, other))
            return
        with np.errstate(invalid="ignore", over="ignore"):
            gaps = np.abs(one.astype(np.float64) - other.astype(np.float64))
        finite = np.isfinite(gaps)
        self.not_finite += int((~finite).sum()) * times
        if finite.any():
            self.max_abs = max(self.max_abs or 0.0, float(gaps[finite].max()))
            if same_type:
                ranks = _ranks(one[finite]), _ranks(other[finite])
                self.max_ulp = max(self.max_ulp or 0, _largest_gap(*ranks))

    def as_json(self) -> dict[str, Any]:
        """Return `max_abs`, `max_ulp` and `count`, and `not_finite` if there are such."""
        found = {"max_abs": self.max_abs, "max_ulp": self.max_ulp, "count": self.count}
        return found | ({"not_finite": self.not_finite} if self.not_finite else {})


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    return values.view(f"u{values.dtype.itemsize}")


def _ranks(values: NDArray[Any]) -> NDArray[np.uint64]:
    """Return where finite floats stand among all of their type; both zeros stand together."""
    bits = _bits(values).astype(np.uint64)
    half = np.uint64(1 << (8 * values.dtype.itemsize - 1))
    return np.where(bits < half, half + bits, half - (bits & (half - np.uint64(1))))


def _largest_gap(one: NDArray[Any], other: NDArray[Any]) -> int:
    """Return the largest absolute difference of integers, exactly."""
    wide = np.uint64 if one.dtype.kind == "u" else np.int64
    one, other = one.astype(wide), other.astype(wide)
    gaps = np.maximum(one, other).view(np.uint64) - np.minimum(one, other).view(np.uint64)
    return int(gaps.max())
