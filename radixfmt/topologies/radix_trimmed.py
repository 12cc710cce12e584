"""A corner of a RadiX-Net layer, [:n_in, :n_out], which no generator's record describes.

"Testing RadiX-Nets" (Kwak et al., arXiv 2311.03609) cuts a network so to the sizes that its data
has. Edges are counted in closed form, so that a search may count many layers it never makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from radixfmt.model.columns import Columns, index_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from radixfmt.generators.regular import RegularColumns


@dataclass(frozen=True, slots=True)
class Step:
    """What joins one layer to the next: source residue s to s + direction·j·place mod n, j < radix.

    Attributes:
        n: residues; a neuron is block·n + residue.
        radix: at least 2.
        place: radix·place divides n.
        direction: -1 or 1.
    """

    n: int
    radix: int
    place: int
    direction: int

    def edges(self, n_in: int, n_out: int) -> int:
        """Return the number of edges between the first n_in inputs and the first n_out outputs."""
        whole_in, part_in = divmod(n_in, self.n)
        whole_out, part_out = divmod(n_out, self.n)
        full = (whole_in * whole_out * self.n + whole_in * part_out + whole_out * part_in) * (
            self.radix
        )
        # the cells (s, t) of the corner of one block with s - t = j·place modulo n
        s, t = (part_in, part_out) if self.direction < 0 else (part_out, part_in)
        last = t - self.n + (self.radix - 1) * self.place
        corner = self._sum(s) - self._sum(s - t) + self._sum(last) - self._sum(last - s)
        return full + corner

    def fan_in(self, n_in: int, outputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the first n_in inputs each of these outputs has."""
        whole, part = divmod(n_in, self.n)
        first = outputs if self.direction < 0 else outputs - (self.radix - 1) * self.place
        first = first % self.n

        def below(bound: int) -> NDArray[np.int64]:
            """Return how many j have first + j·place < bound."""
            return np.clip(-((first - bound) // self.place), 0, self.radix)

        # first + j·place is below 2n: it is in the part, or past n in the part
        found: NDArray[np.int64] = whole * self.radix + below(part)
        return found + below(self.n + part) - below(self.n)

    def feeds(self, n_in: int, n_out: int) -> bool:
        """Return whether each of the first n_out outputs has one of the first n_in inputs."""
        return self._covers(n_in, n_out, self.direction)

    def drains(self, n_in: int, n_out: int) -> bool:
        """Return whether each of the first n_in inputs has one of the first n_out outputs."""
        return self._covers(n_out, n_in, -self.direction)

    def spread(self, residues: int) -> int:
        """Return what these residues reach; both are sets, bit i of an integer for residue i."""
        every = (1 << self.n) - 1
        have = 1
        while have < self.radix:  # what j < have reaches, and the same moved by `more` turns
            more = min(have, self.radix - have)
            turn = self.direction * more * self.place % self.n
            residues |= (residues << turn | residues >> (self.n - turn)) & every
            have += more
        return residues

    def _covers(self, given: int, wanted: int, sign: int) -> bool:
        """Return whether residues below `given`, moved by j places, cover those below `wanted`."""
        given, wanted = min(given, self.n), min(wanted, self.n)
        if given >= wanted:
            return True
        if given < self.place:  # gaps remain between the places
            return False
        reach = given + (self.radix - 1) * self.place
        return reach >= (wanted if sign > 0 else self.n)

    def _sum(self, bound: int) -> int:
        """Return the sum of max(0, bound - j·place) over j."""
        if bound <= 0:
            return 0
        terms = min(self.radix, -(-bound // self.place))
        return terms * bound - self.place * (terms * (terms - 1) // 2)


@dataclass(frozen=True, slots=True, eq=False)
class TrimmedColumns:
    """The first `shape` inputs and outputs of a RadiX-Net layer, made when they are asked for.

    Attributes:
        base: the whole layer.
        shape: (n_in, n_out), at most those of `base`.
        step: the rule of `base`.
    """

    base: RegularColumns
    shape: tuple[int, int]
    step: Step
    record: None = None
    arrays: ClassVar[Mapping[str, NDArray[Any]]] = {}

    @property
    def nnz(self) -> int:
        """Number of edges."""
        return self.step.edges(*self.shape)

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""
        return self.step.fan_in(self.shape[0], np.arange(start, stop, dtype=np.int64))

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return self.step.edges(self.shape[0], column)

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop)."""
        whole = self.base.columns(start, stop)
        kept = whole.indices < self.shape[0]
        before = np.concatenate(([0], np.cumsum(kept)))
        indices = whole.indices[kept].astype(index_dtype(self.shape[0]), copy=False)
        return Columns(before[whole.indptr], indices)
