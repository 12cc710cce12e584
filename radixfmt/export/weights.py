"""The weights of a finished model: how many bytes they are, and the model without them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

LARGEST_MODEL = 2**31 - 2**24
"""Bytes of weights that fit one protobuf file, with room for nodes and names."""


def dense_bytes(model: onnx.ModelProto) -> int:
    """Return the bytes of the model's initializers; protobuf says what is too much by failing."""
    return sum(map(tensor_bytes, model.graph.initializer))


def sparse_bytes(model: onnx.ModelProto) -> int:
    """Return the bytes of the values and cells of its sparse initializers."""
    return sum(
        tensor_bytes(tensor)
        for sparse in model.graph.sparse_initializer
        for tensor in (sparse.values, sparse.indices)
    )


def tensor_bytes(tensor: onnx.TensorProto) -> int:
    """Return the bytes of a tensor's elements, which are not looked at: that would copy them."""
    from onnx import helper

    size: int = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    count: int = prod(tensor.dims)
    return count * size


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of the model that has no initializers, sparse ones neither."""
    import onnx

    made = onnx.ModelProto()
    _copy(model, made, but={"graph"})
    _copy(model.graph, made.graph, but={"initializer", "sparse_initializer"})
    return made


def _copy(old: Any, new: Any, *, but: set[str]) -> None:
    """Copy the fields of one protobuf message into another of its kind."""
    for field, value in old.ListFields():
        if field.name in but:
            continue
        if isinstance(value, str | bytes | int | float):
            setattr(new, field.name, value)
        else:
            getattr(new, field.name).MergeFrom(value)
