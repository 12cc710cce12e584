"""`degree`: how many edges each neuron has, on both sides of every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.measures import measurement
from radixfmt.measures.ratio import Tally, ratio

if TYPE_CHECKING:
    from radixfmt.model.network import Network

MOST_BINS = 64
"""Rows of a histogram: one for each degree while there are no more."""


@measurement("degree", columns={"regular": "regular"})
def degree(network: Network) -> dict[str, Any]:
    """Return the degrees of every layer's input side (out) and output side (in).

    Edges are the cells a pattern stores, whatever their weight. A conv layer is measured by its
    matrix W, `[C_in / group · ∏ kernel_shape, C_out]`.

    Returns:
        `regular`: every layer is, on both sides. `layers`, each with `name`, `kind`, `shape`,
        `edges`, `out` (edges that leave each input neuron) and `in` (edges that enter each output
        neuron). A side has `neurons`, `min`, `max` (edges; None without neurons), `mean`
        (`{numerator, denominator, value}`), `regular` (all alike), `isolated` (neurons without an
        edge on this side) and `histogram`: up to 64 rows `[from, to, count]`, one degree each
        where that is enough, else ranges of equal width.
    """
    layers: list[dict[str, Any]] = []
    for layer in network.layers:
        pattern = layer.pattern
        layers.append({
            "name": layer.name,
            "kind": layer.kind,
            "shape": list(pattern.shape),
            "edges": pattern.nnz,
            "out": _side(Tally.of(pattern.fan_out())),
            "in": _side(Tally.of(pattern.fan_in())),
        })  # fmt: skip
    regular = all(layer[side]["regular"] for layer in layers for side in ("in", "out"))
    return {"regular": regular, "layers": layers}


def _side(degrees: Tally) -> dict[str, Any]:
    neurons = sum(degrees.counts)
    return {
        "neurons": neurons,
        "min": degrees.values[0] if neurons else None,
        "max": degrees.values[-1] if neurons else None,
        "mean": ratio(degrees.total, neurons),
        "regular": len(degrees.values) <= 1,
        "isolated": degrees.count(0),
        "histogram": _histogram(degrees),
    }


def _histogram(degrees: Tally) -> list[list[int]]:
    pairs = list(zip(degrees.values, degrees.counts, strict=True))
    if len(pairs) <= MOST_BINS:
        return [[value, value, count] for value, count in pairs]
    least, most = degrees.values[0], degrees.values[-1]
    width = -(-(most - least + 1) // MOST_BINS)
    rows = [[low, min(low + width - 1, most), 0] for low in range(least, most + 1, width)]
    for value, count in pairs:
        rows[(value - least) // width][2] += count
    return rows
