"""All RadiX-Nets of a given size: their mixed-radix systems, one after another, and how many.

Counted are lists of mixed-radix systems that obey arXiv 1905.00416: every system but the last has
the product n, the last one's product divides n (a single system is both first and last), radices
are at least 2. The order of radices counts, and so does where one system ends: [2, 3] and [3, 2]
are two systems of n = 6. Different lists of the same n are different networks, because a layer's
offsets 0, v, … (r-1)·v tell its radix r and place value v. Blocks per layer (the paper's D) and
the direction multiply these counts; they are not part of them.
"""

from __future__ import annotations

from collections import defaultdict
from math import prod
from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import check_count
from radixfmt.model.columns import LARGEST_DIMENSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_DEPTH = 4096
"""Layers of a network that is counted or searched for."""


def radix_systems(neurons: int, layers: int) -> Iterator[list[list[int]]]:
    """Return every list of mixed-radix systems with this product and this many radices.

    In ascending order of the radices. There may be very many: `count_radix_systems` says how many.

    Args:
        neurons: n, the product of the first system: the neurons of a layer of one block.
        layers: radices of all systems together.

    Raises:
        ParameterError: a number below 1, or above 2^40 neurons or 4096 layers.
    """
    _check(neurons, layers)
    return _walk(neurons, layers)


def count_radix_systems(neurons: int, layers: int) -> int:
    """Return how many lists `radix_systems` gives, exactly, without making them.

    Raises:
        ParameterError: as `radix_systems`.
    """
    _check(neurons, layers)
    factors = {left: divisors(left)[1:] for left in divisors(neurons)}
    ways = {(neurons, False): 1}  # by what the open system still needs, and: is one system full?
    for _ in range(layers):
        after: dict[tuple[int, bool], int] = defaultdict(int)
        for (left, full), count in ways.items():
            for radix in factors[left]:
                rest = left // radix
                after[neurons if rest == 1 else rest, full or rest == 1] += count
        ways = after
    return sum(count for (_, full), count in ways.items() if full)


def split(radices: Sequence[int], neurons: int) -> list[list[int]]:
    """Return the mixed-radix systems that these radices are: one ends when its product is n."""
    systems: list[list[int]] = [[]]
    for radix in radices:
        if prod(systems[-1]) == neurons:
            systems.append([])
        systems[-1].append(radix)
    return systems


def divisors(number: int) -> list[int]:
    """Return the divisors of `number` (1 to 2^40), ascending."""
    found, left, prime = [1], number, 2
    while left > 1:
        if prime * prime > left:
            prime = left
        power, known = 1, found
        while left % prime == 0:
            left //= prime
            power *= prime
            found = found + [power * divisor for divisor in known]
        prime += 1
    return sorted(found)


def _walk(neurons: int, layers: int) -> Iterator[list[list[int]]]:
    waiting: list[tuple[tuple[int, ...], int, bool]] = [((), neurons, False)]
    while waiting:
        radices, left, full = waiting.pop()
        if len(radices) == layers:
            yield split(radices, neurons)
            continue
        for radix in reversed(divisors(left)[1:]):
            rest = left // radix
            done = full or rest == 1
            if done or len(radices) < layers - 1:  # the first system has to end in time
                waiting.append(((*radices, radix), neurons if rest == 1 else rest, done))


def _check(neurons: int, layers: int) -> None:
    for what, value, most in (
        ("neurons", neurons, LARGEST_DIMENSION),
        ("layers", layers, LARGEST_DEPTH),
    ):
        check_count(what, value)
        if value > most:
            raise ParameterError(f"{what}: expected at most {most}, got {value}")
