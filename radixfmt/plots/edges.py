"""What may be drawn edge by edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from radixfmt.model.pattern import Pattern

LARGEST_DRAWN = 2**31
"""Edges that are walked: minutes."""

LARGEST_SIDE = 2**24
"""Neurons on a side: arrays of as many numbers are made."""


def check_drawable(pattern: Pattern) -> None:
    """Check that a pattern can be walked edge by edge.

    Raises:
        UnsupportedError: it has more than 2^31 edges, or 2^24 neurons on a side.
    """
    if pattern.nnz > LARGEST_DRAWN or max(pattern.shape) > LARGEST_SIDE:
        raise UnsupportedError(
            f"a layer of {pattern.shape[0]} x {pattern.shape[1]} neurons and {pattern.nnz} edges "
            "is too large to draw; at most 2^24 neurons and 2^31 edges can be",
            hint="draw a smaller network of the same family",
        )
