"""ONNX's elementwise operators in torch; defaults are those of opset 21."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    Attributes = Any

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def _clip(
    _: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None
) -> Tensor:
    x = x if low is None else torch.maximum(x, low.to(x.dtype))
    return x if high is None else torch.minimum(x, high.to(x.dtype))


def _elu(x: Tensor, alpha: float, gamma: float = 1.0, width: float = 1.0) -> Tensor:
    negative = alpha * torch.expm1(torch.clamp(x, max=0) / width)
    return gamma * (torch.clamp(x, min=0) + negative)


def _gelu(a: Attributes, x: Tensor) -> Tensor:
    return functional.gelu(x, approximate=a.get("approximate", "none"))


def _hard_sigmoid(a: Attributes, x: Tensor) -> Tensor:
    return torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1)


def _celu(a: Attributes, x: Tensor) -> Tensor:
    alpha = a.get("alpha", 1.0)
    return _elu(x, alpha, width=alpha)


def _selu(a: Attributes, x: Tensor) -> Tensor:
    return _elu(x, a.get("alpha", SELU_ALPHA), a.get("gamma", SELU_GAMMA))


def _thresholded(a: Attributes, x: Tensor) -> Tensor:
    return torch.where(x > a.get("alpha", 1.0), x, torch.zeros_like(x))


def _division(_: Attributes, x: Tensor, y: Tensor) -> Tensor:
    floats = x.is_floating_point() or y.is_floating_point()
    return x / y if floats else torch.div(x, y, rounding_mode="trunc")


def _power(_: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y).to(x.dtype)


def _all_of(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return the operator that joins any number of inputs by a function of two."""

    def joined(_: Attributes, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(first, other)
        return first

    return joined


def _mean(_: Attributes, *given: Tensor) -> Tensor:
    return _all_of(torch.add)(_, *given) / len(given)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the operator without attributes that is this function of its inputs."""
    return lambda _, *given: function(*given)


UNARY: dict[str, Callable[..., Any]] = {
    "Abs": torch.abs, "Ceil": torch.ceil, "Cos": torch.cos, "Erf": torch.erf, "Exp": torch.exp,
    "Floor": torch.floor, "IsNaN": torch.isnan, "Log": torch.log,
    "Mish": functional.mish, "Neg": torch.neg, "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal, "Relu": torch.relu, "Round": torch.round,
    "Sigmoid": torch.sigmoid, "Sign": torch.sign, "Sin": torch.sin, "Softsign": functional.softsign,
    "Sqrt": torch.sqrt, "Tanh": torch.tanh,
}  # fmt: skip

BINARY: dict[str, Callable[..., Any]] = {
    "Add": torch.add, "And": torch.logical_and, "Equal": torch.eq, "Greater": torch.gt,
    "GreaterOrEqual": torch.ge, "Less": torch.lt, "LessOrEqual": torch.le, "MatMul": torch.matmul,
    "Mul": torch.mul, "Or": torch.logical_or, "Sub": torch.sub, "Where": torch.where,
    "Xor": torch.logical_xor,
}  # fmt: skip

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    **{name: _plain(function) for name, function in (UNARY | BINARY).items()},
    "Celu": _celu,
    "Clip": _clip,
    "Div": _division,
    "Elu": lambda a, x: _elu(x, a.get("alpha", 1.0)),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda _, x: x * torch.clamp(x / 6 + 0.5, 0, 1),
    "Identity": lambda _, x: x,
    "LeakyRelu": lambda a, x: torch.where(x < 0, a.get("alpha", 0.01) * x, x),
    "Max": _all_of(torch.maximum),
    "Mean": _mean,
    "Min": _all_of(torch.minimum),
    "PRelu": lambda _, x, slope: torch.where(x < 0, slope * x, x),
    "Pow": _power,
    "Selu": _selu,
    # torch's own turns linear above a threshold
    "Softplus": lambda _, x: torch.logaddexp(x, torch.zeros_like(x)),
    "Sum": _all_of(torch.add),
    "ThresholdedRelu": _thresholded,
}
"""Operator → function of attributes and inputs."""
