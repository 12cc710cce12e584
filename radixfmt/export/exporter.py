"""From a network to an ONNX model: check, plan, walk the graph, sign the result."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt import native
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.export.accepts import check_graph, check_weights, element_type
from radixfmt.export.apart import reasons
from radixfmt.export.checked import check
from radixfmt.export.costs import OPEN_BATCHES, PLANNING_BATCH, costs_of
from radixfmt.export.exported import Choice, Exported
from radixfmt.export.fused import passes
from radixfmt.export.graph import BATCH_MAJOR, FEATURE_MAJOR, GraphBuilder
from radixfmt.export.lowerings import Setting
from radixfmt.export.nodes import IR_VERSION, OPSET
from radixfmt.export.order import in_reading_order
from radixfmt.export.planner import AUTO, Plan, plan
from radixfmt.export.rows import independent
from radixfmt.export.shapes import float_of, rank, tensor_types
from radixfmt.export.tiled import in_tiles, tile
from radixfmt.export.walk import Walk
from radixfmt.model.digest import digests, layer_digests
from radixfmt.model.graph import topological_order
from radixfmt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.export.costs import Costs
    from radixfmt.model.graph import Node, Value
    from radixfmt.model.network import Network

ASSUMED_MEMORY = 2**36
"""Bytes, where the system does not say how many it has."""

LARGEST_EXPANDED = 2**30
"""Bytes that sparse weights may take as dense matrices without the caller's leave."""


def export(
    network: Network,
    *,
    lowering: str = AUTO,
    target: str = "cpu",
    batch: int | None = None,
    layout: str = BATCH_MAJOR,
    allow_dense: bool = False,
    costs: Costs | None = None,
    compiled: bool = False,
) -> Exported:
    """Return `network` as an ONNX model, and why each layer looks as it does.

    Args:
        network: with weights; each layer is made once.
        lowering: "auto" for the cheapest of each layer, or a registered name for all of them.
        target: "cpu" or "cuda": what the model will run on.
        batch: rows of every run, or None to leave the batch open: planned so that at 1, 128 and
            1024 rows it falls behind the best choice for each of them as little as can be; wide
            layers, which run in tiles, for the rows of a tile.
        layout: "batch-major", [B, n] → [B, m], or "feature-major", [n, B] → [m, B], then without
            transposes, and compiled operators, where layers can do without.
        allow_dense: let what a runtime makes dense when it loads the model be as large as it likes.
        costs: what work costs where the model will run, from `calibration.calibrate` or
            `costs.costs_of`; None for the target's built-in ones.
        compiled: let "auto" choose compiled operators: for a model that stays where they are.

    Raises:
        ParameterError: `target`, `batch` or `layout` is none of these, or the network fixes
            another batch.
        UnknownNameError: no such lowering.
        UnsupportedError: a layer without weights, a lowering that cannot express a layer, more
            weights than this machine has memory, sparse initializers that are too large when
            loaded, or a graph that is no ONNX.
    """
    _check(network, batch, layout)
    nodes = [network.graph[i] for i in topological_order(network.graph) or ()]
    types = tensor_types(network, nodes)
    dtype = _dtype(nodes, types)
    built_in = costs_of(target)  # which also refuses other targets
    others = () if batch else OPEN_BATCHES
    setting = Setting(batch or PLANNING_BATCH, target, costs or built_in, dtype.itemsize, others)
    layers, signed = [], []
    for layer in network.layers:
        check_weights(layer)
        layers.append(layer)
        signed.append(layer_digests(layer))
    apart = reasons(network, nodes, types, dtype, target)
    deep = {name for name, kind in types.items() if (rank(kind) or 0) > 2}
    by_row = independent(network, nodes, types)

    def planned(setting: Setting) -> list[Plan]:
        return plan(
            network, nodes, layers, apart, deep, setting,
            wanted=lowering, compiled=compiled, layout=layout,
        )  # fmt: skip

    if by_row and layout == BATCH_MAJOR:
        plans, rows = in_tiles(network, setting, planned)
    else:
        plans, rows = planned(setting), None
    plans = in_reading_order(nodes, plans)
    _check_memory(sum(p.estimate.weight_bytes for p in plans))
    graph = GraphBuilder(
        dtype,
        target=target,
        reserved=[v.name for v in (*network.inputs, *network.outputs)] + list(network.tensors),
    )
    fusible = {
        i: not plans[node.layer].apart
        for i, node in enumerate(nodes)
        if node.layer is not None and plans[node.layer].fuses
        if plans[node.layer].apart or node.inputs[0] not in deep
    }
    walk = Walk(network, layers, plans, types, graph, layout, passes(network, nodes, fusible))
    for i, node in enumerate(nodes):
        walk.emit(i, node)
        _check_memory(graph.constant_bytes)
        _check_expanded(graph, allow_dense=allow_dense)
    walk.finish()
    if rows:
        tile(graph, network, rows, batch)
    choices = tuple(
        Choice(layer.name, p.lowering, p.why) for layer, p in zip(layers, plans, strict=True)
    )
    found = digests(network, signed)
    model = _complete(graph, network, batch, layout)
    more = {
        "content_digest": found.content,
        "topology_digest": found.topology,
        "layout": layout,
        "rows": "independent" if by_row else "together",
    } | ({"tile": str(rows)} if rows else {})
    _sign(model, network, choices, more)
    check(model)
    return Exported(model, choices)


def _check(network: Network, batch: int | None, layout: str) -> None:
    if batch is not None and batch < 1:
        raise ParameterError(f"batch: expected at least 1, or None for an open one, got {batch}")
    if layout not in (BATCH_MAJOR, FEATURE_MAJOR):
        raise ParameterError(f"layout: expected {BATCH_MAJOR} or {FEATURE_MAJOR}, got {layout!r}")
    check_graph(network)
    fixed = network.inputs[0].shape[:1] if network.inputs else ()
    if batch is not None and fixed and isinstance(fixed[0], int) and fixed[0] != batch:
        raise ParameterError(
            f"batch: expected {fixed[0]}, as the network's input {network.inputs[0].name!r} says, "
            f"got {batch}",
            hint="leave the batch out",
        )
    for value in (*network.inputs, *network.outputs):
        if layout == FEATURE_MAJOR and (len(value.shape) != 2 or isinstance(value.shape[1], str)):
            raise UnsupportedError(
                f"{value.name}: {FEATURE_MAJOR} asks for shape [B, n], got {list(value.shape)}",
                hint=f"use layout {BATCH_MAJOR}",
            )


def _dtype(nodes: Sequence[Node], types: Mapping[str, onnx.TypeProto]) -> np.dtype[Any]:
    """Return the model's dtype: of what the first layer reads, where that is known."""
    read = (float_of(types.get(node.inputs[0])) for node in nodes if node.layer is not None)
    return next((kind for kind in read if kind is not None), np.dtype("float32"))


def _check_memory(weight_bytes: int) -> None:
    """Refuse, before they are made, weights that this machine has no memory for."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        memory = ASSUMED_MEMORY
    if weight_bytes > memory:
        raise UnsupportedError(
            f"the model's weights take {weight_bytes} bytes; this machine has {memory} of memory",
            hint="use --lowering auto if another was asked for, or export fewer layers at a time",
        )


def _check_expanded(graph: GraphBuilder, *, allow_dense: bool) -> None:
    """Refuse what fills the memory of whoever loads the model."""
    if graph.expanded_bytes > LARGEST_EXPANDED and not allow_dense:
        raise UnsupportedError(
            "a runtime makes sparse initializers dense when it loads them, and compiled operators "
            f"that it does not have: this model's would take more than {LARGEST_EXPANDED} bytes "
            f"there ({graph.expanded_bytes} so far)",
            hint="--allow-dense (allow_dense=True) writes it all the same; --lowering auto keeps "
            "weights sparse",
        )


def _complete(
    graph: GraphBuilder, network: Network, batch: int | None, layout: str
) -> onnx.ModelProto:
    """Return the graph's model with the network's inputs and outputs."""
    from onnx import helper

    first = network.inputs[0].shape[0] if network.inputs and network.inputs[0].shape else None

    def declared(values: Sequence[Value]) -> list[onnx.ValueInfoProto]:
        found = []
        for value in values:
            element = helper.np_dtype_to_tensor_dtype(element_type(value.name, value.dtype))
            shape = [
                batch if batch and isinstance(size, str) and size == first else size
                for size in value.shape
            ]
            if layout == FEATURE_MAJOR:
                shape.reverse()
            found.append(helper.make_tensor_value_info(value.name, element, shape))
        return found

    model = graph.model
    model.ir_version = IR_VERSION
    model.opset_import.append(helper.make_opsetid("", OPSET))
    if graph.functions:
        model.opset_import.append(helper.make_opsetid(native.DOMAIN, native.VERSION))
        model.functions.extend(graph.functions.values())
    model.producer_name, model.producer_version = "radixfmt", __version__
    model.graph.name = network.metadata.name or "network"
    model.graph.input.extend(declared(network.inputs))
    model.graph.output.extend(declared(network.outputs))
    return model


def _sign(
    model: onnx.ModelProto,
    network: Network,
    choices: Sequence[Choice],
    more: Mapping[str, str],
) -> None:
    """Record where the model comes from, and `more`, in its metadata."""
    from onnx import helper

    from radixfmt.storage.manifest import FORMAT_VERSION

    used = {choice.lowering for choice in choices}
    lowerings: Any = {choice.name: choice.lowering for choice in choices}
    record = {
        "format_version": FORMAT_VERSION,
        "lowering": used.pop() if len(used) == 1 else json.dumps(lowerings),
        "why": json.dumps({choice.name: choice.why for choice in choices}),
    } | dict(more)
    for step in network.metadata.provenance:
        if step.get("activity") == "generate":
            kept = {key: value for key, value in step.items() if key != "activity"}
            record["generator"] = json.dumps(kept, sort_keys=True)
    helper.set_model_props(model, {f"radixfmt.{key}": value for key, value in record.items()})
