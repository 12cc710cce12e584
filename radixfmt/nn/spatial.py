"""ONNX's convolutions, pools and normalisations in torch; defaults are those of opset 21."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from radixfmt.errors import UnsupportedError
from radixfmt.nn.conv import both_sides, convolve

if TYPE_CHECKING:
    from collections.abc import Callable

    Attributes = Any

MAX_POOLS = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
MEAN_POOLS = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    _explicit_pads(a)
    rank = weight.dim() - 2
    ones = (1,) * rank
    return convolve(
        x, weight, bias,
        a.get("strides", ones), a.get("pads", (0,) * 2 * rank), a.get("dilations", ones),
        a.get("group", 1),
    )  # fmt: skip


def _max_pool(a: Attributes, x: Tensor) -> Tensor:
    _explicit_pads(a)
    kernel = a["kernel_shape"]
    begins, ends = _pads(a, len(kernel))
    if begins != ends or any(2 * pad > size for pad, size in zip(begins, kernel, strict=True)):
        x, begins = functional.pad(x, both_sides(begins, ends), value=-inf), (0,) * len(kernel)
    ones = (1,) * len(kernel)
    return MAX_POOLS[len(kernel) - 1](
        x, kernel, a.get("strides", ones), begins, a.get("dilations", ones),
        ceil_mode=bool(a.get("ceil_mode", 0)),
    )  # fmt: skip


def _average_pool(a: Attributes, x: Tensor) -> Tensor:
    _explicit_pads(a)
    kernel = a["kernel_shape"]
    begins, ends = _pads(a, len(kernel))
    ones = (1,) * len(kernel)
    if begins != ends or tuple(a.get("dilations", ones)) != ones:
        raise UnsupportedError("expected pads alike on both sides and no dilations")
    return MEAN_POOLS[len(kernel) - 1](
        x, kernel, a.get("strides", ones), begins,
        ceil_mode=bool(a.get("ceil_mode", 0)),
        count_include_pad=bool(a.get("count_include_pad", 0)),
    )  # fmt: skip


def _pads(a: Attributes, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    pads = tuple(a.get("pads", (0,) * 2 * rank))
    return pads[:rank], pads[rank:]


def _explicit_pads(a: Attributes) -> None:
    if a.get("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedError(f"expected explicit pads, got auto_pad {a['auto_pad']!r}")


def batch_norm(a: Attributes, given: list[Tensor], *, training: bool) -> Tensor:
    """Return the operator's result; in training by the batch's own moments, as torch does it.

    The running mean and variance, `given[3:5]`, follow then in place.
    """
    if a.get("training_mode", 0):
        raise UnsupportedError("expected training_mode 0; the module's own mode says it")
    x, scale, bias, mean, variance = given
    momentum = 1 - a.get("momentum", 0.9)
    epsilon = a.get("epsilon", 1e-5)
    return functional.batch_norm(x, mean, variance, scale, bias, training, momentum, epsilon)


def _layer_norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    axis = a.get("axis", -1)
    made = functional.layer_norm(x, x.shape[axis:], eps=a.get("epsilon", 1e-5)) * scale
    return made if bias is None else made + bias


def _group_norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return functional.group_norm(x, a["num_groups"], scale, bias, a.get("epsilon", 1e-5))


def _instance_norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return functional.instance_norm(x, weight=scale, bias=bias, eps=a.get("epsilon", 1e-5))


def _flatten(a: Attributes, x: Tensor) -> Tensor:
    axis = a.get("axis", 1)
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def _spatial(x: Tensor) -> tuple[int, ...]:
    return tuple(range(2, x.dim()))


SPATIAL: dict[str, Callable[..., Any]] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "Flatten": _flatten,
    "GlobalAveragePool": lambda _, x: x.mean(_spatial(x), keepdim=True),
    "GlobalMaxPool": lambda _, x: x.amax(_spatial(x), keepdim=True),
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": lambda a, x: torch.log_softmax(x, a.get("axis", -1)),
    "MaxPool": _max_pool,
    "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)),
}
"""Operator → function of attributes and inputs."""
