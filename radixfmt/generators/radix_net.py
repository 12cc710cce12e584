"""`radix-net/1`: one layer of a RadiX-Net (Robinett & Kepner, arXiv 1905.00416).

With n the product of the first mixed-radix system, a layer of radix r and place value v joins
source residue s to destination residues s + direction·j·v mod n, j = 0 … r-1; a neuron is
block·n + residue, and all D_in·D_out pairs of blocks are joined alike (ones ⊗ W on the left).
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import gcd, isqrt, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators import generator
from radixfmt.generators.regular import RegularColumns, check_count, check_limits, shown
from radixfmt.model.columns import LARGEST_DIMENSION, index_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern

IN_CACHE = 1 << 16
"""Edges that are made at a time: half a MiB."""


def recognise(pattern: Pattern, _: int) -> Iterator[dict[str, Any]]:
    """Yield parameters whose first column may be that of `pattern`."""
    n_in, n_out = pattern.shape
    first = pattern.columns(0, 1).indices
    if first.size < 2 or first[0] != 0:
        return
    for blocks in _divisors(gcd(first.size, n_in)):
        n, radix = n_in // blocks, first.size // blocks
        if n_out % n or radix < 2 or (blocks > 1 and first[radix] != n):
            continue
        for direction, place in (
            (-1, int(first[1])),
            (1, (n - int(first[1])) // (radix - 1)),
        ):
            if place >= 1 and n % (place * radix) == 0:
                system = [place, radix, n // (place * radix)]
                index = int(place > 1)
                kept = [digit for digit in system if digit > 1]
                widths = [1] * (len(kept) + 1)
                widths[index : index + 2] = blocks, n_out // n
                yield {
                    "systems": [kept], "widths": widths, "direction": direction, "index": index,
                }  # fmt: skip


@generator("radix-net/1", recognise=recognise)
def radix_net_layer(
    *,
    systems: Sequence[Sequence[int]],
    widths: Sequence[int],
    direction: int,
    index: int,
) -> RegularColumns:
    """Return layer `index` of the RadiX-Net with these parameters.

    Args:
        systems: the paper's N, mixed-radix numeral systems.
        widths: the paper's D, one more than there are radices.
        direction: sign of the cyclic shift; -1 as the published Graph Challenge files, +1 as the
            paper's text.
        index: which layer, from 0.

    Raises:
        ParameterError: a rule of `check` is broken, or `index` names no layer.
    """
    check(systems, widths, direction)
    radices = [(s, r, i) for s in systems for i, r in enumerate(s)]
    if type(index) is not int or not 0 <= index < len(radices):
        raise ParameterError(f"index: expected 0 to {len(radices) - 1}, got {shown(index)}")
    system, radix, digit = radices[index]
    n, blocks_in, blocks_out = prod(systems[0]), widths[index], widths[index + 1]
    return RegularColumns(
        (n * blocks_in, n * blocks_out),
        degree=radix * blocks_in,
        period=n,
        rows=partial(
            _rows,
            n=n,
            radix=radix,
            place=prod(system[:digit]),
            blocks=blocks_in,
            direction=direction,
        ),
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


def _rows(
    outputs: NDArray[np.int64], *, n: int, radix: int, place: int, blocks: int, direction: int
) -> NDArray[np.integer[Any]]:
    """Return the inputs of the given outputs, some at a time, so that the work stays in cache."""
    dtype = index_dtype(n * blocks)
    found = np.empty((outputs.size, blocks, radix), dtype)
    offsets = np.arange(blocks, dtype=dtype)[:, None] * dtype.type(n)
    step = max(1, IN_CACHE // radix)
    for start in range(0, outputs.size, step):
        inputs = _block(outputs[start : start + step], n, radix, place, direction, dtype)
        np.add(inputs[:, None, :], offsets, out=found[start : start + step])
    return found.reshape(outputs.size, radix * blocks)


def _block(
    outputs: NDArray[np.int64],
    n: int,
    radix: int,
    place: int,
    direction: int,
    dtype: np.dtype[np.signedinteger[Any]],
) -> NDArray[np.integer[Any]]:
    """Return the inputs in the first block of n, `[outputs, radix]`.

    With outputs = high·place + low modulo n, the inputs of one block are low + place·k for `radix`
    consecutive k modulo turns = n / place. A run that wraps is two runs: no sorting is needed.
    """
    turns = n // place
    high, low = np.divmod(outputs % n, place)
    if direction > 0:
        high = (high - (radix - 1)) % turns
    if radix == turns:
        high[:] = 0  # every k, from the first
    k = np.arange(radix, dtype=dtype)
    inputs: NDArray[np.integer[Any]] = (high * place + low).astype(dtype)[:, None] + k * dtype.type(
        place
    )
    wrapped = np.flatnonzero(high > turns - radix)
    if wrapped.size:
        start = high[wrapped, None].astype(dtype)
        over = start - dtype.type(turns - radix)  # this many k begin again at 0
        inputs[wrapped] -= np.where(k < over, start, over) * dtype.type(place)
    return inputs


def check(systems: Sequence[Sequence[int]], widths: Sequence[int], direction: int) -> None:
    """Check the constraints of arXiv 1905.00416 and say which one is broken.

    Raises:
        ParameterError: an empty system, a radix below 2, a middle system whose product is not n,
            a last system whose product does not divide n, a wrong number of widths, a width
            below 1, a direction other than ±1; a layer beyond the format's limits (code "limit").
    """
    n = _check_systems(systems)
    radices = [radix for system in systems for radix in system]
    if not isinstance(widths, list | tuple) or len(widths) != len(radices) + 1:
        ones = ",".join(["1"] * min(len(radices) + 1, 12))
        given = len(widths) if isinstance(widths, list | tuple) else shown(widths)
        raise ParameterError(
            f"widths: expected one more than there are radices, {len(radices) + 1}, got {given}",
            hint=f"for one block everywhere: --widths {ones}",
        )
    for i, width in enumerate(widths):
        check_count(f"width {i}", width)
    if type(direction) is not int or direction not in (-1, 1):
        raise ParameterError(f"direction: expected -1 or 1, got {shown(direction)}")
    for radix, (blocks_in, blocks_out) in zip(radices, pairwise(widths), strict=True):
        check_limits((n * blocks_in, n * blocks_out), radix * blocks_in)


def _check_systems(systems: Sequence[Sequence[int]]) -> int:
    """Return n, the product of the first system, after checking all of them."""
    if not isinstance(systems, list | tuple) or not systems:
        raise ParameterError(
            f"systems: expected at least one mixed-radix system, got {shown(systems)}"
        )
    for i, system in enumerate(systems, start=1):
        if not isinstance(system, list | tuple) or not system:
            raise ParameterError(
                f"system {i}: expected at least one radix in a list, got {shown(system)}"
            )
        for radix in system:
            if type(radix) is not int or radix < 2:
                raise ParameterError(
                    f"system {i} {shown(system)}: every radix is an integer of at least 2, "
                    f"got {shown(radix)}"
                )
    n = _product(systems[0])
    check_limits((n, n), 1)
    for i, system in enumerate(systems[1:-1], start=2):
        if _product(system) != n:
            raise ParameterError(
                f"system {i} {shown(system)}: every system but the last has the product of the "
                f"first, n = {n}; got {shown(_product(system))}"
            )
    if n % _product(systems[-1]):
        raise ParameterError(
            f"system {len(systems)} {shown(systems[-1])}: the last system's product divides that "
            f"of the first, n = {n}; got {shown(_product(systems[-1]))}"
        )
    return n


def _product(system: Sequence[int]) -> int:
    """Return the product of the radices, or something beyond every limit as soon as it is."""
    product = 1
    for radix in system:
        product *= min(radix, LARGEST_DIMENSION + 1)
        if product > LARGEST_DIMENSION:
            return LARGEST_DIMENSION + 1
    return product


def _divisors(number: int) -> Iterator[int]:
    """Yield the divisors of `number`, the least first."""
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    yield from small
    yield from (number // d for d in reversed(small) if d * d != number)
