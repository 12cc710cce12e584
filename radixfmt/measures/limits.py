"""What measures spend and hold at most."""

from __future__ import annotations

from radixfmt.errors import ParameterError, UnsupportedError

BUDGET = 10**10
"""Operations that measures of paths spend by default: up to about a minute of processor time."""

LARGEST_SIDE = 1 << 27
"""Neurons of one side of a layer that can be kept track of: 1 GiB at 8 bytes each."""


def check_budget(budget: int) -> int:
    """Return a budget of operations or edges, if it is one.

    Raises:
        ParameterError: no integer of at least 1.
    """
    if type(budget) is not int or budget < 1:
        raise ParameterError(f"budget: expected an integer of at least 1, got {budget!r}")
    return budget


def check_side(neurons: int, what: str, *, hint: str | None = None) -> int:
    """Return the number of neurons of one side of a layer, if they can be kept track of.

    Args:
        neurons: of the side.
        what: the measure's word, in the plural, for what it would follow.
        hint: what to do instead.

    Raises:
        UnsupportedError: there are too many.
    """
    if neurons > LARGEST_SIDE:
        raise UnsupportedError(
            f"{what} of a layer with {neurons} neurons on one side are not followed; at most "
            f"{LARGEST_SIDE} are",
            hint=hint,
        )
    return neurons
