"""Exact counts of any size, and exact products with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import scipy.sparse as sp
    from numpy.typing import NDArray

LIMB_BITS = 36
MASK = (1 << LIMB_BITS) - 1
LARGEST_WORD = 1 << 62
LARGEST_FAN_IN = LARGEST_WORD >> LIMB_BITS
"""Fewer limbs than this can be added in an int64."""


@dataclass(slots=True)
class Counts:
    """Counts of any size as int64 limbs of 36 bits, lowest first; one word while that does.

    Attributes:
        limbs: int64 `[rows, columns]` each.
        bound: no limb holds more.
    """

    limbs: list[NDArray[np.int64]]
    bound: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.limbs[0].shape[0], self.limbs[0].shape[1]

    def carried(self) -> Counts:
        """Return the same counts with every limb below 2^36: the one way to write them."""
        limbs = []
        carry = np.zeros_like(self.limbs[0])
        for limb in self.limbs:
            whole = limb + carry
            limbs.append(whole & MASK)
            carry = whole >> LIMB_BITS
        if carry.any():
            limbs.append(carry)
        return Counts(limbs, MASK)

    def take(self, rows: Any = slice(None), columns: Any = slice(None)) -> Counts:
        """Return some rows and columns."""
        return Counts([limb[rows][:, columns] for limb in self.limbs], self.bound)

    def exact(self, columns: Any = slice(None)) -> NDArray[Any]:
        """Return some columns as int64 where that holds them, else as Python integers."""
        if len(self.limbs) == 1:
            return self.limbs[0][:, columns]
        whole = self.limbs[-1][:, columns].astype(object)
        for limb in reversed(self.limbs[:-1]):
            whole = (whole << LIMB_BITS) + limb[:, columns]
        return whole

    def divided(self, columns: NDArray[np.intp], divisors: NDArray[Any]) -> Counts:
        """Return the counts with some columns divided by what divides all of their entries."""
        quotient = self.exact(columns) // divisors
        limbs = [limb.copy() for limb in self.limbs]
        if len(limbs) == 1:
            limbs[0][:, columns] = quotient
        else:
            for limb in limbs:
                limb[:, columns] = (quotient & MASK).astype(np.int64)
                quotient >>= LIMB_BITS
            while len(limbs) > 1 and not limbs[-1].any():
                limbs.pop()
        return Counts(limbs, self.bound)

    def rows(self) -> NDArray[np.int64]:
        """Return `[rows, limbs · columns]`: rows are equal if their counts are."""
        return self.limbs[0] if len(self.limbs) == 1 else np.hstack(self.limbs)

    def columns(self) -> NDArray[np.int64]:
        """Return `[columns, limbs · rows]`: rows of it are equal if their counts are."""
        return self.limbs[0].T if len(self.limbs) == 1 else np.vstack(self.limbs).T


def product(blocks: Iterable[sp.csr_array], counts: Counts, fan_in: int) -> Counts:
    """Return the row blocks of a layer, stacked, times counts.

    Args:
        blocks: int64 `[rows of the block, counts' rows]`.
        counts: of paths to the layer's inputs.
        fan_in: no row of a block adds up to more.

    Raises:
        UnsupportedError: more than 2^26 edges enter one neuron.
    """
    if fan_in >= LARGEST_FAN_IN:
        raise UnsupportedError(
            f"a neuron has {fan_in} inputs; paths are counted through neurons of up to "
            f"{LARGEST_FAN_IN - 1}"
        )
    given = counts if counts.bound * fan_in < LARGEST_WORD else counts.carried()
    made = [[matrix @ limb for limb in given.limbs] for matrix in blocks]
    limbs = [np.concatenate(p) if len(p) > 1 else p[0] for p in zip(*made, strict=True)]
    if len(limbs) == 1:
        return Counts(limbs, int(limbs[0].max(initial=0)))
    return Counts(limbs, LARGEST_WORD).carried()
