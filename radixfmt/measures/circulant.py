"""Spectra in closed form of layers made of cyclic shifts.

A RadiX-Net layer of radix r and place value v is ones(a, b) ⊗ C with C = Σ P^(jv), j < r, P the
cyclic shift of n. C is normal with eigenvalues Σ ω^(jkv), so the layer's singular values are
√(ab)·|sin(πkrv/n) / sin(πkv/n)|, k < n, and zeros. Neither the direction of the shift nor an order
of the neurons changes them. They lie so close together that iterations do not tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import gcd, isqrt, prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.generators import from_record, recognise
from radixfmt.measures.recipes import recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

LARGEST_PERIOD = 2**24
"""Residues of a run of layers whose eigenvalues are looked at one by one."""

AT_ONCE = 2**20


@dataclass(frozen=True, slots=True)
class Circulant:
    """A layer ones(a, b) ⊗ C, perhaps with its neurons in another order.

    Attributes:
        n: residues.
        radix: r; r·v divides n.
        place: v.
        blocks: (a, b).
        relabelled: its neurons are in another order.
    """

    n: int
    radix: int
    place: int
    blocks: tuple[int, int]
    relabelled: bool = False

    @property
    def degrees(self) -> tuple[int, int]:
        """Edges of each input and of each output."""
        return self.radix * self.blocks[1], self.radix * self.blocks[0]

    @property
    def components(self) -> int:
        """Connected components: with r > 1, v of them."""
        return self.n if self.radix == 1 else self.place

    @property
    def sigma1(self) -> float:
        """Largest singular value."""
        return sqrt(self.degrees[0] * self.degrees[1])

    @property
    def gap(self) -> float:
        """Largest less second-largest singular value, without cancellation.

        The graph of one component has v = 1, and k = 1 gives the second largest: of all sets of r
        residues an interval has the largest first Fourier coefficient, and k only moves residues.
        """
        if self.components > 1:
            return 0.0
        if self.radix == self.n:
            return self.sigma1
        j = np.arange(self.radix)
        sines = np.sin((self.radix - 1 - 2 * j) * (np.pi / (2 * self.n)))
        return sqrt(prod(self.blocks)) * 2 * float(np.vdot(sines, sines))

    @property
    def index(self) -> int:
        """The k of the second-largest singular value."""
        return self.n // self.place if self.radix > 1 and self.place > 1 else 1

    def kills(self, order: int) -> bool:
        """Return whether all eigenvalues are 0 that belong to k of n/gcd(k, n) = `order`."""
        return self.radix * self.place % order == 0 and self.place % order != 0


def circulant_of(pattern: Pattern, position: int) -> Circulant | None:
    """Return what a layer's record, or the edges themselves, prove; None for other layers.

    Args:
        pattern: of the layer.
        position: index of the layer in its network, a hint for what to try first.
    """
    record = pattern.record or recognise(pattern, position)
    if record is None:
        return None
    base = record["parameters"]["base"] if record["generator"] == "permuted/1" else record
    name, parameters = base["generator"], base["parameters"]
    if name == "dense/1":
        return Circulant(1, 1, 1, (parameters["inputs"], parameters["outputs"]))
    if name == "identity/1":
        return Circulant(parameters["size"], 1, 1, (1, 1), base is not record)
    known = recipe_of(pattern if pattern.record else from_record(record))
    if known is None:
        return None
    system, digit = known.digit
    return Circulant(
        known.period,
        known.systems[system][digit],
        known.place_value,
        (known.widths[known.index], known.widths[known.index + 1]),
        known.relabelled,
    )


def second_vector(pattern: Pattern, layer: Circulant) -> NDArray[np.float64]:
    """Return a unit vector `[n_out]` that belongs to the second-largest singular value."""
    n_out = pattern.shape[1]
    order = pattern.arrays["out_perm"] if "out_perm" in pattern.arrays else np.arange(n_out)
    if layer.n > 1:
        vector = cosine(order % layer.n, layer.index, layer.n)
    else:  # any vector across the one that belongs to sigma1
        vector = np.zeros(n_out)
        if n_out > 1:
            vector[:2] = 1, -1
    return vector / (np.linalg.norm(vector) or 1.0)


def cosine(residues: NDArray[np.integer], k: int, n: int) -> NDArray[np.float64]:
    """Return cos(2πk·residue/n)."""
    found: NDArray[np.float64] = np.cos(2 * np.pi / n * (residues * k % n))
    return found


def cyclic_shifts(pattern: Pattern) -> NDArray[np.int64] | None:
    """Return the inputs of output 0 if output j has those plus j, modulo n; else None."""
    n, n_out = pattern.shape
    if n != n_out or not pattern.nnz or pattern.nnz % n:
        return None
    degree = pattern.nnz // n
    shifts = pattern.columns(0, 1).indices.astype(np.int64)
    for start, stop, block in pattern.blocks():
        if (np.diff(block.indptr) != degree).any():
            return None
        rows = block.indices.reshape(stop - start, degree).astype(np.int64)
        moved = (rows - np.arange(start, stop)[:, None]) % n
        if (np.sort(moved, axis=1) != shifts).any():
            return None
    return shifts


def constant_product(layers: Sequence[Circulant | None]) -> bool:
    """Return whether records prove a product of layers of constant degrees to be constant.

    A stretch of layers in one order of neurons has a product of cyclic shifts. It is constant if
    every eigenvalue but the first is 0, and the layers around it keep it so.
    """
    if any(layer and layer.n == 1 for layer in layers):
        return True
    for period, group in groupby(layers, _period):
        stretch = set(group)
        if period is None:
            continue
        orders = (order for order in _divisors(period) if order > 1)
        if all(any(layer and layer.kills(order) for layer in stretch) for order in orders):
            return True
    return False


def product_ratio(layers: Sequence[Circulant | None]) -> float | None:
    """Return sigma2 / sigma1 of a product of layers in one order of neurons; None for others.

    Both are products of eigenvalues for one k, since cyclic shifts commute.
    """
    periods = {_period(layer) for layer in layers}
    if len(periods) != 1 or None in periods:
        return None
    (n,) = periods
    assert n is not None  # noqa: S101  said above
    if n > LARGEST_PERIOD:
        return None
    steps = [(layer.radix, layer.place) for layer in layers if layer]
    powers = {step: steps.count(step) for step in set(steps)}
    best = 0.0
    for start in range(1, n // 2 + 1, AT_ONCE):  # k and n - k belong together
        k = np.arange(start, min(start + AT_ONCE, n // 2 + 1))
        found = np.ones(k.size)
        for (radix, place), power in powers.items():
            found *= _share(k * place % n, radix, n) ** power
        best = max(best, float(found.max()))
    return best


def _share(k: NDArray[np.int64], radix: int, n: int) -> NDArray[np.float64]:
    """Return |sin(πkr/n) / sin(πk/n)| / r, the share that is left of a Fourier vector."""
    sines = np.sin(np.pi / n * (k * radix % n))
    below = radix * np.sin(np.pi / n * k)
    found: NDArray[np.float64] = np.abs(np.divide(sines, below, out=np.ones(k.size), where=k != 0))
    return found


def _period(layer: Circulant | None) -> int | None:
    return None if layer is None or layer.relabelled else layer.n


def _divisors(number: int) -> Iterable[int]:
    low = np.arange(1, isqrt(number) + 1)
    small = low[number % low == 0].tolist()
    return {*small, *(number // divisor for divisor in small)}


def shift_components(shifts: NDArray[np.int64], n: int) -> int:
    """Return the connected components of a layer of cyclic shifts."""
    return gcd(n, *(shifts - shifts[0]).tolist())
