"""`radix-net/1`: one layer of a RadiX-Net (Robinett & Kepner, arXiv 1905.00416).

With n the product of the first mixed-radix system, a layer of radix r and place value v joins
source residue s to destination residues s + direction·j·v mod n, j = 0 … r-1; a neuron is
block·n + residue, and all D_in·D_out pairs of blocks are joined alike (ones ⊗ W on the left).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators import generator
from radixfmt.model.canonical import LARGEST_INTEGER
from radixfmt.model.columns import LARGEST_DIMENSION, Columns, index_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LARGEST_DEGREE = 2**24
"""Inputs per neuron: a column is the least that is made at a time."""


@dataclass(frozen=True, slots=True)
class RadixNetLayer:
    """One layer's rule; `make` checks the parameters."""

    period: int
    radix: int
    place: int
    blocks_in: int
    blocks_out: int
    direction: int
    record: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(n·D_in, n·D_out)."""
        return self.period * self.blocks_in, self.period * self.blocks_out

    @property
    def degree(self) -> int:
        """Edges into every output neuron: radix · D_in."""
        return self.radix * self.blocks_in

    @property
    def nnz(self) -> int:
        """Number of edges."""
        return self.degree * self.shape[1]

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""
        return np.full(stop - start, self.degree, np.int64)

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return column * self.degree

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop)."""
        residues = np.arange(start, stop, dtype=np.int64) % self.period
        shifts = self.direction * self.place * np.arange(self.radix, dtype=np.int64)
        sources = np.sort((residues[:, None] - shifts) % self.period, axis=1)
        offsets = self.period * np.arange(self.blocks_in, dtype=np.int64)
        dtype = index_dtype(self.shape[0])
        indices = sources.astype(dtype)[:, None, :] + offsets.astype(dtype)[None, :, None]
        return Columns(
            np.arange(0, indices.size + 1, self.degree, dtype=np.int64), indices.reshape(-1)
        )


@generator("radix-net/1")
def radix_net_layer(
    *,
    systems: Sequence[Sequence[int]],
    widths: Sequence[int],
    index: int,
    direction: int = -1,
) -> RadixNetLayer:
    """Return layer `index` of the RadiX-Net with these parameters.

    Args:
        systems: the paper's N, mixed-radix numeral systems.
        widths: the paper's D, one more than there are radices.
        index: which layer, from 0.
        direction: sign of the cyclic shift; -1 as the published Graph Challenge files, +1 as the
            paper's text.

    Raises:
        ParameterError: a rule of `check` is broken, or `index` names no layer.
    """
    check(systems, widths, direction)
    radices = [(s, r, i) for s in systems for i, r in enumerate(s)]
    if type(index) is not int or not 0 <= index < len(radices):
        raise ParameterError(f"index: expected 0 to {len(radices) - 1}, got {_shown(index)}")
    system, radix, digit = radices[index]
    return RadixNetLayer(
        period=prod(systems[0]),
        radix=radix,
        place=prod(system[:digit]),
        blocks_in=widths[index],
        blocks_out=widths[index + 1],
        direction=direction,
        record={
            "generator": "radix-net/1",
            "parameters": {
                "systems": [list(system) for system in systems],
                "widths": list(widths),
                "direction": direction,
                "index": index,
            },
        },
    )


def check(systems: Sequence[Sequence[int]], widths: Sequence[int], direction: int) -> None:
    """Check the constraints of arXiv 1905.00416 and say which one is broken.

    Raises:
        ParameterError: an empty system, a radix below 2, a middle system whose product is not n,
            a last system whose product does not divide n, a wrong number of widths, a width
            below 1, a direction other than ±1, or a layer beyond the format's limits.
    """
    _check_systems(systems)
    radices = [radix for system in systems for radix in system]
    if len(widths) != len(radices) + 1:
        ones = ",".join(["1"] * min(len(radices) + 1, 12))
        raise ParameterError(
            f"widths: expected one more than there are radices, {len(radices) + 1}, "
            f"got {len(widths)}",
            hint=f"for one block everywhere: --widths {ones}",
        )
    for i, width in enumerate(widths):
        if type(width) is not int or not 1 <= width <= LARGEST_DIMENSION:
            raise ParameterError(
                f"width {i}: expected an integer of at least 1 (and at most 2^40), "
                f"got {_shown(width)}"
            )
    if type(direction) is not int or direction not in (-1, 1):
        raise ParameterError(f"direction: expected -1 or 1, got {_shown(direction)}")
    n = _product(systems[0])
    if n * max(widths) > LARGEST_DIMENSION:
        raise ParameterError(
            f"a layer would have {n * max(widths)} neurons; the format allows {LARGEST_DIMENSION}"
        )
    degree = max(radix * width for radix, width in zip(radices, widths[:-1], strict=True))
    if degree > LARGEST_DEGREE:
        raise ParameterError(f"a neuron would have {degree} inputs; 2^24 are allowed")
    edges = n * max(r * a * b for r, (a, b) in zip(radices, pairwise(widths), strict=True))
    if edges > LARGEST_INTEGER:
        raise ParameterError(f"a layer would have {edges} edges; the format allows 2^53 - 1")


def _check_systems(systems: Sequence[Sequence[int]]) -> None:
    if not systems:
        raise ParameterError("systems: expected at least one mixed-radix system, got none")
    for i, system in enumerate(systems, start=1):
        if not system:
            raise ParameterError(f"system {i}: expected at least one radix, got none")
        for radix in system:
            if type(radix) is not int or radix < 2:
                raise ParameterError(
                    f"system {i} {_shown(system)}: every radix is an integer of at least 2, "
                    f"got {_shown(radix)}"
                )
    n = _product(systems[0])
    if n > LARGEST_DIMENSION:
        raise ParameterError(f"system 1 {_shown(systems[0])}: the format allows 2^40 neurons")
    for i, system in enumerate(systems[1:-1], start=2):
        if _product(system) != n:
            raise ParameterError(
                f"system {i} {_shown(system)}: every system but the last has the product of the "
                f"first, n = {n}; got {_product(system)}"
            )
    if n % _product(systems[-1]):
        raise ParameterError(
            f"system {len(systems)} {_shown(systems[-1])}: the last system's product divides that "
            f"of the first, n = {n}; got {_product(systems[-1])}"
        )


def _product(system: Sequence[int]) -> int:
    """Return the product of the radices, or something beyond every limit as soon as it is."""
    product = 1
    for radix in system:
        product *= min(radix, LARGEST_DIMENSION + 1)
        if product > LARGEST_DIMENSION:
            return LARGEST_DIMENSION + 1
    return product


def _shown(value: object) -> str:
    """Return a value from a stranger, short; a huge integer cannot even be printed."""
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "an integer beyond 2^53"
    text = f"[{', '.join(map(_shown, value[:8]))}]" if isinstance(value, list) else str(value)
    return text[:80]
