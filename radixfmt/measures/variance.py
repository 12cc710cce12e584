"""`variance`: how the scale of a signal changes from layer to layer."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.measures import measurement
from radixfmt.measures.limits import check_budget, check_side
from radixfmt.measures.run import layer_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

BUDGET = 1 << 30
"""Edges that are walked by default: under a minute."""

RULES = {"variance": 1.0, "he": 2.0}
"""Weight variance of a rule, times the neuron's fan-in."""

FEWER = "measure fewer layers with start and stop"

READING = (
    "variance kept through depth: our reading of what NeuroFabric (arXiv 2002.08339) asks of an "
    "initialisation; its own scheme was not available"
)


@measurement("variance", columns={"variance": "final"})
def variance(
    network: Network,
    *,
    start: int = 0,
    stop: int | None = None,
    rule: str | None = None,
    gain: float = 1.0,
    budget: int = BUDGET,
) -> dict[str, Any]:
    """Return the mean square of each neuron behind every layer of a chain, in float64.

    The inputs are independent, of mean 0 and mean square 1. A layer takes v to (W∘W)ᵀ·v + b²,
    which is exact for weights that are independent of each other and of mean 0, as initial ones
    are; it is an estimate for trained ones. Activations are stood for by one factor, `gain`: 1 is a
    linear network, and 0.5 is ReLU on symmetric signals, so that `rule="he", gain=0.5` keeps 1.

    Args:
        network: a chain of linear layers.
        start: first layer of the run, from 0 in the order of application.
        stop: the layer after the last; None for the end.
        rule: None takes the weights of layers that have some, and "variance" for the others;
            "variance" assumes weights of variance 1 / fan-in of their neuron, "he" 2 / fan-in.
        gain: of the activation behind each layer, on mean squares; above 0.
        budget: edges to walk, of all layers of the run together.

    Returns:
        `start`, `stop`, `gain`, `reading` (what the measure rests on), `final` (mean of the last
        layer) and `layers`, each with `name`, `rule` ("weights", "variance" or "he") and the
        `mean`, `min`, `max` over its neurons of the mean square behind it. A number that is not
        finite, or of no neurons, is None, and `why` beside it says so.

    Raises:
        UnsupportedError: no chain of linear layers, or beyond the budget.
        ParameterError: no such rule, or a gain that is no finite number above 0.
    """
    if rule is not None and (not isinstance(rule, str) or rule not in RULES):
        raise ParameterError(f"rule: expected one of {', '.join(RULES)}, got {rule!r}")
    factor = _factor(gain)
    check_budget(budget)
    run = layer_run(network, start, stop)
    _check_size(network, run, budget)
    squares = np.ones(network.headers[run[0]][1][0])
    layers: list[dict[str, Any]] = []
    for i in run:
        layer = network.layers[i]
        used = rule or ("variance" if layer.dtype is None else "weights")
        with np.errstate(over="ignore", invalid="ignore"):
            squares = factor * _behind(layer, squares, used)
        layers.append({"name": layer.name, "rule": used, **_summary(squares)})
    return {
        "start": start,
        "stop": start + len(run),
        "gain": factor,
        "final": layers[-1]["mean"],
        "reading": READING,
        "layers": layers,
    }


def _factor(gain: float) -> float:
    """Return the gain as a float64, if it is one."""
    if isinstance(gain, bool) or not isinstance(gain, int | float):
        raise ParameterError(f"gain: expected a finite number above 0, got {gain!r}")
    try:
        factor = float(gain)
    except OverflowError:
        raise ParameterError(
            "gain: expected a finite number above 0, got an integer beyond float64, 1.8e308"
        ) from None
    if not 0 < factor < inf:
        raise ParameterError(f"gain: expected a finite number above 0, got {gain!r}")
    return factor


def _check_size(network: Network, run: Sequence[int], budget: int) -> None:
    """Raise UnsupportedError unless a run is within bounds; no edge is made to find out."""
    headers = network.headers
    widest = max(max(headers[i][1]) for i in run)
    check_side(widest, "mean squares", hint=FEWER)
    edges = sum(times * network.layers[i].pattern.nnz for i, times in Counter(run).items())
    if edges > budget:
        raise UnsupportedError(
            f"walking the {edges} edges of {len(run)} layers is beyond the budget of {budget}",
            hint=f"raise budget, or {FEWER}",
        )


def _behind(layer: Layer, squares: NDArray[np.float64], rule: str) -> NDArray[np.float64]:
    """Return the mean squares behind a layer, before its activation."""
    import scipy.sparse as sp

    found = np.empty(layer.pattern.shape[1])
    for start, stop, (columns, weights) in layer.blocks():
        if rule == "weights" and weights is not None:
            factors = np.square(weights.astype(np.float64))
        else:
            fan_in = np.diff(columns.indptr)
            factors = np.repeat(RULES[rule] / np.maximum(fan_in, 1), fan_in)
        shape = (stop - start, squares.size)
        found[start:stop] = (
            sp.csr_array((factors, columns.indices, columns.indptr), shape) @ squares
        )
    if layer.bias is not None:
        found += np.square(layer.bias.astype(np.float64))
    return found


def _summary(squares: NDArray[np.float64]) -> dict[str, Any]:
    if not squares.size:
        return {"mean": None, "min": None, "max": None, "why": "the layer has no neurons"}
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = [float(squares.mean()), float(squares.min()), float(squares.max())]
    if not np.isfinite(numbers).all():
        return {"mean": None, "min": None, "max": None, "why": "it is not finite in float64"}
    return dict(zip(("mean", "min", "max"), numbers, strict=True))
