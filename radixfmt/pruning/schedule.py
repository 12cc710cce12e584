"""How sparse a network is while it is trained."""

from __future__ import annotations

from radixfmt.errors import ParameterError


def gradual_sparsity(
    step: int, *, initial: float = 0.0, final: float, begin: int, end: int
) -> float:
    """Return the sparsity at a training step: s_f + (s_i - s_f)·(1 - p)³, fast first, then slow.

    p is the part of the way from `begin` to `end`, from 0 to 1. Zhu & Gupta, arXiv 1710.01878,
    as in the public code of "Training Behavior of Sparse Neural Network Topologies" (arXiv
    1810.00299), which goes from step 3000 to 10000 and prunes every 200 steps.

    Args:
        step: any integer; the sparsity is `initial` until `begin` and `final` from `end` on.
        initial: sparsity s_i at `begin`, 0 to 1.
        final: sparsity s_f at `end`, `initial` to 1.
        begin: first step.
        end: last step, after `begin`.

    Raises:
        ParameterError: sparsities or steps in another order.
    """
    if not 0 <= initial <= final <= 1:
        raise ParameterError(f"expected 0 <= initial <= final <= 1, got {initial} and {final}")
    if begin >= end:
        raise ParameterError(f"expected begin before end, got {begin} and {end}")
    left = 1 - min(max((step - begin) / (end - begin), 0), 1)
    return final + (initial - final) * left**3
