"""RadiX-Nets for given layer sizes and density: which systems, and what cannot be had.

As in "Testing RadiX-Nets" (Kwak et al., arXiv 2311.03609; read from its public code), a RadiX-Net
with n neurons per block and ceil(size / n) blocks per layer is cut, layer by layer, to
[:size, :next size]. How systems are chosen is ours, as is the rule that a cut network is taken
only if it is path-connected (every input reaches every output) and every neuron has inputs. Both
are certain while n is at most every layer but the last: each hidden layer then keeps a whole
block, and the uncut network has a path between any two residues.

How sparse can it be? If all neurons of a layer have equally many outputs, an input has
d_1·d_2·…·d_L paths, d_i the outputs per neuron into layer i, and needs N_L of them at least to
reach all outputs. With layer densities p_i = d_i / N_i this reads p_1·…·p_L ≥ 1 / (N_1·…·N_L-1),
and the network's density is the mean of the p_i weighted by the cells c_i = N_i-1·N_i. The mean
is least for p_i proportional to 1 / c_i, as far as 1 / min(N_i-1, N_i) ≤ p_i ≤ 1 allows: every
neuron has an input and an output. For two layers that is 2·√(N_0·N_2 / N_1) / (N_0 + N_2), which
is 1/64 for 1024, 4096, 1024. Uneven degrees can go lower at a price: one hub per hidden layer
joins everything, and the other neurons do nothing. An uncut RadiX-Net needs more: one n that
divides all sizes, and radices with just that product; 1/32 in the example.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import exp, gcd, log
from numbers import Real
from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import check_count, check_limits
from radixfmt.topologies.radix_design import cells, shown
from radixfmt.topologies.radix_enumeration import LARGEST_DEPTH, divisors
from radixfmt.topologies.radix_search import Aim, designs, varied_designs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.topologies.radix_design import Design

TOLERANCE = Fraction(1, 10)
"""Relative error of a density that is still the one asked for."""

WORK = 2_000_000
"""Steps of one search after which no further n is tried: a second or two."""

LARGEST_FOLLOWED = 2048
"""The largest n for which connectedness is checked input by input."""

FOLLOWED = 4
"""Designs of one n that are so checked at least, the best first; of a small n there are more."""

FOLLOWING = 8
"""What following one input through one layer costs, in steps."""


def fit(sizes: Sequence[int], density: float, direction: int = -1) -> Design:
    """Return a RadiX-Net cut to these sizes, its density within 10 % of the one asked for.

    Of those found, one without idle neurons comes first, then one that needs no cut, then the
    nearest in whole per cent, then the evenest. The same arguments always give the same design.

    Args:
        sizes: neurons of each layer, at least two.
        density: edges over cells, all layers together; read as the decimal number it prints as.
        direction: sign of the cyclic shift.

    Raises:
        ParameterError: an argument of a wrong kind, or no such network; the message says what the
            least densities are, the hint how to get the nearest network.
    """
    wanted = _wanted(density)
    _check_sizes(sizes)
    if direction not in (-1, 1):
        raise ParameterError(f"direction: expected -1 or 1, got {direction!r}")
    best = _best(sizes, wanted, direction)
    if best is None or not _near(best, wanted):
        raise _refused(sizes, density, direction, best)
    return best


def connected_bound(sizes: Sequence[int]) -> float:
    """Return the least density of a path-connected network whose layers have even out-degrees.

    A lower bound in real numbers, derived above; 1 for a single layer.
    """
    weights = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    least = [1 / min(pair) for pair in pairwise(sizes)]
    needed = -sum(map(log, sizes[1:-1]))

    def densities(level: float) -> list[float]:
        return [
            min(1.0, max(low, exp(level - log(weight))))
            for low, weight in zip(least, weights, strict=True)
        ]

    low, high = 0.0, log(max(weights))
    for _ in range(64):
        middle = (low + high) / 2
        if sum(map(log, densities(middle))) < needed:
            low = middle
        else:
            high = middle
    return sum(p * w for p, w in zip(densities(high), weights, strict=True)) / sum(weights)


def untrimmed_bound(sizes: Sequence[int]) -> Fraction | None:
    """Return the least density of a RadiX-Net that has these sizes uncut; None if none is found.

    It is one with n the greatest common divisor: what has a smaller n becomes sparser when one
    radix of each full system is multiplied by what n lacks.
    """
    found, _ = designs(Aim(sizes, 1, 1), gcd(*sizes))
    return min((design.density for design in found), default=None)


def _best(sizes: Sequence[int], wanted: Fraction, direction: int) -> Design | None:
    """Return the best design found, which may still miss the density; None if none is sound."""
    aim = Aim(sizes, direction, max(1, round(wanted * cells(sizes))))
    layers, hidden = len(sizes) - 1, min(sizes[1:-1], default=sizes[0])
    best: Design | None = None

    def better(design: Design) -> bool:
        return best is None or _rank(design, wanted) <= _rank(best, wanted)

    for candidates in _stages(sizes, wanted):
        work = 0
        for n in candidates:
            if work > WORK:
                break
            found, steps = designs(aim, n) if n <= hidden else varied_designs(aim, n)
            work += steps
            cost = FOLLOWING * layers * min(n, sizes[0]) if n > hidden else 0
            ranked = sorted(found, key=lambda design: _rank(design, wanted))
            for design in ranked[: max(FOLLOWED, WORK // 32 // max(cost, 1))]:
                if not better(design):
                    break
                work += cost
                if design.connected():
                    best = design
                    break
        if best is not None and _near(best, wanted):
            break
    return best


def _stages(sizes: Sequence[int], wanted: Fraction) -> list[Sequence[int]]:
    """Return the n to try, in order; a stage is for those that found nothing in the one before.

    First come the n that need no cut, then those that keep every path. Within each, an n comes
    early if all radices can be about alike: with k of them in a system, of mean wanted·n, n is
    about wanted^-(k / (k-1)). Last come those that may lose paths, the smallest first: the less n
    exceeds a layer, the sparser the next layer's radix may be.
    """
    if len(sizes) == 2:  # every n gives the dense layer
        return [[max(2, gcd(*sizes))]]
    layers = len(sizes) - 1
    turns = -log(max(wanted, Fraction(1, 2**80)))
    even = (turns * layers / (layers - 1), 2 * turns)

    def order(n: int) -> tuple[float, int, int]:
        return max(0, even[0] - log(n), log(n) - even[1]), -len(divisors(n)), n

    sure = min(sizes[:-1])
    below = min(sure, max(LARGEST_FOLLOWED, 4 * int(exp(min(even[1], 40))) + 4))
    above = max(
        min(2 * max(sizes), LARGEST_FOLLOWED),
        min(2 * sizes[0], *sizes[1:-1]),  # whose hidden layers keep a whole block
    )
    return [
        sorted(divisors(gcd(*sizes))[1:], key=order),
        sorted(_multiples(2, below), key=order),
        _multiples(sure + 1, above),
    ]


def _rank(design: Design, wanted: Fraction) -> tuple[Any, ...]:
    error = abs(design.density / wanted - 1)
    if error > TOLERANCE:
        return True, error, design.idle, design.trimmed, design.unevenness
    return False, design.idle, design.trimmed, int(100 * error), design.unevenness, error


def _near(design: Design, wanted: Fraction) -> bool:
    return abs(design.density - wanted) <= TOLERANCE * wanted


def _multiples(low: int, high: int) -> range:
    """Return numbers from low to high: all of them, or 4096 that have many divisors."""
    unit = 1 << max(0, high.bit_length() - 12)
    return range(-(-low // unit) * unit, high + 1, unit)


def _refused(
    sizes: Sequence[int], density: float, direction: int, nearest: Design | None
) -> ParameterError:
    """Return the error that says why there is no such network, and what there is."""
    layers = len(sizes) - 1
    bounds = (
        f"path-connectedness with {layers} layer{'s' * (layers > 1)} needs at least "
        f"{_share(connected_bound(sizes))} where a layer's neurons are alike"
    )
    whole = untrimmed_bound(sizes)
    if whole is not None:
        bounds += f", an untrimmed RadiX-Net {_share(float(whole))}"
    hint = None
    if nearest is not None:
        bounds += f"; the nearest found has {_share(float(nearest.density))}"
        offered = Fraction(f"{float(nearest.density):.4g}")
        again = _best(sizes, offered, direction)  # from another aim, so by other steps
        if again is not None and _near(again, offered):
            fit_to = ",".join(map(str, sizes))
            way = " --direction 1" * (direction > 0)
            hint = (
                f"radixfmt generate radix-net --fit {fit_to} --density "
                f"{float(offered)}{way} -o net.rx.h5"
            )
    return ParameterError(
        f"density {density}: no path-connected RadiX-Net of the layer sizes {shown(sizes)} that "
        f"leaves no neuron without inputs was found within 10 % of it; {bounds}",
        hint=hint,
    )


def _share(density: float) -> str:
    inverse = round(1 / density)
    exact = inverse > 1 and abs(density * inverse - 1) < 1e-9
    return f"1/{inverse} ({density:.4g})" if exact else f"{density:.4g}"


def _wanted(density: float) -> Fraction:
    """Return the density as the decimal number it prints as.

    Raises:
        ParameterError: it is not above 0 and at most 1.
    """
    try:
        wanted = Fraction(str(density)) if isinstance(density, Real) else Fraction(0)
    except ValueError:  # nan, an infinity
        wanted = Fraction(0)
    if not 0 < wanted <= 1:
        raise ParameterError(f"density: expected a number above 0 and at most 1, got {density!r}")
    return wanted


def _check_sizes(sizes: Sequence[int]) -> None:
    """Check that there are layers of these sizes.

    Raises:
        ParameterError: fewer than two sizes or more than 4097, one below 1, or a layer beyond the
            format's limits (code "limit").
    """
    if not 2 <= len(sizes) <= LARGEST_DEPTH + 1:
        raise ParameterError(f"fit: expected 2 to {LARGEST_DEPTH + 1} sizes, got {len(sizes)}")
    for i, size in enumerate(sizes):
        check_count(f"fit: size {i}", size)
        check_limits((size, size), 1)
