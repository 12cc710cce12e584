"""`controllability`: which outputs feel which inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.measures import measurement
from radixfmt.measures.bundle import Ledger, Spent
from radixfmt.measures.classes import spread
from radixfmt.measures.limits import BUDGET, check_budget, check_side
from radixfmt.measures.ratio import Tally, ratio
from radixfmt.measures.reach import Reach
from radixfmt.measures.recipes import PROVEN_ONLY, constant_start
from radixfmt.measures.run import layer_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network

MOST_WORDS = 1 << 24
"""Words of 64 inputs each that a block holds: 128 MiB."""

LARGEST_BLOCK = 1 << 15
"""Inputs of a block."""

READING = (
    "the share of input-output pairs with at least one path: our reading of what NeuroFabric "
    "(arXiv 2002.08339) asks of a topology; its own definition was not available"
)


@dataclass(slots=True)
class Reached:
    """What is known of the inputs followed so far."""

    followed: int = 0
    outputs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    """How many of them reach each output."""
    reaching_all: int = 0
    reaching_none: int = 0

    def add(self, reach: Reach, inputs: int, n_out: int, *, weight: int = 1) -> None:
        """Add a block of inputs, each of which stands for `weight` of them."""
        counts = reach.inputs_of(n_out, weight)
        self.outputs = self.outputs + counts if self.followed else counts
        self.followed += inputs * weight
        everywhere = np.bitwise_and.reduce(reach.bits, axis=0)
        anywhere = np.bitwise_or.reduce(reach.bits, axis=0)
        self.reaching_all += weight * int(np.bitwise_count(everywhere).sum())
        self.reaching_none += weight * (inputs - int(np.bitwise_count(anywhere).sum()))


@measurement("controllability", columns={"reachable": "reachable"})
def controllability(
    network: Network, *, start: int = 0, stop: int | None = None, budget: int = BUDGET
) -> dict[str, Any]:
    """Return how many input-output pairs of a chain are joined by at least one path.

    Edges are the cells a pattern stores, whatever their weight. Which inputs reach a neuron is kept
    as one bit each, and neurons that are reached alike share theirs; blocks of inputs keep the
    memory below 1 GB. The cost is about 8 operations per edge and 64 inputs, and 64 per edge.
    Where the budget does not last, an even sample of inputs is followed, always the same one, and
    `sampled` is true: then every number speaks of those inputs, exactly.

    Args:
        network: a chain of linear layers.
        start: first layer of the run, from 0 in the order of application.
        stop: the layer after the last; None for the end.
        budget: operations to spend.

    Returns:
        `layers` (in the run), `start`, `stop`, `inputs`, `outputs`, `followed` (inputs), `sampled`,
        `reachable_pairs`, `reachable` (their share, `{numerator, denominator, value}`),
        `controllable` (all pairs are), `outputs_reached_by_all`, `outputs_unreached` (by any
        followed input), `inputs_reaching_all`, `inputs_reaching_none` (neurons each) and
        `reading`, what the word means here. `controllable` is None without pairs, and `why` says
        so.

    Raises:
        UnsupportedError: no chain of linear layers, too large, or the budget is spent at once.
    """
    check_budget(budget)
    run = layer_run(network, start, stop)
    inputs, outputs = network.headers[run[0]][1][0], network.headers[run[-1]][1][1]
    reached = Reached()
    if inputs and outputs:
        _follow(network, run, budget, reached)
    pairs = reached.followed * outputs
    counts = Tally.of(reached.outputs) if pairs else Tally([], [])
    found: dict[str, Any] = {
        "layers": len(run),
        "start": start,
        "stop": start + len(run),
        "inputs": inputs,
        "outputs": outputs,
        "followed": reached.followed,
        "sampled": reached.followed < inputs and outputs > 0,
        "reachable_pairs": counts.total,
        "reachable": ratio(counts.total, pairs),
        "controllable": counts.total == pairs if pairs else None,
        "outputs_reached_by_all": counts.count(reached.followed),
        "outputs_unreached": counts.count(0),
        "inputs_reaching_all": reached.reaching_all,
        "inputs_reaching_none": reached.reaching_none,
        "reading": READING,
    }
    if not pairs:
        found["why"] = "there are no pairs of input and output"
    return found


def _follow(network: Network, run: Sequence[int], budget: int, reached: Reached) -> None:
    """Follow blocks of inputs until all are, or until the budget is spent."""
    ledger = Ledger(budget)
    n_in, n_out = network.headers[run[0]][1][0], network.headers[run[-1]][1][1]
    proven = constant_start(network, run)
    if proven is not None:
        try:
            reach = _walk(Reach.everywhere(), network, run[proven[0] :], ledger)
        except Spent:
            raise _beyond(budget) from None
        reached.add(reach, 1, n_out, weight=n_in)
        return
    widest = max(max(network.headers[i][1]) for i in run)
    check_side(widest, "paths", hint=PROVEN_ONLY)
    size = min(LARGEST_BLOCK, 64 * max(1, MOST_WORDS // widest))
    pending = [spread(np.arange(n_in))]
    while pending:
        block = pending.pop()
        if block.size > size:
            pending += [block[at : at + size] for at in range(0, block.size, size)][::-1]
            continue
        try:
            reach = _walk(Reach.at(block, n_in), network, run, ledger)
        except Spent:
            if reached.followed:
                return
            if block.size <= 64:
                raise _beyond(budget) from None
            ledger, size = Ledger(budget), 64 * (block.size // 512 or 1)
            pending.append(block)
        else:
            reached.add(reach, block.size, n_out)


def _walk(reach: Reach, network: Network, run: Sequence[int], ledger: Ledger) -> Reach:
    for i in run:
        reach = reach.through(network.layers[i].pattern, ledger)
    return reach


def _beyond(budget: int) -> UnsupportedError:
    return UnsupportedError(
        f"not even 64 inputs can be followed with a budget of {budget} operations",
        hint="raise budget, or measure fewer layers with start and stop",
    )
