"""What the structured families share: layers made by a rule, and checks of their parameters.

No generator of the format names these rules, so files keep the edges themselves. They are still
made by column range, and a layer too large to be written out is refused before anything is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import shown
from radixfmt.limits import Limits
from radixfmt.model.columns import LARGEST_DIMENSION, Columns, index_dtype
from radixfmt.model.digest import EXPANSION_LIMIT
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import integers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.columns import ColumnSource

    Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RuleColumns:
    """Edges made by a rule that no file can name.

    Attributes:
        shape: (n_in, n_out).
        pointers: returns the number of edges of all columns before each given one, 0 … n_out.
        inputs: returns the inputs of columns [start, stop), one column after another.

    Raises:
        ParameterError: more neurons or edges than can be written out (code "limit").
    """

    shape: tuple[int, int]
    pointers: Callable[[Integers], Integers]
    inputs: Callable[[int, int], Integers]
    record: ClassVar[None] = None
    arrays: ClassVar[Mapping[str, NDArray[Any]]] = {}

    def __post_init__(self) -> None:
        check_edges(self.shape, self.nnz)

    @property
    def nnz(self) -> int:
        """Number of edges."""
        return self.first_edge(self.shape[1])

    def fan_in(self, start: int, stop: int) -> Integers:
        """Return the number of edges of each column in [start, stop)."""
        return np.diff(self.pointers(np.arange(start, stop + 1)))

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return int(self.pointers(np.array([column]))[0])

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop)."""
        pointers = self.pointers(np.arange(start, stop + 1))
        inputs = self.inputs(start, stop).astype(index_dtype(self.shape[0]), copy=False)
        return Columns(pointers - pointers[0], inputs)


def regular(
    shape: tuple[int, int], degree: int, rows: Callable[[Integers], Integers]
) -> RuleColumns:
    """Return a layer that gives every output neuron `degree` inputs.

    Args:
        shape: (n_in, n_out).
        degree: inputs of each output neuron.
        rows: returns the inputs of given output neurons `[k]`, `[k, degree]`, ascending in each.

    Raises:
        ParameterError: more neurons or edges than can be written out (code "limit").
    """
    check_edges(shape, degree * shape[1])
    return RuleColumns(
        shape,
        lambda columns: columns * degree,
        lambda start, stop: rows(np.arange(start, stop)).reshape(-1),
    )


def digit_exchange(neurons: int, place: int, radix: int) -> RuleColumns:
    """Return the layer that joins neurons which differ in one digit at most.

    The digit is neuron // place % radix. Layers of places 1, r1, r1·r2, … over the radices of
    `neurons` join each input to each output by exactly one path: each layer sets one digit.
    """

    def rows(outputs: Integers) -> Integers:
        lowest = outputs - outputs // place % radix * place
        inputs: Integers = lowest[:, None] + np.arange(radix) * place
        return inputs

    return regular((neurons, neurons), radix, rows)


def stretched(
    rows: Callable[[Integers], Integers], height: int, width: int, outputs: Integers
) -> Integers:
    """Return the inputs of output neurons where every edge of a rule is a full block.

    Args:
        rows: the rule between blocks, as in `regular`.
        height: inputs of a block.
        width: outputs of a block.
        outputs: neurons `[k]`.
    """
    blocks = rows(outputs // width)
    inputs: Integers = blocks[:, :, None] * height + np.arange(height)
    return inputs.reshape(outputs.size, blocks.shape[1] * height)


def offsets(pointers: Integers, first: Integers | int = 0) -> Integers:
    """Return first, first + 1, … for each column, one column after another.

    Args:
        pointers: `[columns + 1]`, where each column begins.
        first: what each column begins with, `[columns]` or the same for all.
    """
    counts = np.diff(pointers)
    found: Integers = np.arange(pointers[-1] - pointers[0])
    found += np.repeat(first - (pointers[:-1] - pointers[0]), counts)
    return found


def network(sources: Sequence[ColumnSource]) -> Network:
    """Return the chain of these layers, without weights, each made when it is asked for."""
    headers = [("linear", source.shape) for source in sources]
    return chain(LazyLayers(headers, lambda i: Layer(f"layer{i}", Pattern(sources[i]))))


def repeated(sources: Sequence[ColumnSource], layers: int | None) -> Network:
    """Return the chain that runs through `sources` again and again, `layers` layers long.

    Args:
        sources: one round.
        layers: at least 1; None for one round.

    Raises:
        ParameterError: no such number of layers.
    """
    count = len(sources) if layers is None else depth(layers)
    return network([sources[i % len(sources)] for i in range(count)])


def depth(layers: object, most: int = Limits().layers) -> int:
    """Return `layers` as a number of layers.

    Raises:
        ParameterError: it is no integer from 1 to `most`, by default what readers take.
    """
    (count,) = integers("layers", [layers])
    if not 1 <= count <= most:
        raise ParameterError(f"layers: expected 1 to {most}, got {shown(count)}")
    return count


def check_edges(shape: tuple[int, int], edges: int) -> None:
    """Check that a layer can be written out edge by edge.

    Raises:
        ParameterError: it has more than 2^40 neurons on a side, or more than 2^31 edges
            (code "limit").
    """
    check_bounds(shape, edges, (LARGEST_DIMENSION, EXPANSION_LIMIT), "whose edges are written out")


def check_bounds(shape: tuple[int, int], edges: int, bounds: tuple[int, int], which: str) -> None:
    """Check a layer's neurons on a side and its edges against powers of 2.

    Args:
        shape: (n_in, n_out).
        edges: that it would have.
        bounds: of neurons on a side, and of edges.
        which: layers that the bounds are of, for the message.

    Raises:
        ParameterError: it has more (code "limit").
    """
    counts = {"neurons on a side": max(shape), "edges": edges}
    for (what, found), bound in zip(counts.items(), bounds, strict=True):
        if found > bound:
            raise ParameterError(
                f"a layer would have {shown(found)} {what}; one {which} may have "
                f"2^{bound.bit_length() - 1}",
                hint="the families dense and radix-net store a rule in place of edges",
                code="limit",
            )


def whole(what: str, value: object, *, least: int = 1) -> int:
    """Return `value` as an integer.

    Raises:
        ParameterError: it is none, or not from `least` to 2^40.
    """
    (number,) = integers(what, [value])
    if not least <= number <= LARGEST_DIMENSION:
        raise ParameterError(
            f"{what}: expected {least} to 2^40, got {shown(number)}",
            code="limit" if number > least else None,
        )
    return number


def wholes(what: str, values: Iterable[object], *, least: int = 1, entries: int = 1) -> list[int]:
    """Return `values` as integers.

    Args:
        what: one of them, in the singular, for messages.
        values: at least `entries`.
        least: the smallest that each may be.
        entries: how many there are at least.

    Raises:
        ParameterError: too few, or one of them is no integer from `least` to 2^40.
    """
    found = [whole(f"{what} {i}", value, least=least) for i, value in enumerate(values)]
    if len(found) < entries:
        raise ParameterError(f"{what}s: expected at least {entries}, got {len(found)}")
    return found


def check_multiples(values: Mapping[str, int], block: int) -> None:
    """Check that sizes, by the names that messages use, are whole numbers of blocks.

    Raises:
        ParameterError: one of them is not; the hint names the nearest.
    """
    for what, size in values.items():
        if size % block:
            below = size // block * block
            raise ParameterError(
                f"{what}: expected a multiple of the block, {block}, got {size}",
                hint=f"the nearest: {f'{below} and ' if below else ''}{below + block}",
            )


def exponent(what: str, value: int, base: int) -> int:
    """Return m with base^m = value, at least 1.

    Args:
        what: the parameter, for messages.
        value: an integer of at least 1.
        base: at least 2.

    Raises:
        ParameterError: there is none; the hint names the nearest powers.
    """
    power, m = base, 1
    while power < value:
        power, m = power * base, m + 1
    if power != value:
        near = f"{power // base} and {power}" if m > 1 else f"{power}"
        raise ParameterError(
            f"{what}: expected a power of {base}, got {value}", hint=f"the nearest: {near}"
        )
    return m
