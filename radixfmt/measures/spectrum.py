"""What is known of a bipartite graph's spectrum, and the numbers that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot, sqrt
from typing import Any

LANCZOS = "Lanczos"

ROUNDING = 1e-12
"""Share of sigma1 below which double precision does not tell a singular value from 0."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The two largest singular values of a biadjacency matrix B, and what goes with them.

    Attributes:
        method: how the numbers were found.
        sigma1: largest singular value; None where it is not known, as for all below.
        sigma2: second largest, counted with multiplicity; 0 if B has one row or column only.
        gap: sigma1 - sigma2.
        residual: the largest of ‖Bv - sigma·u‖ and ‖Bᵀu - sigma·v‖, over sigma1.
        connectivity: algebraic connectivity.
        normalised_gap: second-smallest eigenvalue of the normalised Laplacian.
        components: connected components, isolated neurons included.
        degrees: edges of each input and of each output, where both are constant and not 0.
        why: reasons, by the JSON key of what is not known.
    """

    method: str
    sigma1: float | None = None
    sigma2: float | None = None
    gap: float | None = None
    residual: float | None = None
    connectivity: float | None = None
    normalised_gap: float | None = None
    components: int | None = None
    degrees: tuple[int, int] | None = None
    why: dict[str, str] = field(default_factory=dict)

    @property
    def gap_ratio(self) -> float | None:
        """1 - sigma2 / sigma1."""
        return self.gap / self.sigma1 if self.gap is not None and self.sigma1 else None

    @property
    def ramanujan(self) -> bool | None:
        """Whether a connected graph of constant degrees has sigma2 ≤ √(dl - 1) + √(dr - 1)."""
        if self.degrees is None or self.components is None:
            return None
        if self.components > 1:
            return False
        if self.sigma2 is None or self.sigma1 is None:
            return None
        bound = sum(sqrt(degree - 1) for degree in self.degrees)
        doubt = self.residual * self.sigma1 if self.residual and self.method == LANCZOS else 0.0
        if self.sigma2 <= bound < self.sigma2 + doubt:
            return None
        return self.sigma2 <= bound + ROUNDING * self.sigma1

    def as_json(self) -> dict[str, Any]:
        """Return the entry of a layer as plain JSON values."""
        why = dict(self.why)
        if self.degrees is None:
            uneven = "an input or output has another degree than the others, or 0"
            why = {"degrees": uneven, "ramanujan": uneven} | why
        elif self.ramanujan is None:
            open_question = "sigma2 is closer to the bound than its residual"
            why = {"ramanujan": open_question} | why
        return {
            "sigma1": self.sigma1,
            "sigma2": self.sigma2,
            "gap_abs": self.gap,
            "gap_ratio": self.gap_ratio,
            "algebraic_connectivity": self.connectivity,
            "normalised_gap": self.normalised_gap,
            "components": self.components,
            "degrees": None if self.degrees is None else list(self.degrees),
            "ramanujan": self.ramanujan,
            "residual": self.residual,
            "method": self.method,
            "why": why,
        }


def regular_connectivity(degrees: tuple[float, float], gap: float, sigma2: float) -> float:
    """Return the algebraic connectivity of a connected graph of constant degrees.

    An eigenvalue λ of L = D - A and a singular value s of B belong together by
    (dl - λ)(dr - λ) = s²; the second smallest is the smaller root for sigma2, which is
    dl - sigma2 where dl = dr. (A graph of one edge has no second singular value; its λ is 2.)

    Args:
        degrees: dl and dr; sums of weights where edges have weights.
        gap: √(dl·dr) - sigma2, which may be more exact than the difference.
        sigma2: second singular value.
    """
    left, right = degrees
    if left == right:
        return gap
    difference = gap * (sqrt(left) * sqrt(right) + sigma2)  # dl·dr - sigma2²
    root = hypot(left - right, 2 * sigma2)
    return 2 * difference / (left + right + root)
