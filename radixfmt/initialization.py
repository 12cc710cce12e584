"""Weights for a topology: one rule by name, one random stream per layer.

Random rules draw from the layer's own words (`words`), so that any layer can be drawn without the
ones before it. `he` and `variance` use each neuron's own number of inputs, so that
signals keep their scale through sparse layers whose fan-in is far below n_in: variance 2/fan_in
(He et al., arXiv 1502.01852, for ReLU) and 1/fan_in (for linear cascades; our reading of the
variance-keeping scheme of NeuroFabric, arXiv 2002.08339).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.model.canonical import LARGEST_FLOAT32, LARGEST_INTEGER
from radixfmt.model.network import LazyLayers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

RULES = ("none", "constant=V", "normal[=STD]", "he", "variance")
"""How `--weights` is spelled."""

GAINS = {"he": 2.0, "variance": 1.0}


WEIGHTS, TOPOLOGY, REWIRING, PRUNING = 0, 1, 2, 4
"""Where the words of each kind of draw start; see `words`."""


def words(seed: int, layer: int, start: int) -> np.random.Philox:
    """Return the random words of a layer: Philox4x64-10 with the key (seed, layer).

    One seed serves all that is drawn for a network, so each kind of draw has 256-bit counters of
    its own, that never meet: those of weights start at 0, of topologies at 2^192, of rewiring at
    2^193, and of random pruning at 2^194.

    Args:
        seed: 0 to 2^53 - 1.
        layer: its index in the network.
        start: of the counter, in units of 2^192: `WEIGHTS`, `TOPOLOGY`, `REWIRING` or `PRUNING`.
    """
    return np.random.Philox(
        key=np.array([seed, layer], np.uint64), counter=np.array([0, 0, 0, start], np.uint64)
    )


@dataclass(slots=True, eq=False)
class DrawnWeights:
    """float32 normal weights `[nnz]`, drawn when first read."""

    pattern: Pattern
    seed: int
    layer: int
    deviation: Callable[[Pattern], NDArray[np.float32] | float]
    dtype: np.dtype[Any] = field(default=np.dtype(np.float32))
    _drawn: NDArray[np.float32] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(nnz,)."""
        return (self.pattern.nnz,)

    def __getitem__(self, key: slice) -> NDArray[np.float32]:
        if self._drawn is None:
            stream = np.random.Generator(words(self.seed, self.layer, WEIGHTS))
            drawn = stream.standard_normal(self.pattern.nnz, dtype=np.float32)
            drawn *= self.deviation(self.pattern)
            self._drawn = drawn
        return self._drawn[key]


def weighted(
    network: Network, *, weights: str | None = None, bias: float | None = None, seed: int = 0
) -> Network:
    """Return the network with other weights or biases, each still made on demand.

    Args:
        network: any network.
        weights: a rule of `RULES`, or None to leave them.
        bias: one value for all neurons, or None to leave it.
        seed: 0 to 2^53 - 1.

    Raises:
        ParameterError: an unknown rule, or a value that is not a finite number.
    """
    rule = None if weights is None else _rule(weights)
    if type(seed) is not int or not 0 <= seed <= LARGEST_INTEGER:
        raise ParameterError(f"seed: expected 0 to 2^53 - 1, got {seed}")
    if bias is not None and not (isinstance(bias, Real) and abs(bias) <= LARGEST_FLOAT32):
        raise ParameterError(f"bias: expected a finite number in float32, got {bias}")

    def make(i: int) -> Layer:
        layer = network.layers[i]
        changes: dict[str, Any] = {}
        if rule is not None:
            changes["weights"] = rule(layer.pattern, seed, i)
        if bias is not None:
            changes["bias"] = bias
        return layer.replace(**changes)

    layers = LazyLayers(network.headers, make, network.geometries)
    return replace(network, layers=layers)


def _rule(text: str) -> Callable[[Pattern, int, int], Any]:
    """Return the function (pattern, seed, layer) → weights that `text` names."""
    if not isinstance(text, str):
        raise ParameterError(f"weights: expected one of {', '.join(RULES)}, got {text!r}")
    name, has_value, value = text.partition("=")
    if name == "none" and not has_value:
        return lambda *_: None
    if name == "constant":
        constant = _number(text, value)
        return lambda *_: constant
    if name == "normal":
        std = _number(text, value) if has_value else 1.0
        if std < 0:
            raise ParameterError(f"weights {text!r}: expected a standard deviation of at least 0")
        return partial(DrawnWeights, deviation=lambda _: std)
    if name in GAINS and not has_value:

        def deviation(pattern: Pattern) -> NDArray[np.float32]:
            fan_in = pattern.fan_in()
            scale = np.sqrt(GAINS[name] / np.maximum(fan_in, 1)).astype(np.float32)
            return np.repeat(scale, fan_in)

        return partial(DrawnWeights, deviation=deviation)
    close = difflib.get_close_matches(name, ("none", "constant", "normal", *GAINS), n=1)
    raise ParameterError(
        f"weights: expected one of {', '.join(RULES)}, got {text!r}",
        hint=f"Did you mean {close[0]!r}?" if close and close[0] != name else None,
    )


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = np.nan
    if not abs(number) <= LARGEST_FLOAT32:
        raise ParameterError(f"weights {text!r}: expected a finite number in float32 after '='")
    return number
