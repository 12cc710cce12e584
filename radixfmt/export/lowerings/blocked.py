"""`blocked`: gather the inputs that groups of outputs share, then multiply group by group."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.export.accepts import fitted
from radixfmt.export.graph import FEATURE_MAJOR, Tensor
from radixfmt.export.lowerings import Estimate, Setting, lowering
from radixfmt.model.tiling import Tiling, tilings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.export.graph import GraphBuilder
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern

WHOLE = 0.75
"""Share of all rows from which a single tile reads the tensor as it stands, without a Gather."""


@lowering("blocked", auto=True)
class Blocked:
    """Gather → grouped pointwise Conv (CPU, float32) or batched MatMul, for each size of tile."""

    layouts = frozenset({FEATURE_MAJOR})

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate | None:
        """Find tiles and return what they cost; None where a side has no neurons."""
        if 0 in pattern.shape:
            return None
        costs, n_out = setting.costs, pattern.shape[1]

        def seconds(sizes: list[tuple[int, int, int]], batch: int) -> float:
            tiles = sum(groups for groups, _, _ in sizes)
            # each part's share of what all tiles would take: they share the cache
            alone = sum(g / tiles * costs.blocked(tiles, m, k, batch) for g, m, k in sizes)
            more = len(sizes) - 1
            return alone + (costs.join(n_out, batch) + 2 * more * costs.node if more else 0.0)

        parts = tilings(
            pattern,
            lambda groups, m, k: costs.blocked(groups, m, k, setting.batch),
            costs.join(n_out, setting.batch),
        )
        sizes = [part.size for part in parts]
        cells = sum(groups * m * k for groups, m, k in sizes)
        rows = sum(groups * k for groups, _, k in sizes)
        return Estimate(
            seconds(sizes, setting.batch),
            cells * setting.itemsize + rows * np.dtype(np.int64).itemsize,
            _why(pattern, sizes, cells),
            parts,
            lambda batch: seconds(sizes, batch),
        )

    def emit(
        self, graph: GraphBuilder, layer: Layer, form: tuple[Tiling, ...], x: Tensor
    ) -> Tensor:
        """Add Gather (left out where rows already lie so) and product of each part; join them."""
        n_out = layer.pattern.shape[1]
        assert layer.weights is not None  # noqa: S101  the exporter has checked
        weights = fitted(f"{layer.name}: weights", layer.weights, graph.dtype)
        place = np.empty(n_out, np.int64)
        made, size = [], 0
        for i, part in enumerate(form):
            scope = f"{layer.name}/part{i}" if len(form) > 1 else layer.name
            at = part.place(n_out)
            held = at >= 0
            bias = None
            if layer.bias is not None:
                bias = np.zeros(part.outputs.size, graph.dtype)
                bias[at[held]] = graph.bias(layer)[held]
            blocks = part.blocks(weights, graph.dtype)
            made.append(_part(graph, scope, part, x, blocks, bias))
            place[held] = at[held] + size
            size += part.outputs.size
        name = made[0]
        if len(made) > 1:
            axis = 1 if graph.convolutions else 0
            name = graph.add("Concat", made, f"{layer.name}/concat", axis=axis)
        return Tensor(name, place, size)


def _why(pattern: Pattern, sizes: list[tuple[int, int, int]], cells: int) -> str:
    """Return what the tiles are, for a person."""
    fewer = pattern.shape[0] * pattern.shape[1] / cells
    groups = ", ".join(f"{groups} groups of {m} outputs share {k} inputs" for groups, m, k in sizes)
    return (
        f"{groups}, fill {cells / max(pattern.nnz, 1):.2f}: "
        f"{fewer:.{0 if fewer >= 10 else 1}f}x fewer multiplications than dense"
    )


def _part(
    graph: GraphBuilder,
    scope: str,
    part: Tiling,
    x: Tensor,
    blocks: NDArray[Any],
    bias: NDArray[Any] | None,
) -> str:
    """Add the nodes of one part and return its result."""
    assert x.place is not None  # noqa: S101  layouts says so
    rows = np.where(part.inputs < 0, x.size, x.place[part.inputs])
    groups, m, _ = part.size
    if groups == 1 and np.count_nonzero(part.inputs >= 0) >= WHOLE * x.size:
        whole = np.zeros((m, x.size + 1), blocks.dtype)  # the last column takes the padding
        whole[:, rows[0]] = blocks[0]
        return graph.product(scope, x.name, whole[:, :-1], bias)
    # Rows of a tile may come in any order: ascending ones are often neighbours of each other.
    order = np.argsort(rows, axis=1, kind="stable")
    blocks = np.take_along_axis(blocks, order[:, None, :], axis=2)
    rows = np.take_along_axis(rows, order, axis=1)
    rows[rows == x.size] = 0  # padding reads any row, times zero
    return graph.product(scope, _gathered(graph, scope, x, rows), blocks, bias)


def _gathered(graph: GraphBuilder, scope: str, x: Tensor, rows: NDArray[np.int64]) -> str:
    """Return rows `[groups, k]` of `x`, as `product` takes them, in as few copies as can be."""
    together = _together(rows, x.size)
    if together == 1 or not graph.convolutions:
        return graph.gather(scope, x, rows)
    flat = rows.reshape(-1)
    if flat.size == x.size and bool((flat == np.arange(flat.size)).all()):
        return x.name
    runs = graph.constant(f"{scope}/runs", np.array([1, x.size // together, -1], np.int64))
    tall = graph.add("Reshape", [x.name, runs], f"{scope}/tall")
    index = graph.constant(f"{scope}/rows", flat[::together] // together)
    taken = graph.add("Gather", [tall, index], f"{scope}/gather", axis=1)
    wide = graph.constant(f"{scope}/wide", np.array([1, flat.size, -1], np.int64))
    return graph.add("Reshape", [taken, wide], f"{scope}/gathered")


def _together(rows: NDArray[np.int64], size: int) -> int:
    """Return how many rows can always be copied at once: aligned runs of neighbours."""
    flat = rows.reshape(-1)
    breaks = np.flatnonzero(np.diff(flat) != 1) + 1
    found = gcd(size, flat.size, int(np.gcd.reduce(breaks)) if breaks.size else 0)
    return gcd(found, int(np.gcd.reduce(flat[::found])))
