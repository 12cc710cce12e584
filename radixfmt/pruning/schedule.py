"""How sparse a network is while it is trained, and how many of its edges move."""

from __future__ import annotations

from math import cos, pi

from radixfmt.errors import ParameterError
from radixfmt.pruning.arguments import check_number, share


def gradual_sparsity(
    step: int, *, initial: float = 0.0, final: float, begin: int, end: int
) -> float:
    """Return the sparsity at a training step: s_f + (s_i - s_f)·(1 - p)³, fast first, then slow.

    p is the part of the way from `begin` to `end`, from 0 to 1. Zhu & Gupta, arXiv 1710.01878,
    as in the public code of "Training Behavior of Sparse Neural Network Topologies" (arXiv
    1810.00299), which goes from step 3000 to 10000 and prunes every 200 steps.

    Args:
        step: any number; the sparsity is `initial` until `begin` and `final` from `end` on.
        initial: sparsity s_i at `begin`, 0 to 1.
        final: sparsity s_f at `end`, `initial` to 1.
        begin: first step.
        end: last step, after `begin`.

    Raises:
        ParameterError: a value that is no such number, or an order that is another.
    """
    for what, sparsity in (("initial", initial), ("final", final)):
        share(what, sparsity)
    for what, at in (("step", step), ("begin", begin), ("end", end)):
        check_number(what, at)
    if initial > final:
        raise ParameterError(f"expected initial <= final, got {initial} and {final}")
    if begin >= end:
        raise ParameterError(f"expected begin before end, got {begin} and {end}")
    left = 1 - min(max((step - begin) / (end - begin), 0), 1)
    return final + (initial - final) * left**3


def drop_fraction(step: int, *, alpha: float = 0.3, end: int) -> float:
    """Return the share of edges that move at a training step: alpha/2·(1 + cos(π·t/T)), then 0.

    RigL (Evci et al., arXiv 1911.11134), whose text was not at hand: the formula is that of public
    codes, where alpha is often 0.3, edges move every 100 steps, and T is 75 % of training.
    It is the `zeta` of `rewire`, or of a rule of one's own.

    Args:
        step: t, any number; the share is `alpha` until step 0 and 0 from `end` on.
        alpha: share at step 0, 0 to 1.
        end: T, at least 1.

    Raises:
        ParameterError: a value that is no number, or out of range.
    """
    share("alpha", alpha)
    for what, at in (("step", step), ("end", end)):
        check_number(what, at)
    if end < 1:
        raise ParameterError(f"end: expected at least 1, got {end}")
    return alpha / 2 * (1 + cos(pi * min(max(step / end, 0), 1)))
