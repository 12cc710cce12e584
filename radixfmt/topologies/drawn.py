"""What the random families share: lazily drawn layers, and checks of their parameters."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import shown
from radixfmt.model.canonical import LARGEST_INTEGER
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import integers
from radixfmt.topologies.draws import stream
from radixfmt.topologies.structured import check_bounds, whole, wholes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Shape = tuple[int, int]
    Integers = NDArray[np.integer[Any]]

LARGEST_SIDE = 2**25
"""Neurons of a drawn layer's side: up to 18 bytes each while the layer is made."""

LARGEST_DRAWN = 2**26
"""Edges of a drawn layer, which are in memory at once, with up to 55 bytes each: under 4 GiB."""


def drawn(
    shapes: Sequence[Shape], seed: int, draw: Callable[[np.random.Philox, int], Pattern]
) -> Network:
    """Return the chain whose layers are drawn when they are asked for.

    Args:
        shapes: (n_in, n_out) of each layer.
        seed: 0 to 2^53 - 1.
        draw: (words of layer i, i) → its pattern.

    Raises:
        ParameterError: no such seed.
    """
    (key,) = integers("seed", [seed])
    if not 0 <= key <= LARGEST_INTEGER:
        raise ParameterError(f"seed: expected 0 to 2^53 - 1, got {shown(key)}")

    def make(i: int) -> Layer:
        return Layer(f"layer{i}", draw(stream(key, i), i))

    return chain(LazyLayers([("linear", shape) for shape in shapes], make))


def layer_shapes(widths: Iterable[object]) -> list[Shape]:
    """Return (n_in, n_out) of each layer between `widths`.

    Raises:
        ParameterError: fewer than two widths, or one that is no integer from 1 to 2^40.
    """
    return list(pairwise(wholes("width", widths, entries=2)))


def degree_within(degree: object, choices: Sequence[int]) -> int:
    """Return `degree` as an integer.

    Args:
        degree: edges of each neuron on one side of a layer.
        choices: neurons on the other side, layer by layer.

    Raises:
        ParameterError: it is no integer of at least 1, or more than some layer offers.
    """
    number = whole("degree", degree)
    if number > min(choices):
        at = next(i for i, count in enumerate(choices) if count < number)
        raise ParameterError(
            f"degree: layer {at} has {choices[at]} neurons to choose from, got {number}",
            hint=f"use a degree of at most {min(choices)}",
        )
    return number


def check_drawn(shape: Shape, edges: int) -> None:
    """Check that a layer can be drawn, all edges at once, in 4 GiB of memory.

    Raises:
        ParameterError: it has more than 2^25 neurons on a side, or more than 2^26 edges (code
            "limit").
    """
    check_bounds(shape, edges, (LARGEST_SIDE, LARGEST_DRAWN), "that is drawn")


def probability(what: str, value: object) -> Fraction:
    """Return `value`, a number from 0 to 1, exactly.

    Raises:
        ParameterError: it is no such number; NaN is none.
    """
    number = _float(value)
    if not 0 <= number <= 1:
        raise ParameterError(f"{what}: expected a number from 0 to 1, got {shown(value)}")
    return Fraction(number)


def positive(what: str, value: object) -> Fraction:
    """Return `value`, a finite number above 0, exactly.

    Raises:
        ParameterError: it is no such number; NaN is none.
    """
    number = _float(value)
    if not 0 < number < float("inf"):
        raise ParameterError(f"{what}: expected a finite number above 0, got {shown(value)}")
    return Fraction(number)


def by_output(n_in: int, inputs: Integers) -> Pattern:
    """Return the pattern that gives output neuron j the inputs `inputs[j]`, ascending in each."""
    n_out, degree = inputs.shape
    return Pattern.explicit((n_in, n_out), np.arange(n_out + 1) * degree, inputs.reshape(-1))


def by_cell(shape: Shape, cells: Integers) -> Pattern:
    """Return the pattern with an edge at each of `cells`, output·n_in + input, ascending."""
    n_in, n_out = shape
    pointers = np.searchsorted(cells, np.arange(n_out + 1) * n_in)
    return Pattern.explicit(shape, pointers, cells % n_in)


def _float(value: object) -> float:
    """Return `value` as a float; NaN if it is no real number that a file can keep."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return float("nan")
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return float("nan")
