"""`radix-net/1`: one layer of a RadiX-Net (Robinett & Kepner, arXiv 1905.00416).

With n the product of the first mixed-radix system, a layer of radix r and place value v joins
source residue s to destination residues s + direction·j·v mod n, j = 0 … r-1; a neuron is
block·n + residue, and all D_in·D_out pairs of blocks are joined alike (ones ⊗ W on the left).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators import generator
from radixfmt.model.canonical import LARGEST_INTEGER
from radixfmt.model.columns import Columns, index_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LARGEST_DIMENSION = 2**40
"""Neurons per layer that the format allows (spec §8)."""


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
    if not isinstance(index, int) or not 0 <= index < len(radices):
        raise ParameterError(f"index: expected 0 to {len(radices) - 1}, got {index}")
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
    n = prod(systems[0])
    layers = sum(map(len, systems))
    if len(widths) != layers + 1:
        raise ParameterError(
            f"widths: expected one more than there are radices, {layers + 1}, got {len(widths)}",
            hint=f"for one block everywhere: --widths {','.join(['1'] * min(layers + 1, 12))}",
        )
    for i, width in enumerate(widths):
        if not isinstance(width, int) or isinstance(width, bool) or width < 1:
            raise ParameterError(f"width {i}: expected an integer of at least 1, got {width}")
    if direction not in (-1, 1):
        raise ParameterError(f"direction: expected -1 or 1, got {direction}")
    if n * max(widths) > LARGEST_DIMENSION:
        raise ParameterError(
            f"a layer would have {n * max(widths)} neurons; the format allows {LARGEST_DIMENSION}"
        )
    edges = n * max(
        radix * a * b
        for radix, a, b in zip(
            (r for s in systems for r in s), widths[:-1], widths[1:], strict=True
        )
    )
    if edges > LARGEST_INTEGER:
        raise ParameterError(f"a layer would have {edges} edges; the format allows 2^53 - 1")


def _check_systems(systems: Sequence[Sequence[int]]) -> None:
    if not systems:
        raise ParameterError("systems: expected at least one mixed-radix system, got none")
    for i, system in enumerate(systems):
        if not system:
            raise ParameterError(f"system {i + 1}: expected at least one radix, got none")
        for radix in system:
            if not isinstance(radix, int) or isinstance(radix, bool) or radix < 2:
                raise ParameterError(
                    f"system {i + 1} {list(system)}: every radix is an integer of at least 2, "
                    f"got {radix}"
                )
    n = prod(systems[0])
    for i, system in enumerate(systems[1:-1], start=2):
        if prod(system) != n:
            raise ParameterError(
                f"system {i} {list(system)}: every system but the last has the product of the "
                f"first, n = {n}; got {prod(system)}"
            )
    if n % prod(systems[-1]):
        raise ParameterError(
            f"system {len(systems)} {list(systems[-1])}: the last system's product divides that "
            f"of the first, n = {n}; got {prod(systems[-1])}"
        )
