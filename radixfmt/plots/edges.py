"""What may be drawn edge by edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from radixfmt.model.pattern import Pattern

LARGEST_DRAWN = 2**31


def check_drawable(pattern: Pattern) -> None:
    """Check that a pattern can be walked edge by edge.

    Raises:
        UnsupportedError: it has more than 2^31 edges, or 2^31 neurons on a side.
    """
    largest = max(pattern.nnz, *pattern.shape)
    if largest > LARGEST_DRAWN:
        raise UnsupportedError(
            f"a layer of {pattern.shape[0]} x {pattern.shape[1]} neurons and {pattern.nnz} edges "
            "is too large to draw; at most 2^31 of either can be",
            hint="draw a smaller network of the same family",
        )
