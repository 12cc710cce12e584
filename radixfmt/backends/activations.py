"""ONNX's elementwise operators in numpy, in place where that is easy, for any float dtype.

Definitions and default attributes are those of the ONNX operator reference at opset 21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.graph import Node

    Array = NDArray[np.floating[Any]]

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def apply(node: Node, x: Array, tensors: Mapping[str, NDArray[Any]]) -> Array:
    """Return the operator of `node` applied to each element of `x`, which may be overwritten.

    Raises:
        UnsupportedError: not an operator that acts on each element alone, or attributes that it
            cannot have.
    """
    if node.op == "Clip":
        return _clip(x, [_bound(node, name, x.dtype, tensors) for name in node.inputs[1:]])
    if node.op not in _RULES:
        raise UnsupportedError(
            f"node {node.op}: the reference knows SparseLinear, Clip, {', '.join(sorted(_RULES))}",
            hint="compare with onnxruntime instead",
        )
    if any(isinstance(value, tuple) for value in node.attributes.values()):  # numpy broadcasts
        raise UnsupportedError(
            f"node {node.op}: expected attributes of one value each, got {dict(node.attributes)}"
        )
    try:
        made: Array = _RULES[node.op](x, node.attributes)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UnsupportedError(
            f"node {node.op}: it cannot have the attributes {dict(node.attributes)}: {error}"
        ) from error
    return made


def _bound(
    node: Node, name: str, dtype: np.dtype[Any], tensors: Mapping[str, NDArray[Any]]
) -> Array | None:
    """Return a bound of Clip, None where it is left out."""
    if not name:
        return None
    if name not in tensors or np.ndim(tensors[name]) != 0:
        raise UnsupportedError(
            f"node {node.op}: the reference takes bounds that are scalar tensors of the network; "
            f"{name!r} is not one",
            hint="compare with onnxruntime instead",
        )
    return np.asarray(tensors[name]).astype(dtype)


def _clip(x: Array, bounds: Sequence[Array | None]) -> Array:
    low, high = (*bounds, None, None)[:2]
    if low is not None:
        np.maximum(x, low, out=x)
    if high is not None:
        np.minimum(x, high, out=x)
    return x


def _elu(x: Array, alpha: float, gamma: float = 1.0) -> Array:
    negative = alpha * np.expm1(np.minimum(x, 0))
    return np.asarray(gamma * (np.maximum(x, 0) + negative), x.dtype)


def _celu(x: Array, attributes: Mapping[str, Any]) -> Array:
    alpha = attributes.get("alpha", 1.0)
    return np.asarray(np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha), x.dtype)


def _gelu(x: Array, attributes: Mapping[str, Any]) -> Array:
    if attributes.get("approximate", "none") == "tanh":
        inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
        return np.asarray(0.5 * x * (1 + np.tanh(inner)), x.dtype)
    from scipy.special import erf

    return np.asarray(0.5 * x * (1 + erf(x / np.sqrt(2))), x.dtype)


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    return np.asarray(np.clip(alpha * x + beta, 0, 1), x.dtype)


def _sigmoid(x: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(x), x.dtype)


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0).astype(x.dtype)


_RULES: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "Celu": _celu,
    "Elu": lambda x, a: _elu(x, a.get("alpha", 1.0)),
    "Gelu": _gelu,
    "HardSigmoid": lambda x, a: _hard_sigmoid(x, a.get("alpha", 0.2), a.get("beta", 0.5)),
    "HardSwish": lambda x, _: x * _hard_sigmoid(x, 1 / 6, 0.5),
    "Identity": lambda x, _: x,
    "LeakyRelu": lambda x, a: np.where(x < 0, a.get("alpha", 0.01) * x, x).astype(x.dtype),
    "Mish": lambda x, _: x * np.tanh(_softplus(x)),
    "Relu": lambda x, _: np.maximum(x, 0, out=x),
    "Selu": lambda x, a: _elu(x, a.get("alpha", SELU_ALPHA), a.get("gamma", SELU_GAMMA)),
    "Sigmoid": lambda x, _: _sigmoid(x),
    "Softplus": lambda x, _: _softplus(x),
    "Softsign": lambda x, _: x / (1 + np.abs(x)),
    "Tanh": lambda x, _: np.tanh(x, out=x),
    "ThresholdedRelu": lambda x, a: np.where(x > a.get("alpha", 1.0), x, 0).astype(x.dtype),
}
