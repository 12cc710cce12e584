"""How far outputs are from the float64 reference, in one pair of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.errors import InputError, ParityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 3
"""Distinct values of outputs that can show more than where a network saturates."""

TOLERANCE = 1e-4
"""Largest `max_rel` that passes unless the caller says otherwise."""

TOLERANCES = {"float16": 2e-2, "float32": TOLERANCE, "float64": TOLERANCE / 10}
"""By element type of the model. Float64 is no tighter: ONNX keeps attributes in float32."""


class Parity(NamedTuple):
    """The distance between outputs and their reference.

    Attributes:
        max_abs: largest difference of two values.
        max_rel: for each sample, the largest difference over the largest magnitude in its
            reference (0/0 = 0); the maximum over samples. A sample's small outputs are thus
            judged on the scale of its large ones, as sums that cancel must be.
        rows: number of samples.
    """

    max_abs: float
    max_rel: float
    rows: int


def parity(y: Any, reference: Any) -> Parity:
    """Return how far `y` is from `reference`; both `[B, n]`, or of any equal shape.

    Raises:
        InputError: shapes differ.
    """
    difference, relative = _compare(y, reference)
    return Parity(
        float(difference.max(initial=0)), float(relative.max(initial=0)), difference.shape[0]
    )


def check(y: Any, reference: Any, *, tolerance: float = TOLERANCE) -> Parity:
    """Return the parity of `y`.

    Raises:
        InputError: shapes differ.
        ParityError: `max_rel` is above `tolerance`, or a value is not a number.
    """
    difference, relative = _compare(y, reference)
    bad = ~(relative <= tolerance)  # true for NaN too
    if bad.any():
        sample = int(np.argmax(np.where(np.isnan(relative), np.inf, relative)))
        output = int(np.argmax(np.where(np.isnan(difference[sample]), np.inf, difference[sample])))
        found = np.asarray(y).reshape(difference.shape)[sample, output]
        wanted = np.asarray(reference).reshape(difference.shape)[sample, output]
        raise ParityError(
            f"sample {sample}, output {output}: expected {wanted:.9g}, got {found:.9g}; "
            f"relative difference {relative[sample]:.3g} is above {tolerance:g} "
            f"in {int(bad.sum())} of {bad.size} samples",
            hint="run `radixfmt run` with --device cpu and --lowering dense to see which part "
            "differs",
        )
    return parity(y, reference)


def tolerance_of(dtype: np.dtype[Any]) -> float:
    """Return the largest `max_rel` that rounding explains for models of this element type."""
    return TOLERANCES.get(dtype.name, TOLERANCE)


def weakness(reference: Any) -> str | None:
    """Return why parity with these outputs `[B, n]` would say little, None if it says enough."""
    outputs = np.asarray(reference)
    values = np.unique(outputs)
    if values.size == 0:
        return "the reference has no outputs"
    if values.size < FEWEST:
        return f"the reference's outputs are all {' or '.join(f'{v:g}' for v in values)}"
    if (outputs == outputs[0]).all():
        return "the reference's outputs are the same for every sample"
    return None


def _compare(y: Any, reference: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return |y - reference| as `[B, rest]`, and the relative difference of each sample `[B]`."""
    found, wanted = np.asarray(y, np.float64), np.asarray(reference, np.float64)
    if found.shape != wanted.shape:
        raise InputError(f"outputs: expected shape {wanted.shape}, got {found.shape}")
    rows = found.shape[0] if found.ndim else 1
    shape = (rows, found.size // rows if rows else 0)
    found, wanted = found.reshape(shape), wanted.reshape(shape)
    difference = np.abs(found - wanted)
    largest = np.abs(wanted).max(axis=1, initial=0)
    worst = difference.max(axis=1, initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(worst == 0, 0.0, worst / largest)
    return difference, relative
