"""A layer applied to a tensor of any rank in float64, with scipy's sparse product."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.sparse_walk import transposed
from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.layer import ConvGeometry, Layer

    Array = NDArray[np.float64]

LARGEST = 2**27
"""Elements of one tensor, 1 GiB of float64."""


class TooLargeError(UnsupportedError):
    """The float64 reference would take too long or too much memory."""


def apply(layer: Layer, x: Array) -> Array:
    """Return the layer's result: `[…, n_in]` → `[…, n_out]`, or a convolution of `[B, C, …]`.

    Raises:
        TooLargeError: the result.
        UnsupportedError: no weights, or a tensor of another shape.
    """
    if layer.geometry is not None:
        return _conv(layer, layer.geometry, x)
    n_in, n_out = layer.pattern.shape
    if x.ndim == 0 or x.shape[-1] != n_in:
        raise UnsupportedError(f"{layer.name}: expected [..., {n_in}], got {list(x.shape)}")
    check_size(layer.name, [*x.shape[:-1], n_out])
    matrix, bias = transposed(layer, np.dtype(np.float64))
    made = matrix @ x.reshape(prod(x.shape[:-1]), n_in).T
    if bias is not None:
        made += bias
    return np.ascontiguousarray(made.T).reshape(*x.shape[:-1], n_out)


def check_size(where: str, shape: list[int]) -> None:
    """Refuse a tensor that the reference should not make.

    Raises:
        TooLargeError: more than `LARGEST` elements.
    """
    if prod(shape) > LARGEST:
        raise TooLargeError(
            f"{where}: a tensor of shape {shape} is too large for the float64 reference, which "
            f"takes up to {LARGEST} elements"
        )


def _conv(layer: Layer, geometry: ConvGeometry, x: Array) -> Array:
    windows = _windows(layer, geometry, x)
    rank = len(geometry.kernel_shape)
    places = windows.shape[2 : 2 + rank]
    n_in, n_out = layer.pattern.shape
    check_size(layer.name, [x.shape[0], n_out, *places])
    check_size(layer.name, [n_in, *places])
    matrix, bias = transposed(layer, np.dtype(np.float64))
    made = np.empty((x.shape[0], n_out, prod(places)))
    outputs, channels = n_out // geometry.group, x.shape[1] // geometry.group
    order = (0, *range(1 + rank, 1 + 2 * rank), *range(1, 1 + rank))
    for j in range(geometry.group):
        part: Any = matrix[j * outputs : (j + 1) * outputs]
        for sample in range(x.shape[0]):
            window = windows[sample, j * channels : (j + 1) * channels]
            columns = window.transpose(order).reshape(n_in, prod(places))
            made[sample, j * outputs : (j + 1) * outputs] = part @ columns
    if bias is not None:
        made += bias
    return made.reshape(x.shape[0], n_out, *places)


def _windows(layer: Layer, geometry: ConvGeometry, x: Array) -> Array:
    """Return what the kernel sees at each place, `[B, C, *places, *kernel_shape]`, as a view."""
    rank = len(geometry.kernel_shape)
    channels = layer.pattern.shape[0] // prod(geometry.kernel_shape) * geometry.group
    reach = [
        (k - 1) * d + 1 for k, d in zip(geometry.kernel_shape, geometry.dilations, strict=True)
    ]
    pads = list(zip(geometry.pads[:rank], geometry.pads[rank:], strict=True))
    padded = [size + sum(pad) for size, pad in zip(x.shape[2:], pads, strict=False)]
    if x.ndim != rank + 2 or x.shape[1] != channels or any(map(int.__lt__, padded, reach)):
        raise UnsupportedError(
            f"{layer.name}: expected [B, {channels}, ...] with {rank} sizes of at least {reach} "
            f"when padded, got {list(x.shape)}"
        )
    check_size(layer.name, [*x.shape[:2], *padded])
    view: Array = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, [(0, 0), (0, 0), *pads]), reach, tuple(range(2, 2 + rank))
    )
    steps = (slice(None, None, step) for step in (*geometry.strides, *geometry.dilations))
    return view[(slice(None), slice(None), *steps)]
