"""Explicit X-Nets: layers that join the elements of a group along its generators."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import shown
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.topologies import topology
from radixfmt.topologies.drawn import by_cell, check_drawn, layer_shapes
from radixfmt.topologies.structured import check_edges, network, regular, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Entries = NDArray[np.int32]

GROUPS = {"cyclic": None, "margulis": 8, "sl2": 4}
"""The degree that a group prescribes."""


@topology("x-net-cayley", example={"widths": [16, 16, 16], "degree": 4})
def x_net_cayley(
    *, widths: Sequence[int], degree: int | None = None, group: str = "cyclic"
) -> Network:
    """Return an explicit X-Net: every layer joins g to g·s for each s of a generating set S.

    Prabhu, Varma and Namboodiri, arXiv 1711.08757, name Cayley graphs for this; their code has
    none and the text was not at hand, so the groups and sets are ours. Every S has the inverse
    of each of its elements, so each layer equals its transpose. All layers are alike.

    `cyclic` is Z_n with the strides of `strides`, any degree. Layers of constant degree over
    cyclic groups are no expander family: their spectral gap goes to 0 as n grows. `sl2` is the
    group SL(2, p) of 2 by 2 matrices of determinant 1 modulo a prime p from 3, n = p³ - p, with
    S = {[1 ±1; 0 1], [1 0; ±1 1]}: degree 4, a true Cayley graph, and an expander family.
    `margulis` is the expander of Margulis, Gabber and Galil on n = m² points (x, y) modulo m, of
    number x·m + y: 8 maps, (x ± 2y, y), (x ± (2y + 1), y), (x, y ± 2x), (x, y ± (2x + 1)). They
    are no group acting on itself, but serve the same end. Where maps lead to the same point one
    edge stands for them: neurons have at most 8 edges, and as many out as in.

    Args:
        widths: neurons of every layer, all the same.
        degree: edges of each neuron; by default 8 for cyclic; margulis has 8 and sl2 has 4.
        group: cyclic, margulis or sl2.

    Raises:
        ParameterError: widths that differ or do not fit the group, a degree that it does not
            have, or a layer too large to be written out, or drawn (code "limit").
    """
    if group not in GROUPS:
        raise ParameterError(f"group: expected one of {', '.join(GROUPS)}, got {shown(group)}")
    shapes = layer_shapes(widths)
    n = shapes[0][0]
    for i, (_, n_out) in enumerate(shapes, start=1):
        if n_out != n:
            raise ParameterError(
                f"width {i}: expected {n}, as all layers of this family are equally wide, "
                f"got {n_out}",
                hint="x-net-random takes any widths",
            )
    fixed = GROUPS[group]
    edges = (fixed or min(8, n)) if degree is None else whole("degree", degree)
    if fixed is not None and edges != fixed:
        raise ParameterError(f"degree: {group} has degree {fixed}, got {edges}")
    if group == "cyclic":
        check_edges((n, n), edges * n)
        steps = strides(n, edges)
        layer = regular((n, n), edges, lambda j: np.sort((j[:, None] + steps) % n, axis=1))
        return network([layer] * len(shapes))
    check_drawn((n, n), edges * n)
    base, images = (grid_side(n), margulis) if group == "margulis" else (modulus(n), sl2)

    def make(i: int) -> Layer:
        cells = np.sort(images(base) * n + np.arange(n), axis=None)
        return Layer(f"layer{i}", by_cell((n, n), cells[np.diff(cells, prepend=-1) > 0]))

    return chain(LazyLayers([("linear", shape) for shape in shapes], make))


def strides(n: int, degree: int) -> Integers:
    """Return the generating set of Z_n: `degree` different integers modulo n.

    They are ±1, ±b, ±b², …, b the integer part of the root of n that gives each pair its power,
    at least 2, as far as these lie below n/2, and then the smallest numbers left over. An odd
    degree adds 0, which joins each neuron to its own number; degree n of an even n adds 0 and n/2.

    Raises:
        ParameterError: the degree is not from 2 (1 for n = 1) to n.
    """
    least = min(2, n)
    if not least <= degree <= n:
        raise ParameterError(
            f"degree: expected {least} to {n} generators of a cyclic group of {n}, got {degree}",
            hint=f"the nearest that fits: {min(max(degree, least), n)}",
        )
    below_half = (n - 1) // 2
    pairs = min(degree // 2, below_half)
    power = max(1, min(pairs, n.bit_length()))
    base = int(n ** (1 / power)) + 1  # a guess from above, made exact
    while base**power > n:
        base -= 1
    base = max(base, 2)
    powers = np.array([base**i for i in range(power) if base**i <= below_half], np.int64)[:pairs]
    others = np.arange(1, pairs + powers.size + 1)
    others = others[~np.isin(others, powers)][: pairs - powers.size]
    own = np.array([0, n // 2][: degree - 2 * pairs], np.int64)
    return np.concatenate([own, powers, others, -powers, -others])


def grid_side(n: int) -> int:
    """Return m with m² = n.

    Raises:
        ParameterError: there is none; the hint names the nearest square.
    """
    m = isqrt(n)
    if m * m != n:
        nearest = min(m * m, (m + 1) ** 2, key=lambda square: abs(square - n))
        raise ParameterError(
            f"widths: margulis layers have m² neurons, got {n}", hint=f"the nearest: {nearest}"
        )
    return m


def margulis(m: int) -> Integers:
    """Return where the 8 maps lead each point, int64 `[8, m²]`."""
    x, y = np.divmod(np.arange(m * m), m)
    shifts = np.stack([2 * y, -2 * y, 2 * y + 1, -2 * y - 1])
    turns = np.stack([2 * x, -2 * x, 2 * x + 1, -2 * x - 1])
    return np.concatenate([(x + shifts) % m * m + y, x * m + (y + turns) % m])


def modulus(n: int) -> int:
    """Return the prime p from 3 with p³ - p = n.

    Raises:
        ParameterError: there is none; the hint names the nearest size.
    """
    odd = range(3, 1300, 2)  # up to 2^31 neurons
    primes = {p**3 - p: p for p in odd if all(p % q for q in range(3, isqrt(p) + 1, 2))}
    if n not in primes:
        nearest = min(primes, key=lambda size: abs(size - n))
        raise ParameterError(
            f"widths: sl2 layers have p³ - p neurons for a prime p from 3, got {n}",
            hint=f"the nearest: {nearest}",
        )
    return primes[n]


def sl2(p: int) -> Integers:
    """Return where the 4 generators lead each matrix, int64 `[4, p³ - p]`.

    Matrices [a b; c d] are numbered in the order of (a, b, c, d).
    """
    inverse = np.array([0, *(pow(a, -1, p) for a in range(1, p))], np.int32)
    b, d = np.indices((p - 1, p), np.int32).reshape(2, -1)
    b += 1
    without_a = np.stack([0 * b, b, -inverse[b] % p, d])
    a, b, c = np.indices((p - 1, p, p), np.int32).reshape(3, -1)
    a += 1
    with_a = np.stack([a, b, c, (1 + b * c) * inverse[a] % p])
    a, b, c, d = np.concatenate([without_a, with_a], axis=1)

    def codes(a: Entries, b: Entries, c: Entries, d: Entries) -> Integers:
        return ((a.astype(np.int64) * p + b) * p + c) * p + d

    own = codes(a, b, c, d)
    images = [codes(a, (b + s * a) % p, c, (d + s * c) % p) for s in (1, -1)]
    images += [codes((a + s * b) % p, b, (c + s * d) % p, d) for s in (1, -1)]
    return np.stack([np.searchsorted(own, image) for image in images])
