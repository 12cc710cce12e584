"""Random X-Nets: every neuron of one side picks its neighbours on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.generators.regular import shown
from radixfmt.model.pattern import Pattern
from radixfmt.topologies import topology
from radixfmt.topologies.drawn import by_output, check_drawn, degree_within, drawn, layer_shapes
from radixfmt.topologies.draws import GENERATOR, distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.model.network import Network

RULES = ("smaller-side", "outputs")


@topology("x-net-random", example={"widths": [12, 8, 10], "degree": 3}, random=GENERATOR)
def x_net_random(
    *, widths: Sequence[int], degree: int, rule: str = "smaller-side", seed: int = 0
) -> Network:
    """Return a random X-Net, layers that are expanders with high probability.

    Prabhu, Varma and Namboodiri, arXiv 1711.08757. `smaller-side` is the rule of the authors'
    code, `outputs` that of the paper as it is commonly told (its text was not at hand). One side
    has exactly `degree` edges per neuron, the other side's degrees are random. All sets of
    neighbours are equally likely; each layer takes one draw `distinct`, a row for each neuron
    that picks.

    Args:
        widths: neurons of the input and of every layer after it.
        degree: neurons that each neuron picks.
        rule: smaller-side: outputs pick inputs where a layer has fewer outputs than inputs, else
            inputs pick outputs; outputs: outputs always pick inputs.
        seed: of the random draws.

    Raises:
        ParameterError: no such rule, `degree` more than there are neurons to pick, or a layer
            too large to be drawn (code "limit").
    """
    if rule not in RULES:
        raise ParameterError(
            f"rule: expected one of {', '.join(RULES)}, got {shown(rule)}",
            hint="smaller-side is what the authors' code does",
        )
    shapes = layer_shapes(widths)
    by_inputs = [rule == "smaller-side" and n_out >= n_in for n_in, n_out in shapes]
    choices = [
        shape[1] if swap else shape[0] for shape, swap in zip(shapes, by_inputs, strict=True)
    ]
    picks = degree_within(degree, choices)
    for shape, swap in zip(shapes, by_inputs, strict=True):
        check_drawn(shape, picks * shape[0 if swap else 1])

    def draw(words: np.random.Philox, i: int) -> Pattern:
        n_in, n_out = shapes[i]
        if not by_inputs[i]:
            return by_output(n_in, distinct(words, n_in, picks, n_out))
        outputs = distinct(words, n_out, picks, n_in).reshape(-1)
        pointers = np.zeros(n_out + 1, np.int64)
        np.cumsum(np.bincount(outputs, minlength=n_out), out=pointers[1:])
        inputs = np.argsort(outputs, kind="stable") // picks
        return Pattern.explicit((n_in, n_out), pointers, inputs)

    return drawn(shapes, seed, draw)
