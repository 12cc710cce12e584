"""Sparse convolutions with weights at random, and what they make in float64."""

import itertools

import numpy as np
from native_cases import drawn

import radixfmt as rx


def geometry(kernel, *, stride=1, pad=0, dilation=1, group=1):
    """Return a geometry; a single number holds for all axes."""
    rank = len(kernel)
    given = [
        (value,) * count if isinstance(value, int) else tuple(value)
        for value, count in ((stride, rank), (pad, 2 * rank), (dilation, rank))
    ]
    return rx.ConvGeometry(tuple(kernel), *given, group)


def layer(shape, filters, channels, rng, *, density=0.2, dtype=np.float32):
    """Return a layer and its dense weights in float64."""
    mask = rng.random((filters, channels // shape.group, *shape.kernel_shape)) < density
    columns, rows = np.nonzero(mask.reshape(filters, -1))
    indptr = np.concatenate([[0], np.bincount(columns, minlength=filters).cumsum()])
    pattern = rx.Pattern.explicit((mask[0].size, filters), indptr, rows)
    dense = np.zeros((filters, mask[0].size))
    weights, dense[columns, rows] = drawn(columns, filters, rng, dtype)
    bias = rng.normal(size=filters).astype(np.float32)
    made = rx.Layer("conv", pattern, weights, bias=bias, kind="conv", geometry=shape)
    return made, dense.reshape(mask.shape)


def convolved(x, dense, made):
    """Return the convolution in float64, one tap after another."""
    shape = made.geometry
    rank, group = len(shape.kernel_shape), shape.group
    pads = [(0, 0), (0, 0), *zip(shape.pads[:rank], shape.pads[rank:], strict=True)]
    padded = np.pad(x.astype(np.float64), pads)
    padded = padded.reshape(len(x), group, x.shape[1] // group, *padded.shape[2:])
    filters = dense.reshape(group, len(dense) // group, *dense.shape[1:])
    y = 0.0
    for tap in itertools.product(*map(range, shape.kernel_shape)):
        window = []
        for axis, at in enumerate(tap):
            start = at * shape.dilations[axis]
            reach = shape.dilations[axis] * (shape.kernel_shape[axis] - 1)
            stop = padded.shape[3 + axis] - reach + start
            window.append(slice(start, stop, shape.strides[axis]))
        seen = padded[(slice(None),) * 3 + tuple(window)]
        y = y + np.einsum("bgc...,gfc->bgf...", seen, filters[(slice(None),) * 3 + tap])
    return y.reshape(len(x), len(dense), *y.shape[3:]) + made.bias.reshape(-1, *[1] * rank)
