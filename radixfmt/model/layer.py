"""One weight matrix: where it may be nonzero, its values, its bias.

`linear` acts on the last axis of a tensor of any rank. `conv` (ONNX geometry names) has
W = `weight.reshape(C_out, -1).T`, of shape `[C_in / group · ∏ kernel_shape, C_out]`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.model.dtypes import QUANTIZED_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from radixfmt.model.columns import Columns
    from radixfmt.model.pattern import Pattern

Kind = Literal["linear", "conv"]


class Values(Protocol):
    """Weights as a layer asks for them; an ndarray is one, a dataset in an open file another."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the element type."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return `(nnz,)`, or `(1,)` for one value shared by all edges."""

    def __getitem__(self, key: slice, /) -> Any:
        """Return the values of a run of edges as an ndarray."""


class WeightedColumns(NamedTuple):
    """A column range with its weights; `weights` is None for topology only."""

    columns: Columns
    weights: NDArray[Any] | None


@dataclass(frozen=True, slots=True)
class ConvGeometry:
    """How a `conv` layer moves over its input; ONNX's Conv attributes, d = spatial rank.

    Attributes:
        kernel_shape: `[d]` sizes.
        strides: `[d]` steps.
        pads: `[2d]`, all beginnings and then all ends.
        dilations: `[d]` spacings.
        group: number of channel groups.
    """

    kernel_shape: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int = 1

    def __post_init__(self) -> None:
        rank = len(self.kernel_shape)
        for name, count, least in (
            ("kernel_shape", rank, 1),
            ("strides", rank, 1),
            ("pads", 2 * rank, 0),
            ("dilations", rank, 1),
        ):
            values = getattr(self, name)
            if rank not in (1, 2, 3) or len(values) != count or min(values) < least:
                raise ParameterError(
                    f"conv geometry, {name}: expected {count} integers of at least {least} "
                    f"for a kernel of rank 1 to 3, got {list(values)}"
                )
        if self.group < 1:
            raise ParameterError(f"conv geometry, group: expected at least 1, got {self.group}")

    def check(self, shape: tuple[int, int]) -> None:
        """Check that a matrix of `shape` (n_in, n_out) can be this convolution's.

        Raises:
            ParameterError: n_in is no multiple of the kernel's cells, or n_out of the groups.
        """
        cells = prod(self.kernel_shape)
        if shape[0] % cells or shape[1] % self.group:
            raise ParameterError(
                f"conv geometry: expected n_in a multiple of the kernel's {cells} cells and n_out "
                f"of {self.group} groups, got {list(shape)}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """Weights kept as integer codes: weight = (code - zero_point) * scale in float32 (spec §4).

    Attributes:
        codes: int8 or uint8 `[nnz]` in pattern order.
        scale: float32 `[n_out]` or `[1]`, finite and above 0.
        zero_point: of the codes' type, `[n_out]` or `[1]`.
    """

    codes: Values | NDArray[Any]
    scale: NDArray[np.float32]
    zero_point: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Dequantized:
    """What codes mean, as float32 values made when they are asked for."""

    pattern: Pattern
    quantized: Quantized
    dtype: np.dtype[Any] = np.dtype(np.float32)  # noqa: RUF009  an immutable constant

    @property
    def shape(self) -> tuple[int, ...]:
        """(nnz,)."""
        return (self.pattern.nnz,)

    def __getitem__(self, key: slice) -> NDArray[np.float32]:
        first, last, _ = key.indices(self.pattern.nnz)
        codes = np.asarray(self.quantized.codes[first:last]).astype(np.int32)
        scale, zero = self.quantized.scale, self.quantized.zero_point.astype(np.int32)
        if not codes.size:
            return np.empty(0, np.float32)
        if max(scale.size, zero.size) > 1:
            every = range(self.pattern.shape[1])
            start = bisect_right(every, first, key=self.pattern.first_edge) - 1
            stop = bisect_right(every, last - 1, key=self.pattern.first_edge)
            column = np.repeat(np.arange(start, stop), self.pattern.fan_in(start, stop))
            column = column[first - self.pattern.first_edge(start) :][: codes.size]
            scale = scale if scale.size == 1 else scale[column]
            zero = zero if zero.size == 1 else zero[column]
        with np.errstate(over="ignore"):  # a scale may be so large that weights are infinite
            return (codes - zero).astype(np.float32) * scale


class Layer:
    """A pattern with weights and bias.

    Args:
        name: for people.
        pattern: where the weights are.
        weights: ndarray `[nnz]` in pattern order, or `[1]` / a scalar for one value on all edges,
            or `Quantized` codes, or None for topology only. A file's reader passes a `Values`
            that reads on demand.
        bias: ndarray `[n_out]`, or `[1]` / a scalar for all outputs, or None.
        kind: "linear" or "conv".
        geometry: required for "conv".

    Raises:
        ParameterError: lengths that do not fit the pattern.
    """

    __slots__ = ("_values", "bias", "geometry", "kind", "name", "pattern", "quantized")

    def __init__(
        self,
        name: str,
        pattern: Pattern,
        weights: Values | NDArray[Any] | Quantized | float | None = None,
        bias: NDArray[Any] | float | None = None,
        *,
        kind: Kind = "linear",
        geometry: ConvGeometry | None = None,
    ) -> None:
        self.name = name
        self.pattern = pattern
        self.kind: Kind = kind
        self.geometry = geometry
        self.quantized = weights if isinstance(weights, Quantized) else None
        values: Any = weights
        if isinstance(weights, Quantized):
            _check_quantized(name, weights, pattern)
            values = Dequantized(pattern, weights)
        self._values: Values | None = _vector(f"{name}: weights", values, pattern.nnz)
        self.bias: NDArray[Any] | None = _vector(f"{name}: bias", bias, pattern.shape[1])
        if (kind == "conv") != (geometry is not None):
            raise ParameterError(f"{name}: a conv layer, and no other, has a geometry")
        if geometry is not None:
            geometry.check(pattern.shape)

    @property
    def weights(self) -> NDArray[Any] | None:
        """All weights, `[nnz]` or `[1]`, in pattern order; None for topology only."""
        return None if self._values is None else np.asarray(self._values[:])

    @property
    def stored(self) -> Values | None:
        """What a file keeps: the codes of quantised weights, the weights of others, lazily."""
        return self._values if self.quantized is None else self.quantized.codes

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Element type of the weights, known without reading them."""
        return None if self._values is None else self._values.dtype

    @property
    def iso(self) -> bool:
        """Whether one value stands for all edges."""
        one = self._values is not None and self._values.shape == (1,)
        return one and self.quantized is None

    def replace(self, **changes: Any) -> Layer:
        """Return the layer with other `name`, `pattern`, `weights`, `bias`, `kind`, `geometry`."""
        kept: dict[str, Any] = {
            "name": self.name,
            "pattern": self.pattern,
            "weights": self.quantized or self._values,
            "bias": self.bias,
            "kind": self.kind,
            "geometry": self.geometry,
        }
        return Layer(**(kept | changes))

    def blocks(self) -> Iterator[tuple[int, int, WeightedColumns]]:
        """Yield (start, stop, columns with weights) over all columns, a block at a time."""
        first = 0
        for start, stop, columns in self.pattern.blocks():
            last = first + columns.indices.size
            yield start, stop, WeightedColumns(columns, self._range(first, last))
            first = last

    def columns(self, start: int, stop: int) -> WeightedColumns:
        """Return columns [start, stop) with their weights (`[edges]`, expanded if iso)."""
        columns = self.pattern.columns(start, stop)
        first = 0 if self._values is None or self.iso else self.pattern.first_edge(start)
        return WeightedColumns(columns, self._range(first, first + columns.indices.size))

    def _range(self, first: int, last: int) -> NDArray[Any] | None:
        if self._values is None:
            return None
        if self.iso:
            return np.broadcast_to(np.asarray(self._values[:]), (last - first,))
        return np.asarray(self._values[first:last])

    def __repr__(self) -> str:
        what = "topology only" if self._values is None else f"{self.dtype} weights"
        return f"<Layer {self.name!r} {self.kind} {self.pattern!r}, {what}>"


def _check_quantized(name: str, given: Quantized, pattern: Pattern) -> None:
    """Raise ParameterError unless codes, scales and zero points fit each other and the pattern."""
    sides = ((pattern.shape[1],), (1,))
    for what, array, shapes in (
        ("codes", given.codes, ((pattern.nnz,),)),
        ("scale", given.scale, sides),
        ("zero_point", given.zero_point, sides),
    ):
        if array.shape not in shapes:
            raise ParameterError(
                f"{name}: {what}: expected {shapes[0][0]} values, got {array.shape}"
            )
    if given.codes.dtype.name not in QUANTIZED_TYPES or given.zero_point.dtype != given.codes.dtype:
        raise ParameterError(
            f"{name}: expected codes and zero points of type {' or '.join(QUANTIZED_TYPES)}, got "
            f"{given.codes.dtype} and {given.zero_point.dtype}"
        )
    if given.scale.dtype != np.float32 or not (np.isfinite(given.scale) & (given.scale > 0)).all():
        raise ParameterError(f"{name}: scale: expected finite float32 values above 0")


def _vector(what: str, values: Any, length: int) -> Any:
    """Return `values` as a vector of `length` or 1 elements; lazy ones pass untouched."""
    if values is None:
        return None
    vector = values if hasattr(values, "dtype") and hasattr(values, "shape") else None
    if vector is None:
        vector = np.asarray(values, np.float32 if isinstance(values, int | float) else None)
    if vector.shape == ():
        vector = np.reshape(vector, (1,))
    if vector.shape not in ((length,), (1,)):
        raise ParameterError(f"{what}: expected {length} values or one, got {vector.shape}")
    return vector
