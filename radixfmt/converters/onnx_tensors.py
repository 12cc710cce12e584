"""Tensors of ONNX as arrays: sizes, bytes and positions are checked before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import InputError, UnsupportedError
from radixfmt.model.columns import LARGEST_DIMENSION
from radixfmt.model.dtypes import LARGEST_RANK, TENSOR_TYPES, dtype_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx
    from numpy.typing import NDArray

    from radixfmt.converters.onnx_external import ExternalData

LARGEST_COUNT = 2**62
"""Elements of a tensor, zero sizes left out; beyond it numpy's own arithmetic ends."""

RENAMED = {"float": "float32", "double": "float64"}
"""ONNX's names of element types where they are not numpy's."""

FIELDS = {
    "float32": "float_data",
    "float64": "double_data",
    "int64": "int64_data",
    "uint32": "uint64_data",
    "uint64": "uint64_data",
}
"""Where a tensor that is not raw keeps its elements; others in `int32_data`."""

ALL_FIELDS = {
    "float_data": np.float32, "double_data": np.float64, "int32_data": np.int32,
    "int64_data": np.int64, "uint64_data": np.uint64, "string_data": object,
}  # fmt: skip
"""Those places and the types of what lies there."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """A sparse tensor, entry by entry.

    Attributes:
        shape: of the whole.
        positions: int64 `[nnz]`, ascending, in the flattened tensor.
        values: `[nnz]`.
    """

    shape: tuple[int, ...]
    positions: NDArray[np.int64]
    values: NDArray[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that it takes when it is made dense."""
        return prod(self.shape) * self.values.itemsize

    def dense(self) -> NDArray[Any]:
        """Return it with its zeros; ask for `nbytes` first."""
        whole = np.zeros(prod(self.shape), self.values.dtype)
        whole[self.positions] = self.values
        return whole.reshape(self.shape)


def type_name(code: int) -> str:
    """Return numpy's name of an ONNX element type, whether the format holds it or not."""
    from onnx import TensorProto

    known = {value: name.lower() for name, value in TensorProto.DataType.items()}
    name: str = known.get(code, f"number {code}")
    return RENAMED.get(name, name)


def dense(proto: onnx.TensorProto, external: ExternalData, *, file: str, what: str) -> NDArray[Any]:
    """Return a tensor's elements.

    Args:
        proto: the tensor.
        external: reads what lies in other files.
        file: for messages.
        what: the tensor, for messages.

    Raises:
        UnsupportedError: an element type or a rank that the format does not hold.
        InputError: sizes that cannot be, or data that is not what they ask for.
    """
    where = f"{file}: {what}"
    name = type_name(proto.data_type)
    if name not in TENSOR_TYPES:
        raise UnsupportedError(
            f"{where}: elements of type {name}; the format holds {', '.join(TENSOR_TYPES)}"
        )
    dtype = dtype_of(name)
    shape = sizes(proto.dims, where)
    count = prod(shape)
    stored = [field for field in ALL_FIELDS if len(getattr(proto, field))]
    stored += ["raw_data"] if proto.HasField("raw_data") else []
    stored += ["external"] if proto.data_location == proto.EXTERNAL else []
    field = FIELDS.get(name, "int32_data")
    if proto.HasField("segment") or len(stored) > 1:
        raise InputError(f"{where}: expected its elements in one place, got {', '.join(stored)}")
    if stored in (["raw_data"], ["external"]):
        return _raw(proto, dtype, shape, external, file=file, what=what)
    if stored not in ([], [field]):
        raise InputError(f"{where}: expected {name} elements in {field}, got {stored[0]}")
    found = len(getattr(proto, field))
    if found != count:
        raise InputError(f"{where}: expected {count} elements for {list(shape)}, got {found}")
    return _typed(np.array(getattr(proto, field), ALL_FIELDS[field]), dtype, where).reshape(shape)


def sparse(
    proto: onnx.SparseTensorProto, external: ExternalData, *, file: str, what: str
) -> Coordinates:
    """Return the entries of a sparse tensor; its dense form is never made here.

    Raises:
        UnsupportedError: as `dense`.
        InputError: positions outside the shape (RX4004), not ascending (RX4005), or given twice
            (RX4006); or not one position for each value.
    """
    where = f"{file}: {what}"
    shape = sizes(proto.dims, where)
    values = dense(proto.values, external, file=file, what=f"values of {what}")
    indices = dense(proto.indices, external, file=file, what=f"indices of {what}")
    flat, pairs = (values.size,), (values.size, len(shape))
    if values.ndim != 1 or indices.dtype != np.int64 or indices.shape not in (flat, pairs):
        raise InputError(
            f"{where}: expected a list of values, and int64 indices of shape {list(flat)} or "
            f"{list(pairs)}; got values {list(values.shape)} and {indices.dtype} indices "
            f"{list(indices.shape)}"
        )
    bounds = np.array(shape if indices.ndim == 2 else prod(shape), np.int64)
    outside = (indices < 0) | (indices >= bounds)
    if outside.any():
        at = int(np.flatnonzero(outside.reshape(values.size, -1).any(1))[0])
        raise InputError(
            f"{where}: entry {at}: expected a position inside {list(shape)}, got "
            f"{indices[at].tolist()}",
            code="RX4004",
        )
    positions = indices
    if indices.ndim == 2:
        steps = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
        positions = indices @ np.array(steps, np.int64)
    falls = positions[1:] <= positions[:-1]
    if falls.any():
        at = int(falls.argmax())
        twice = positions[at] == positions[at + 1]
        raise InputError(
            f"{where}: entry {at + 1}: expected positions that ascend, got "
            f"{indices[at + 1].tolist()} after {indices[at].tolist()}",
            code="RX4006" if twice else "RX4005",
        )
    return Coordinates(shape, positions, values)


def sizes(dims: Iterable[int], where: str) -> tuple[int, ...]:
    """Return the sizes of a tensor.

    Raises:
        UnsupportedError: more than `LARGEST_RANK` of them.
        InputError: negative, or more elements than can be counted.
    """
    shape = tuple(int(size) for size in dims)
    if len(shape) > LARGEST_RANK:
        raise UnsupportedError(
            f"{where}: rank {len(shape)}; the format holds tensors of rank at most {LARGEST_RANK}"
        )
    whole = all(0 <= size <= LARGEST_DIMENSION for size in shape)
    if not whole or prod(size or 1 for size in shape) > LARGEST_COUNT:
        raise InputError(f"{where}: expected sizes from 0 to 2^40, got {list(shape)}")
    return shape


def _raw(
    proto: onnx.TensorProto,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    external: ExternalData,
    *,
    file: str,
    what: str,
) -> NDArray[Any]:
    """Return elements that are kept as bytes, in the file or in another."""
    size = prod(shape) * dtype.itemsize
    inside = proto.data_location != proto.EXTERNAL
    data = proto.raw_data if inside else external.read(proto, size, what)
    if len(data) != size:
        raise InputError(
            f"{file}: {what}: expected {size} bytes for {list(shape)} of {dtype.name}, "
            f"got {len(data)}"
        )
    if dtype == np.bool_:
        return np.frombuffer(data, np.uint8).astype(np.bool_).reshape(shape)
    found: NDArray[Any] = np.frombuffer(data, dtype.newbyteorder("<"))
    return found.astype(dtype, copy=False).reshape(shape)


def _typed(stored: NDArray[Any], dtype: np.dtype[Any], where: str) -> NDArray[Any]:
    """Return elements kept as wider integers, halves as their bits, in their own type."""
    halves = dtype.name in ("float16", "bfloat16")
    narrow = np.dtype(np.uint16) if halves else dtype
    if narrow.kind in "iu" and stored.size:
        limits = np.iinfo(narrow)
        outside = (stored < limits.min) | (stored > limits.max)
        if outside.any():
            value = stored[int(outside.argmax())]
            raise InputError(f"{where}: expected elements of {dtype.name}, got {value}")
    elements: NDArray[Any] = stored.astype(narrow, copy=False)
    return elements.view(dtype) if halves else elements
