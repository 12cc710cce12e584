"""`paths`: how many ways lead from every input to every output, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.measures import measurement
from radixfmt.measures.bundle import Bundle, Ledger, Spent, TooWide
from radixfmt.measures.classes import equal_inputs, spread
from radixfmt.measures.limits import BUDGET, check_budget, check_side
from radixfmt.measures.ratio import ratio
from radixfmt.measures.recipes import PROVEN_ONLY, constant_start
from radixfmt.measures.run import layer_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network

CELLS_AT_ONCE = 1 << 20


@dataclass(slots=True)
class Summary:
    """What is known of the counts of some rows (inputs) of the matrix of all pairs."""

    rows: int = 0
    least: int | None = None
    most: int | None = None
    total: int = 0
    squares: int = 0
    connected: int = 0

    def add(self, bundle: Bundle, weights: Sequence[int], n_out: int) -> None:
        """Add the rows of a bundle, each as often as its weight says."""
        columns = list(_columns(bundle, n_out))
        for weight, scale, at in zip(weights, bundle.scale, bundle.profile, strict=True):
            least, most, total, squares, connected = columns[at]
            self.rows += weight
            self.least = min(filter(_known, (self.least, scale * least)))
            self.most = max(filter(_known, (self.most, scale * most)))
            self.total += weight * scale * total
            self.squares += weight * scale * scale * squares
            self.connected += weight * connected


@measurement("paths", columns={"evenness": "evenness", "connected": "connected"})
def paths(
    network: Network, *, start: int = 0, stop: int | None = None, budget: int = BUDGET
) -> dict[str, Any]:
    """Return exact counts of the paths from every input to every output of a chain.

    A path takes one edge of each layer; edges are the cells a pattern stores, whatever their
    weight. For a RadiX-Net the count is ∏ inner widths · ∏ radices / n for every pair (arXiv
    1905.00416), and `symmetric` and `path_connected` are its theorems.

    Counts are followed layer by layer from blocks of inputs, at about one operation per edge and
    input, in less than 1 GB; what is alike is followed once, and after a constant product depth
    costs nothing. Where the budget does not last, whole rows of the matrix of counts are sampled
    evenly, always the same ones, and `sampled` is true: then `min`, `max`, `symmetric` and
    everything else speak of those rows, each of which is exact.

    Args:
        network: a chain of linear layers.
        start: first layer of the run, from 0 in the order of application.
        stop: the layer after the last; None for the end.
        budget: operations to spend.

    Returns:
        `layers` (in the run), `start`, `stop`, `inputs`, `outputs`, `rows` (inputs counted from),
        `sampled`; `min`, `max`, `total` (paths, exact integers), `mean` (per pair), `symmetric`
        (all counts are equal), `path_connected` (every pair has a path), `connected` (share of
        pairs with a path), `evenness` (total² / (pairs · Σ count²): 1 if all counts are equal, and
        a share of pairs if they are equal there and 0 elsewhere). Shares and means are
        `{numerator, denominator, value}`. Without pairs, and for the evenness of no paths, values
        are None and `why` says so.

    Raises:
        UnsupportedError: no chain of linear layers, too large, or not even one row can be counted
            in the budget.
    """
    check_budget(budget)
    run = layer_run(network, start, stop)
    inputs, outputs = network.headers[run[0]][1][0], network.headers[run[-1]][1][1]
    summary = Summary()
    if inputs and outputs:
        for bundle, weights in _bundles(network, run, budget):
            summary.add(bundle, weights, outputs)
    pairs = summary.rows * outputs
    found: dict[str, Any] = {
        "layers": len(run),
        "start": start,
        "stop": start + len(run),
        "inputs": inputs,
        "outputs": outputs,
        "rows": summary.rows,
        "sampled": summary.rows < inputs and outputs > 0,
        "min": summary.least,
        "max": summary.most,
        "total": summary.total,
        "mean": ratio(summary.total, pairs),
        "symmetric": summary.least == summary.most if pairs else None,
        "path_connected": summary.least != 0 if pairs else None,
        "connected": ratio(summary.connected, pairs),
        "evenness": ratio(summary.total**2, pairs * summary.squares),
    }
    if not summary.total:
        found["why"] = "there are no paths" if pairs else "there are no pairs of input and output"
    return found


def _bundles(
    network: Network, run: Sequence[int], budget: int
) -> Iterator[tuple[Bundle, list[int]]]:
    """Yield the paths of blocks of inputs, and how many inputs each one stands for.

    It ends early when the budget is spent.
    """
    ledger = Ledger(budget)
    passed: list[int] = []
    proven = constant_start(network, run)
    if proven is not None:
        layers, count = proven
        try:
            bundle = _walk(Bundle.constant(count), network, run[layers:], ledger, passed)
        except (TooWide, Spent):
            raise _beyond(run[layers:], passed, budget) from None
        yield bundle, [network.headers[run[0]][1][0]]
        return
    n_in = check_side(network.headers[run[0]][1][0], "paths", hint=PROVEN_ONLY)
    classes = equal_inputs(network.layers[run[0]].pattern)
    weights = np.bincount(classes.labels)
    of_class = dict(zip(classes.first.tolist(), weights.tolist(), strict=True))
    pending = [spread(classes.first)]
    known = False
    while pending:
        block = pending.pop()
        passed = []
        try:
            bundle = _walk(Bundle.at(block, n_in), network, run, ledger, passed)
        except TooWide as wide:
            if wide.fits < 1:
                raise _beyond(run, passed, budget) from None
            pending += _chunks(block, min(wide.fits, block.size - 1))
        except Spent:
            if known:
                return
            if block.size == 1:
                raise _beyond(run, passed, budget) from None
            ledger = Ledger(budget)
            likely = block.size * len(passed) ** 2 // len(run) ** 2  # counts grow with depth
            pending += _chunks(block, max(1, min(likely, block.size // 2)))
        else:
            known = True
            yield bundle, [of_class[i] for i in block.tolist()]


def _walk(
    bundle: Bundle, network: Network, run: Sequence[int], ledger: Ledger, passed: list[int]
) -> Bundle:
    """Return the paths continued through a run; `passed` grows with every layer."""
    for i in run:
        bundle = bundle.through(network.layers[i].pattern, ledger)
        passed.append(i)
    return bundle


def _chunks(block: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    """Return pieces of a block, the first one last."""
    return [block[at : at + size] for at in range(0, block.size, size)][::-1]


def _columns(bundle: Bundle, n_out: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (least, most, total, Σ squares, neurons reached) of each profile, exactly."""
    sizes = bundle.sizes(n_out)
    rows, columns = bundle.counts.shape
    bound = bundle.counts.bound if len(bundle.counts.limbs) == 1 else None
    fits = bound is not None and bound**2 * n_out < 2**63
    step = max(1, CELLS_AT_ONCE // rows)
    for at in range(0, columns, step):
        counts = bundle.counts.exact(slice(at, at + step))
        cells = counts if fits else counts.astype(object)
        weights = sizes.astype(cells.dtype)
        yield from zip(
            counts.min(axis=0).tolist(),
            counts.max(axis=0).tolist(),
            (weights @ cells).tolist(),
            (weights @ (cells * cells)).tolist(),
            (sizes @ (counts != 0)).tolist(),
            strict=True,
        )


def _known(value: int | None) -> bool:
    return value is not None


def _beyond(run: Sequence[int], passed: Sequence[int], budget: int) -> UnsupportedError:
    at = run[min(len(passed), len(run) - 1)]
    return UnsupportedError(
        f"/layers/{at:06d}: paths from a single input cannot be followed further: the layer is too "
        f"wide, or the budget of {budget} operations is spent",
        hint="raise budget, or measure fewer layers with start and stop",
    )
