"""Good models with a sparse convolution, and what they say: for fuzz_native.py."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

import radixfmt as rx
from radixfmt.native.nodes import convolution, model_of
from radixfmt.native.packed import pack

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray


def base_convolution(rng: np.random.Generator) -> onnx.ModelProto:
    """Return a good model of one convolution; the sizes of its input's image are said."""
    rank, group = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    channels, filters = (int(n) * group for n in rng.integers(1, 12, 2))

    def numbers(count: int, low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.integers(low, high, count).tolist())

    geometry = rx.ConvGeometry(
        numbers(rank, 1, 4),
        numbers(rank, 1, 3),
        numbers(2 * rank, 0, 3),
        numbers(rank, 1, 3),
        group,
    )
    cells = channels // group * int(np.prod(geometry.kernel_shape))
    mask = rng.random((filters, cells)) < rng.choice([0.1, 0.5])
    indptr = np.concatenate([[0], mask.sum(1).cumsum()])
    pattern = rx.Pattern.explicit((cells, filters), indptr, np.nonzero(mask)[1])
    weights = rng.normal(size=pattern.nnz).astype(rng.choice(["float16", "float32"]))
    made = rx.Layer("conv", pattern, weights, kind="conv", geometry=geometry)
    node = convolution(pack(made, low=-1.0), geometry, "x", "y", "conv")
    model = model_of([node], channels, filters, rank=rank)
    image = model.graph.input[0].type.tensor_type.shape.dim[2:]
    for axis, size in zip(image, rng.integers(5, 9, rank).tolist(), strict=True):
        axis.dim_value = size
    return model


def convolved(
    x: NDArray[np.float64], arrays: list[NDArray[np.float64]], given: dict[str, Any]
) -> NDArray[np.float64]:
    """Return what a node of arrays and attributes makes of `x`; index errors are raised."""
    weights, inputs, pointers, bias, scale = arrays
    kernel, strides, dilations = (given[k] for k in ("kernel_shape", "strides", "dilations"))
    rank, width = len(kernel), x.shape[1] // given["group"]
    reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    ends = zip(given["pads"][:rank], given["pads"][rank:], strict=True)
    places = [
        (size + before + after - far - 1) // stride + 1
        for size, (before, after), far, stride in zip(
            x.shape[2:], ends, reach, strides, strict=True
        )
    ]
    y = np.zeros((x.shape[0], bias.size, *places))
    with np.errstate(all="ignore"):
        for o, (start, stop) in enumerate(pairwise(pointers.astype(np.int64))):
            first = o // (bias.size // given["group"]) * width
            for edge in range(start, stop):
                channel, *taps = np.unravel_index(int(inputs[edge]), (width, *kernel))
                read, inside = x[:, first + channel], np.ones((), bool)
                for axis, tap in enumerate(taps):
                    at = np.arange(places[axis]) * strides[axis]
                    at = at + int(tap) * dilations[axis] - given["pads"][axis]
                    there = (at >= 0) & (at < x.shape[2 + axis])
                    read = np.take(read, np.where(there, at, 0), axis=1 + axis)
                    inside = inside[..., None] & there
                y[:, o] += np.where(inside, read, 0) * weights[edge]
        column = (-1, *[1] * rank)
        y = y * scale.reshape(column) + bias.reshape(column)
        return np.clip(y, np.float64(given["min"]), np.float64(given["max"]))
