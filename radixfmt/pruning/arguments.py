"""Arguments that the ways to change a topology share."""

from __future__ import annotations

from fractions import Fraction
from numbers import Real

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import shown
from radixfmt.model.canonical import LARGEST_INTEGER


def share(what: str, value: float) -> Fraction:
    """Return `value`, a number from 0 to 1, as the decimal number it prints as.

    Raises:
        ParameterError: it is no such number; NaN is none.
    """
    try:
        found = Fraction(str(value)) if isinstance(value, Real) else Fraction(-1)
    except ValueError:  # nan, an infinity, a bool
        found = Fraction(-1)
    if not 0 <= found <= 1:
        raise ParameterError(f"{what}: expected a number from 0 to 1, got {shown(value)}")
    return found


def check_number(what: str, value: float) -> None:
    """Check that `value` is a number, no larger than an exact one of steps can be.

    Raises:
        ParameterError: it is no real number, or larger than 2^53; NaN is none, nor is a bool.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not abs(value) <= LARGEST_INTEGER:
        raise ParameterError(f"{what}: expected a number up to 2^53, got {shown(value)}")


def check_seed(seed: int) -> None:
    """Check that files can keep `seed`.

    Raises:
        ParameterError: it is no integer from 0 to 2^53 - 1.
    """
    if type(seed) is not int or not 0 <= seed <= LARGEST_INTEGER:
        raise ParameterError(f"seed: expected 0 to 2^53 - 1, got {shown(seed)}")
