"""Patterns of constant degree: what every generator of the format makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.model.canonical import LARGEST_INTEGER
from radixfmt.model.columns import LARGEST_DIMENSION, Columns, index_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from radixfmt.generators.permutation import Permutation

LARGEST_DEGREE = 2**24
"""Inputs per neuron: a column is the least that is made at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class RegularColumns:
    """Edges made by a rule that gives every output neuron `degree` inputs, and inputs alike.

    Attributes:
        shape: (n_in, n_out).
        degree: inputs of each output neuron, at least 1.
        period: output neurons j and j + period have the same inputs.
        rows: returns the inputs of given output neurons (int64 `[k]`), `[k, degree]` of type
            `index_dtype(n_in)`, ascending along the last axis.
        record: the generator record.
        permutations: stored arrays that the rule reads.

    Raises:
        ParameterError: the layer would be beyond the format's limits (code "limit").
    """

    shape: tuple[int, int]
    degree: int
    period: int
    rows: Callable[[NDArray[np.int64]], NDArray[np.integer[Any]]]
    record: Mapping[str, Any]
    permutations: Mapping[str, Permutation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_limits(self.shape, self.degree)

    @property
    def nnz(self) -> int:
        """Number of edges."""
        return self.degree * self.shape[1]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The permutations as a file stores them, by name."""
        return {name: kept.entries for name, kept in self.permutations.items()}

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop), closed to writing."""
        return np.broadcast_to(np.int64(self.degree), (stop - start,))

    def fan_out(self) -> NDArray[np.int64]:
        """Return the number of edges out of each input neuron, closed to writing."""
        return np.broadcast_to(np.int64(self.nnz // self.shape[0]), (self.shape[0],))

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return column * self.degree

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop)."""
        count = stop - start
        distinct = min(count, self.period)
        rows = self.rows(np.arange(start, start + distinct, dtype=np.int64))
        if distinct < count:
            once, turns = rows, count // distinct
            rows = np.empty((count, self.degree), index_dtype(self.shape[0]))
            rows[: turns * distinct].reshape(turns, distinct, -1)[:] = once
            rows[turns * distinct :] = once[: count % distinct]
        indptr = np.arange(0, count * self.degree + 1, self.degree, dtype=np.int64)
        return Columns(indptr, rows.reshape(-1))


def check_limits(shape: tuple[int, int], degree: int) -> None:
    """Check the limits of generated layers (spec §6).

    Raises:
        ParameterError: with code "limit"; more than 2^40 neurons on a side, 2^24 inputs of a
            neuron, or 2^53 - 1 edges.
    """
    if max(shape) > LARGEST_DIMENSION:
        raise ParameterError(
            f"a layer would have {shown(max(shape))} neurons; the format allows 2^40", code="limit"
        )
    if degree > LARGEST_DEGREE:
        raise ParameterError(
            f"a neuron would have {shown(degree)} inputs; the format allows 2^24", code="limit"
        )
    if degree * shape[1] > LARGEST_INTEGER:
        raise ParameterError(
            f"a layer would have {shown(degree * shape[1])} edges; the format allows 2^53 - 1",
            code="limit",
        )


def check_count(what: str, value: object) -> None:
    """Check that a parameter is an integer of at least 1.

    Raises:
        ParameterError: it is not; a bool is no integer.
    """
    if type(value) is not int or value < 1:
        raise ParameterError(f"{what}: expected an integer of at least 1, got {shown(value)}")


def shown(value: object) -> str:
    """Return a value from a stranger, short; a huge integer cannot even be printed."""
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "an integer beyond 2^53"
    if isinstance(value, list | tuple):
        more = ", …" if len(value) > 8 else ""
        return f"[{', '.join(map(shown, value[:8]))}{more}]"[:80]
    return repr(value)[:80] if isinstance(value, str | float | bool | int | None) else "an object"
