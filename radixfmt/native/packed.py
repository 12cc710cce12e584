"""One layer as the native operators take it: arrays checked nowhere but in the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.tiling import Tiling

WEIGHT_TYPES = ("float32", "float16", "bfloat16", "int8")
"""Types in which the operators take weights; products are of float32."""

LARGEST = 0x7FFFFF00
"""Neurons, cells or edges of one layer at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A layer in one of the operators' two forms: y = clip(scale · (x·W) + bias).

    Attributes:
        form: "rows": each output has inputs of its own; "blocks": groups of outputs share theirs.
        n_in: input neurons.
        weights: rows: `[edges]`; blocks: `[groups, m, k]`.
        inputs: int32; rows: `[edges]`; blocks: `[groups, k]`.
        outputs: int32; rows: pointers `[n_out + 1]`; blocks: place `[n_out]` of each output among
            the rows of all groups.
        bias: float32 `[n_out]`.
        scale: float32 `[n_out]` or `[1]`.
        low: least value of an output.
        high: greatest value.
    """

    form: Literal["rows", "blocks"]
    n_in: int
    weights: NDArray[Any]
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    bias: NDArray[np.float32]
    scale: NDArray[np.float32]
    low: float = -np.inf
    high: float = np.inf

    @property
    def n_out(self) -> int:
        """Output neurons."""
        return self.bias.size

    @property
    def body_bytes(self) -> int:
        """Bytes that the operator's definition in standard operators makes of the weights."""
        cells = self.n_in * self.n_out if self.form == "rows" else self.weights.size
        return 4 * cells


def pack(
    layer: Layer,
    tiling: Tiling | None = None,
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Packed:
    """Return a linear layer with its bias, and the bounds that follow it.

    Args:
        layer: with weights of float32, float16, bfloat16, or int8 codes whose zero points are 0;
            others are taken as float32.
        tiling: of all its edges, for blocks; None for rows.
        low: least value of an output: 0 for Relu.
        high: greatest value.

    Raises:
        ParameterError: the tiling does not hold all edges.
        UnsupportedError: no weights, or more neurons or edges than int32 counts.
    """
    pattern = layer.pattern
    n_in, n_out = pattern.shape
    if layer.weights is None:
        raise UnsupportedError(f"{layer.name}: expected weights, got a topology only")
    if max(n_in, n_out, pattern.nnz) > LARGEST:
        raise UnsupportedError(
            f"{layer.name}: the native operators take at most {LARGEST} neurons and edges, "
            f"got {n_in} by {n_out} with {pattern.nnz}"
        )
    values, scale = _values(layer)
    bias = np.zeros(n_out, np.float32)
    if layer.bias is not None:
        bias[:] = np.asarray(layer.bias[:]).astype(np.float32)
    if tiling is None:
        indices = pattern.indices.astype(np.int32)
        pointers = pattern.indptr.astype(np.int32)
        weights = np.ascontiguousarray(np.broadcast_to(values, (pattern.nnz,)))
        return Packed("rows", n_in, weights, indices, pointers, bias, scale, low, high)
    place = tiling.place(n_out)
    if tiling.slots.size != pattern.nnz or (place < 0).any():
        raise ParameterError(f"{layer.name}: expected a tiling of all edges and outputs")
    return Packed(
        "blocks",
        n_in,
        tiling.blocks(values, values.dtype),
        np.maximum(tiling.inputs, 0).astype(np.int32),  # padding reads any row, times zero
        place.astype(np.int32),
        bias,
        scale,
        low,
        high,
    )


def _values(layer: Layer) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the weights, `[nnz]` or `[1]`, in a type that the operators take, and their scale."""
    quantized = layer.quantized
    if quantized is not None and not quantized.zero_point.any():
        codes = np.asarray(quantized.codes[:])
        if codes.dtype == np.int8:
            return codes, np.asarray(quantized.scale, np.float32)
    assert layer.weights is not None  # noqa: S101  pack has asked
    values = np.asarray(layer.weights[:])
    if values.dtype.name not in WEIGHT_TYPES[:3]:
        values = values.astype(np.float32)
    return values, np.ones(1, np.float32)
