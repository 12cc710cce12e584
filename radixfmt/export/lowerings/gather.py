"""`gather`: each output's own inputs gathered, then multiplied and summed.

For patterns without structure that are sparse enough. Outputs are sorted by fan-in and cut into
parts: few enough outputs that a part's gathered rows stay in cache, and of fan-ins so close that
padding them to the largest costs less than another part would.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.export.accepts import fitted
from radixfmt.export.graph import FEATURE_MAJOR, Tensor
from radixfmt.export.lowerings import Estimate, Setting, lowering

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from radixfmt.export.costs import Costs
    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern

CACHED = {"cpu": 1 << 19, "cuda": 1 << 25}
"""Bytes of one part's gathered rows, measured on CPU: half a core's second-level cache."""

MOST_PARTS = 64
"""Parts that a layer is cut into for the cache's sake; each takes two nodes."""


class Part(NamedTuple):
    """Outputs that are made by one product: `order[start:stop]`, padded to `k` inputs each."""

    start: int
    stop: int
    k: int


class Form(NamedTuple):
    """How a layer is emitted.

    Attributes:
        order: int64 `[n_out]` output neurons, fan-in descending.
        parts: that cover `order`.
        summed: whether products are added up by ReduceSum, sample by sample.
    """

    order: NDArray[np.int64]
    parts: Sequence[Part]
    summed: bool

    @property
    def rows(self) -> int:
        """Rows that are gathered, padding included."""
        return sum((part.stop - part.start) * part.k for part in self.parts)


@lowering("gather", auto=True)
class Gather:
    """Gather → one row vector per output, as grouped Conv (CPU, float32) or batched MatMul.

    For a batch of one: Gather → Mul → ReduceSum, which has no cost per output.
    """

    layouts = frozenset({FEATURE_MAJOR})

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate | None:
        """Sort and cut the outputs and return what they cost; None where a side has none."""
        if 0 in pattern.shape:
            return None
        batch = setting.batch
        fan_in = pattern.fan_in()
        order = np.argsort(-fan_in, kind="stable")
        sizes = np.maximum(fan_in[order], 1)
        room = CACHED[setting.target] // (setting.itemsize * batch)
        room = max(room, int(sizes.sum()) // MOST_PARTS)
        padding = 2 * setting.costs.node / _row(pattern.shape[0], batch, setting.costs)
        form = Form(order, list(_cut(sizes, room, padding)), summed=batch == 1)
        seconds = partial(_seconds, pattern.shape, form, setting.costs)
        parts, rows = len(form.parts), form.rows
        return Estimate(
            seconds(batch),
            rows * (setting.itemsize + np.dtype(np.int64).itemsize),
            f"each output gathers its own {sizes[-1]} to {sizes[0]} inputs, in {parts} "
            f"part{'s' if parts > 1 else ''}, fill {rows / max(pattern.nnz, 1):.2f}",
            form,
            seconds,
        )

    def emit(self, graph: GraphBuilder, layer: Layer, form: Form, x: Tensor) -> Tensor:
        """Add each part's Gather and product, and join them."""
        assert x.place is not None  # noqa: S101  layouts says so
        n_out = layer.pattern.shape[1]
        assert layer.weights is not None  # noqa: S101  the exporter has checked
        values = fitted(f"{layer.name}: weights", layer.weights, graph.dtype)
        values = np.broadcast_to(values, (layer.pattern.nnz,))
        if form.summed:
            x = graph.to_rows(x)
        made = []
        for j, part in enumerate(form.parts):
            scope = f"{layer.name}/part{j}" if len(form.parts) > 1 else layer.name
            outputs = form.order[part.start : part.stop]
            inputs, weights = _padded(layer.pattern, values, outputs, part.k)
            bias = None if layer.bias is None else graph.bias(layer)[outputs]
            if x.place is None:
                made.append(_sum(graph, scope, x, inputs, weights, bias))
            else:
                gathered = graph.gather(scope, x, x.place[inputs])
                made.append(graph.product(scope, gathered, weights[:, None], bias))
        axis = 1 if form.summed or graph.convolutions else 0
        whole = made[0]
        if len(made) > 1:
            whole = graph.add("Concat", made, f"{layer.name}/concat", axis=axis)
        place = np.empty(n_out, np.int64)
        place[form.order] = np.arange(n_out)
        if form.summed:
            return graph.to_features(Tensor(whole), n_out)._replace(place=place)
        return Tensor(whole, place, n_out)


def _seconds(shape: tuple[int, int], form: Form, costs: Costs, batch: int) -> float:
    """Return the seconds of a layer at a batch."""
    n_in, n_out = shape
    parts, rows = len(form.parts), form.rows
    seconds = rows * _row(n_in, batch, costs) + costs.node * parts * (5 if form.summed else 2)
    if not form.summed:
        seconds += n_out * costs.group + 2 * rows * batch / costs.multiply
    return seconds + (costs.join(n_out, batch) if parts > 1 else 0)


def _row(n_in: int, batch: int, costs: Costs) -> float:
    """Return the seconds in which a row is gathered and fed to the product.

    Fitted to 11 shapes of random patterns at batches of 1 to 256.
    """
    far = 4 * n_in * batch > costs.cache  # the input is not where the gathered rows are
    return max(costs.row, batch * (16 / costs.move + (8 / costs.spill if far else 0)))


def _cut(sizes: NDArray[np.int64], room: int, padding: float) -> Iterator[Part]:
    """Yield parts of outputs whose fan-ins are `sizes`, descending.

    Args:
        sizes: int64 `[n_out]`.
        room: rows of a part, padding included.
        padding: rows of padding that cost as much as another part.
    """
    ends = np.cumsum(sizes)
    start = 0
    while start < sizes.size:
        k = int(sizes[start])
        held = ends[start : start + max(1, room // k)] - (ends[start] - k)
        wasted = k * np.arange(1, held.size + 1) - held  # never falls
        stop = start + int(np.searchsorted(wasted, padding, side="right"))
        yield Part(start, stop, k)
        start = stop


def _padded(
    pattern: Pattern, values: NDArray[Any], outputs: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return inputs and weights `[outputs, k]`; padding reads the first input, times zero."""
    starts, ends = pattern.indptr[outputs], pattern.indptr[outputs + 1]
    real = np.arange(k) < (ends - starts)[:, None]
    edges = (starts[:, None] + np.arange(k))[real]
    inputs, weights = np.zeros(real.shape, np.int64), np.zeros(real.shape, values.dtype)
    inputs[real], weights[real] = pattern.indices[edges], values[edges]
    return inputs, weights


def _sum(
    graph: GraphBuilder,
    scope: str,
    x: Tensor,
    inputs: NDArray[np.int64],
    weights: NDArray[Any],
    bias: NDArray[Any] | None,
) -> str:
    """Return the batch-major result of one part, multiplied and added up."""
    rows = graph.constant(f"{scope}/rows", inputs)
    gathered = graph.add("Gather", [x.name, rows], f"{scope}/gather", axis=1)
    weight = graph.constant(f"{scope}/weight", weights)
    scaled = graph.add("Mul", [gathered, weight], f"{scope}/mul")
    axes = graph.constant("axes", np.array([2], np.int64))
    made = graph.add("ReduceSum", [scaled, axes], f"{scope}/sum", keepdims=0)
    if bias is None:
        return made
    return graph.add("Add", [made, graph.constant(f"{scope}/bias", bias)], f"{scope}/add")
