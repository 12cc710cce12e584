"""A layer that arrives by blocks of columns, kept in unnamed files until it is whole.

Its digest covers all pointers before the first index, so edges must be walked after the last one
is known; the spool is read back by blocks, as any file is.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from radixfmt.encodings.explicit import StoredColumns, narrowest
from radixfmt.errors import ParameterError
from radixfmt.model.columns import LARGEST_DIMENSION
from radixfmt.model.dtypes import is_float
from radixfmt.model.hashing import raw
from radixfmt.model.layer import Layer
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray


@dataclass(slots=True, eq=False)
class Spool:
    """A vector in an unnamed file: appended to, then read by slices."""

    file: str
    path: str
    dtype: np.dtype[Any]
    stream: IO[bytes]
    length: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(length,)."""
        return (self.length,)

    def append(self, block: NDArray[Any]) -> None:
        """Add elements at the end."""
        self.stream.write(raw(np.ascontiguousarray(block, self.dtype)))
        self.length += block.size

    def __getitem__(self, key: slice) -> NDArray[Any]:
        start, stop, _ = key.indices(self.length)
        self.stream.seek(start * self.dtype.itemsize)
        return np.frombuffer(
            self.stream.read(max(stop - start, 0) * self.dtype.itemsize), self.dtype
        )


class ColumnStream:
    """Takes a layer's columns in order; made by `Writer.columns`."""

    def __init__(self, name: str, shape: tuple[int, int], dtype: Any, folder: str) -> None:
        if not all(type(size) is int and 0 <= size <= LARGEST_DIMENSION for size in shape):
            raise ParameterError(f"{name}: shape: expected two sizes from 0 to 2^40, got {shape}")
        self._name = name
        self._shape = shape
        self._folder = folder
        self._dtypes = {"pointers_to_1": np.dtype("<u8"), "indices_1": narrowest(shape[0])}
        if dtype is not None:
            self._dtypes["values"] = np.dtype(dtype)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._spools = {
                name: Spool(
                    self._name,
                    name,
                    dtype,
                    stack.enter_context(tempfile.TemporaryFile(dir=self._folder)),
                )
                for name, dtype in self._dtypes.items()
            }
            self._stack = stack.pop_all()
        self._spools["pointers_to_1"].append(np.zeros(1, np.uint64))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def append(
        self, fan_in: ArrayLike, indices: ArrayLike, weights: ArrayLike | None = None
    ) -> None:
        """Add the next columns.

        Args:
            fan_in: number of edges of each, integers `[columns]`.
            indices: their input neurons, `[edges]`, ascending inside each column.
            weights: `[edges]`, if the layer has weights.

        Raises:
            ParameterError: lengths that do not fit, an index outside the layer, weights given to
                a topology-only layer or missing, or more columns than the layer has.
        """
        degrees, rows = np.asarray(fan_in), np.asarray(indices)
        pointers = self._spools["pointers_to_1"]
        for what, array in (("fan_in", degrees), ("indices", rows)):
            if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
                raise ParameterError(f"{self._name}: {what}: expected a vector of integers")
        if pointers.length + degrees.size > self._shape[1] + 1:
            raise ParameterError(f"{self._name}: more than n_out = {self._shape[1]} columns")
        if (degrees < 0).any() or int(degrees.sum()) != rows.size:
            raise ParameterError(
                f"{self._name}: fan_in adds up to {int(degrees.sum())}, got {rows.size} indices"
            )
        if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < self._shape[0]:
            raise ParameterError(
                f"{self._name}: indices: expected 0 to n_in - 1 = {self._shape[0] - 1}, got "
                f"{int(rows.min())} to {int(rows.max())}"
            )
        values = None if weights is None else np.asarray(weights)
        if (values is None) == ("values" in self._spools) or (
            values is not None and values.shape != rows.shape
        ):
            raise ParameterError(
                f"{self._name}: weights: expected one for each edge if the layer has a dtype, "
                "and none otherwise"
            )
        if values is not None:
            self._check_exact(values)
        before = self._spools["indices_1"].length
        pointers.append(before + np.cumsum(degrees, dtype=np.uint64))
        self._spools["indices_1"].append(rows)
        if values is not None:
            self._spools["values"].append(values)

    def _check_exact(self, values: NDArray[Any]) -> None:
        """Check that the layer's type holds these weights as they are."""
        dtype = self._spools["values"].dtype
        kept = values.dtype == dtype or np.can_cast(values.dtype, dtype)
        if not kept and (is_float(values.dtype) or values.dtype.kind in "iu"):
            with np.errstate(over="ignore", invalid="ignore"):
                again = values.astype(dtype).astype(values.dtype)
            kept = bool(((again == values) | (values != values)).all())  # noqa: PLR0124  NaN
        if not kept:
            raise ParameterError(
                f"{self._name}: weights of type {values.dtype} are not all exact in {dtype}",
                hint=f"round them where they come from: weights.astype({dtype.name!r})",
            )

    def layer(self, bias: Any) -> Layer:
        """Return the layer, which reads from the spool.

        Raises:
            ParameterError: not all columns were given.
        """
        pointers, indices = self._spools["pointers_to_1"], self._spools["indices_1"]
        if pointers.length != self._shape[1] + 1:
            raise ParameterError(
                f"{self._name}: expected {self._shape[1]} columns, got {pointers.length - 1}"
            )
        pattern = Pattern(StoredColumns(self._shape, indices.length, pointers, indices))
        return Layer(self._name, pattern, self._spools.get("values"), bias)
