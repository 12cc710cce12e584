"""A RadiX-Net cut to layer sizes of one's own: what it is, and what the cut leaves of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from radixfmt.topologies.radix_trimmed import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

UNTRIMMED = "Nothing is trimmed: all that holds for RadiX-Nets holds."
TRIMMED = (
    "Layers are trimmed to [:size, :next size]: every input still reaches every output and every "
    "neuron has inputs, but no longer by equally many paths (no symmetry), nor are layer densities "
    "exactly radix/n, nor all neurons of a layer joined to equally many (no column regularity)."
)
IDLE = " Some neurons have no outputs; no better network was found."


@dataclass(frozen=True, slots=True)
class Design:
    """A RadiX-Net and the layer sizes it is cut to.

    Attributes:
        sizes: neurons of each layer, one more than there are radices.
        systems: the mixed-radix systems.
        direction: sign of the cyclic shift.
        edges: of all layers together, after the cut.
        idle: whether some neuron has no outputs.
    """

    sizes: Sequence[int]
    systems: list[list[int]]
    direction: int
    edges: int
    idle: bool

    @property
    def n(self) -> int:
        """Neurons of a block, the product of the first system."""
        return prod(self.systems[0])

    @property
    def blocks(self) -> list[int]:
        """Blocks of each layer, the paper's D, before the cut."""
        return [-(-size // self.n) for size in self.sizes]

    @property
    def trimmed(self) -> bool:
        """Whether anything is cut away."""
        return any(size % self.n for size in self.sizes)

    @property
    def density(self) -> Fraction:
        """Edges over cells, all layers together."""
        return Fraction(self.edges, cells(self.sizes))

    @property
    def unevenness(self) -> Fraction:
        """Sum over the layers of (radix / n)²; of two equally dense networks the evener has less.

        The paper's estimate of density, the mean radix over n, rests on even radices.
        """
        squares = sum(radix * radix for system in self.systems for radix in system)
        return Fraction(squares, self.n**2)

    @property
    def description(self) -> str:
        """What a file says of the network."""
        return (
            f"RadiX-Net found for layer sizes {shown(self.sizes)}: systems {self.systems}, blocks "
            f"{self.blocks} of n = {self.n} neurons, direction {self.direction}; {self.edges} of "
            f"{cells(self.sizes)} cells are edges (density {float(self.density):.6g}). "
            + (TRIMMED if self.trimmed else UNTRIMMED)
            + (IDLE if self.idle else "")
        )

    def steps(self) -> list[Step]:
        """Return the rule of each layer."""
        return rules(self.systems, self.direction)

    def connected(self) -> bool:
        """Return whether every input reaches every output.

        It is certain while every hidden layer keeps a whole block. Otherwise residues are followed
        from each input, in time and memory about the square of n.
        """
        if min(self.sizes[1:-1], default=self.n) >= self.n:
            return True
        reached = {1 << residue for residue in range(min(self.sizes[0], self.n))}
        for step, size in zip(self.steps(), self.sizes[1:], strict=True):
            kept = (1 << min(size, self.n)) - 1
            reached = {step.spread(residues) & kept for residues in reached}
        return reached == {(1 << min(self.sizes[-1], self.n)) - 1}


def rules(systems: Sequence[Sequence[int]], direction: int) -> list[Step]:
    """Return the rule of each layer of the RadiX-Net with these systems."""
    n = prod(systems[0])
    return [
        Step(n, radix, prod(system[:i]), direction)
        for system in systems
        for i, radix in enumerate(system)
    ]


def cells(sizes: Sequence[int]) -> int:
    """Return the number of edges of the dense network."""
    return sum(n_in * n_out for n_in, n_out in pairwise(sizes))


def shown(sizes: Sequence[int]) -> str:
    """Return layer sizes for a person, shortened in the middle."""
    texts = [str(size) for size in sizes]
    return ", ".join(texts if len(texts) <= 12 else [*texts[:6], "…", *texts[-6:]])
