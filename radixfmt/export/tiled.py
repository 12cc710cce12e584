"""Rows in tiles whose activations stay in cache, whoever runs the model.

A plain runtime takes a batch through one layer after the other; of a large batch every layer's
rows then come from memory. Here the network is the body of a Scan over tiles of rows, filled up
with zero rows to tiles of one size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.accepts import element_type
from radixfmt.export.graph import FEATURE_MAJOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

    from radixfmt.export.graph import GraphBuilder
    from radixfmt.export.lowerings import Setting
    from radixfmt.export.planner import Plan
    from radixfmt.model.network import Network

LEAST, MOST = 32, 256
"""Rows per tile; smaller ones never paid, larger ones were never faster."""

CACHED = 2**17
"""Values of one layer that a tile may have: 512 KiB of float32, which stay with what is gathered
from them in a second-level cache of 2 MiB. Of 1024 neurons 128 rows run up to 1.2 times as fast as
256, of 4096 neurons 32 rows 1.05 to 1.1 times as fast as 64."""

ZERO = np.array([0])

SPARE, CROWDED = 16, 1024
"""Values by which samples that are filled up grow longer, where they would lie a multiple of so
many bytes apart: a column of a tile then meets few sets of the first-level cache, and turning the
tile took 1.3 to 1.6 times as long. Whole RadiX-Nets run about 2 % faster."""

TURNS = frozenset({"Transpose", "Unsqueeze"})
"""Nodes by which layers of gathered neurons turn samples."""

SCAN = 5e-5
"""Seconds of a run that Scan and the nodes around it take beside the copies they make."""

KEPT = 0.8
"""Speed that the least batch has to keep: whoever runs single samples counts microseconds."""


def tile_for(width: int) -> int:
    """Return how many rows to run at a time through layers of about `width` neurons."""
    return max(LEAST, min(MOST, CACHED // max(width, 1)))


def in_tiles(
    network: Network, setting: Setting, planned: Callable[[Setting], list[Plan]]
) -> tuple[list[Plan], int | None]:
    """Return the plans of a network, and the rows of a tile; None where tiles lose.

    Tiles are planned for: of a large batch another lowering may be best than of a tile of it. Of an
    open batch, what is gained at the largest one that counts is held against what is lost at the
    least. CUDA records no graph of a Scan, and its caches hold more; compiled operators cut tiles
    of their own.

    Args:
        network: whose rows are independent.
        setting: batch, target and costs.
        planned: returns plans for a setting.
    """
    plans = planned(setting)
    ends = (*network.inputs, *network.outputs)
    if setting.target != "cpu" or len(ends) != 2 or not plans or any(p.fuses for p in plans):
        return plans, None
    if not all(len(value.shape) == 2 and isinstance(value.shape[1], int) for value in ends):
        return plans, None
    widths = [int(value.shape[1]) for value in ends if isinstance(value.shape[1], int)]
    rows = tile_for(max(max(shape) for _, shape in network.headers))
    if not setting.others and setting.batch <= rows:
        return plans, None
    # an open batch is planned for about a tile anyhow, unless layers are wide
    largest = min(setting.batch, rows) if setting.others else _even(setting.batch, rows)
    inner = setting._replace(batch=largest)
    inside = plans if inner == setting else planned(inner)

    def gain(batch: int) -> float:
        """Return how many times as fast tiles are."""
        tiles, size = -(-batch // rows), _even(batch, rows)
        each = _seconds(inside, inner, widths, size)
        return _seconds(plans, setting, widths, batch) / (tiles * each + SCAN)

    most, least = (gain(of((setting.batch, *setting.others))) for of in (max, min))
    if most * least > 1 and least >= KEPT:
        return inside, rows
    return plans, None


def _even(batch: int, rows: int) -> int:
    """Return the rows of tiles of one size, `rows` at most, that hold a batch."""
    return -(-batch // -(-batch // rows))


def _seconds(plans: Sequence[Plan], setting: Setting, widths: Sequence[int], batch: int) -> float:
    """Return what layers, and turns at both ends, cost at another batch than the setting's."""
    ends = zip((plans[0], plans[-1]), widths, strict=True)
    turned = [width for p, width in ends if p.layout == FEATURE_MAJOR]
    return sum(setting.costs.turn(width, batch) for width in turned) + sum(
        p.estimate.at(batch) if p.estimate.at else p.estimate.seconds * batch / setting.batch
        for p in plans
    )


def tile(graph: GraphBuilder, network: Network, rows: int, batch: int | None) -> None:
    """Make the whole graph the body of a Scan.

    Args:
        graph: finished but for this, of one input and one output, both `[B, n]`.
        network: what it was made of; its rows are independent.
        rows: of a tile, at most.
        batch: of the model, or None for an open one.
    """
    from onnx import helper

    x, y = network.inputs[0], network.outputs[0]
    widths = [int(value.shape[1]) for value in (x, y)]
    inner = [graph.unique(f"tile/{value.name}") for value in (x, y)]
    spare = 0 if batch else _spare(graph, x.name, widths[0])
    ends = []
    for value, name, width in zip((x, y), inner, (widths[0] + spare, widths[1]), strict=True):
        graph.rename(value.name, name)
        kind = helper.np_dtype_to_tensor_dtype(element_type(value.name, value.dtype))
        ends.append(helper.make_tensor_value_info(name, kind, [None, width]))
    body = helper.make_graph(list(graph.nodes), "tile", ends[:1], ends[1:])
    del graph.nodes[:]
    filled, shapes, end = (
        _fixed(graph, x.name, rows, widths, batch)
        if batch
        else _open(graph, x.name, rows, widths, spare)
    )
    cut = graph.add("Reshape", [filled, shapes[0]], "tiles/cut")
    made = graph.add("Scan", [cut], "tiles/scan", body=body, num_scan_inputs=1)
    joined = graph.add("Reshape", [made, shapes[1]], "tiles/joined")
    if end is not None:
        joined = graph.add("Slice", [joined, graph.constant("tiles/0", ZERO), end], "tiles/kept")
    graph.rename(joined, y.name)


def _spare(graph: GraphBuilder, x: str, width: int) -> int:
    """Return by how many values to make samples longer: none where a node would notice."""
    crowded = width * graph.dtype.itemsize % CROWDED == 0
    return SPARE if crowded and _gathered(graph.nodes, x) else 0


def _gathered(nodes: Sequence[onnx.NodeProto], name: str) -> bool:
    """Return whether all that reads a tensor turns it, and picks neurons by their numbers."""
    return all(
        node.op_type == "Gather" or (node.op_type in TURNS and _gathered(nodes, node.output[0]))
        for node in nodes
        if name in node.input
    )


def _fixed(
    graph: GraphBuilder, x: str, rows: int, widths: Sequence[int], batch: int
) -> tuple[str, list[str], str | None]:
    """Return the filled samples, the shapes of tiles and of their results, and where rows end."""
    size = _even(batch, rows)
    count = -(-batch // size)
    missing = count * size - batch
    shapes = [
        graph.constant("tiles/shape", np.array([count, size, widths[0]])),
        graph.constant("tiles/whole", np.array([count * size, widths[1]])),
    ]
    if not missing:
        return x, shapes, None
    pads = graph.constant("tiles/pads", np.array([0, 0, missing, 0]))
    end = graph.constant("tiles/end", np.array([batch]))
    return graph.add("Pad", [x, pads], "tiles/filled"), shapes, end


def _open(
    graph: GraphBuilder, x: str, rows: int, widths: Sequence[int], spare: int
) -> tuple[str, list[str], str]:
    """Return the same for a batch that is known when the model runs, samples made longer."""
    zero, one = graph.constant("tiles/0", ZERO), graph.constant("tiles/1", ZERO + 1)
    add: Callable[..., str] = graph.add
    batch = add("Shape", [x], "tiles/batch", start=0, end=1)
    # a batch of no rows is one tile of one row, none of which is kept
    last = add("Sub", [add("Max", [batch, one], "tiles/some"), one], "tiles/last")

    def parts(of: str, name: str) -> str:
        """Return how many parts of this size hold the batch."""
        return add("Add", [add("Div", [last, of], f"{name}/div"), one], name)

    count = parts(graph.constant("tiles/rows", ZERO + rows), "tiles/count")
    size = parts(count, "tiles/size")
    whole = add("Mul", [count, size], "tiles/all")
    missing = add("Sub", [whole, batch], "tiles/missing")
    more = graph.constant("tiles/spare", ZERO + spare)
    pads = add("Concat", [zero, zero, missing, more], "tiles/pads", axis=0)
    shapes = [
        add("Concat", [*sizes, graph.constant("tiles/width", ZERO + width)], name, axis=0)
        for sizes, width, name in (
            ([count, size], widths[0] + spare, "tiles/shape"),
            ([whole], widths[1], "tiles/whole"),
        )
    ]
    return add("Pad", [x, pads], "tiles/filled"), shapes, batch
