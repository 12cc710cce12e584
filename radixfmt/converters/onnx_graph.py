"""The graph of an ONNX model: its order, the parts that matter, and the network made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.converters.onnx_layers import Layers
from radixfmt.converters.onnx_nodes import computing, live, node_of, shown, unused, wiring
from radixfmt.converters.onnx_policy import label
from radixfmt.converters.onnx_tensors import Coordinates
from radixfmt.errors import FormatError, InputError
from radixfmt.findings import Finding, refuse
from radixfmt.model.dtypes import is_float
from radixfmt.model.graph import topological_order
from radixfmt.model.network import Network
from radixfmt.model.wiring import problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.converters.onnx_opset import Constant
    from radixfmt.model.graph import Node, Value


def put_in_order(
    graph: onnx.GraphProto,
    constants: Mapping[str, Constant],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    *,
    file: str,
) -> None:
    """Leave only the nodes that compute, producers first, which is all that onnx reads.

    Raises:
        FormatError: a tensor made twice (RX6004) or never (RX6003), or a cycle (RX6001).
    """
    protos = computing(graph)
    nodes = [wiring(proto) for proto in protos]
    # what rank they are; sizes are onnx's to check, which knows what every opset means
    sources, ends = (
        [replace(v, shape=tuple(f"size {i}" for i in range(len(v.shape)))) for v in values]
        for values in (inputs, outputs)
    )
    for finding in problems(nodes, sources, ends, constants.keys(), ()):
        if finding.severity == "error" and finding.code != "RX6007":  # idle parts are dropped
            raise refuse(replace(finding, path=""), file=file)
    kept = [protos[i] for i in topological_order(nodes) or ()]
    copies = [type(proto).FromString(proto.SerializeToString()) for proto in kept]
    graph.ClearField("node")
    graph.node.extend(copies)


def network_of(
    graph: onnx.GraphProto,
    constants: Mapping[str, Constant],
    types: Mapping[str, onnx.TypeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    *,
    threshold: float,
    file: str,
    masks: Mapping[str, NDArray[np.bool_]],
) -> tuple[Network, list[str]]:
    """Return the network of a graph at opset 21, and what it does not hold.

    Args:
        graph: checked.
        constants: of the graph.
        types: of its tensors.
        inputs: of the network.
        outputs: likewise.
        threshold: share of zeros from which a weight becomes a sparse layer.
        file: for messages.
        masks: as in `Layers`.

    Raises:
        FormatError: sizes that do not meet.
        InputError: nothing depends on an input, or a weight that cannot be a layer.
        UnsupportedError: attributes or sparse tensors that the format cannot hold.
    """
    ends = [value.name for value in outputs]
    constants, masks = {**constants}, {**masks}
    protos = _read_through(computing(graph), constants, ends)
    protos = _parted(protos, constants, masks, ends)
    wired = [wiring(proto) for proto in protos]
    chosen = live(wired, ends)
    nodes = [node_of(protos[i], f"{file}: {label(i, protos[i])}") for i in chosen]
    layers = Layers(constants, types, threshold=threshold, file=file, masks=masks)
    layers.add_all(nodes, ends)
    read = {name for node in nodes for name in node.inputs} | {*ends}
    heard = tuple(value for value in inputs if value.name in read)
    if not heard:
        raise InputError(f"{file}: expected outputs that depend on an input; none does")
    try:
        made = Network(tuple(layers.layers), tuple(layers.nodes), heard, tuple(outputs),
                       layers.tensors)  # fmt: skip
    except FormatError as error:
        found = error.finding
        if not isinstance(found, Finding):
            raise
        raise refuse(replace(found, path=""), file=file) from None
    losses = _idle(wired, chosen, inputs, heard, constants, read)
    return made, [*losses, *layers.losses, *_unusual(constants, read)]


def _read_through(
    protos: Sequence[onnx.NodeProto], constants: Mapping[str, Constant], ends: Sequence[str]
) -> list[onnx.NodeProto]:
    """Return the nodes without Identities of constants; others read the constant itself.

    Exporters write equal weights once and repeat them so.
    """
    known: dict[str, str] = {}
    kept = []
    for proto in protos:
        for i, name in enumerate(proto.input):
            proto.input[i] = known.get(name, name)
        if proto.op_type == "Identity" and proto.input[0] in constants:
            known[proto.output[0]] = proto.input[0]
        if proto.output[0] not in known or proto.output[0] in ends:
            kept.append(proto)
    return kept


def _parted(
    protos: Sequence[onnx.NodeProto],
    constants: dict[str, Constant],
    masks: dict[str, NDArray[np.bool_]],
    ends: Sequence[str],
) -> list[onnx.NodeProto]:
    """Return the nodes without Splits of constants, whose parts join `constants` and `masks`.

    Attention keeps the weights of its queries, keys and values as one.
    """
    taken = {*constants} | {name for proto in protos for name in proto.output}
    parts: dict[str, str] = {}
    whole, kept = set(), []
    for proto in protos:
        for i, name in enumerate(proto.input):
            proto.input[i] = parts.get(name, name)
        name = proto.input[0] if proto.input else ""
        pieces = _pieces(proto, constants, constants.get(name))
        if pieces is None or {*proto.output} & {*ends, ""}:
            kept.append(proto)
            continue
        whole |= constants.keys() & {*proto.input}
        inside = _pieces(proto, constants, masks.get(name))
        for i, output in enumerate(proto.output):
            part = parts[output] = unused(f"{name}.{i}", taken)
            constants[part] = pieces[i]
            if inside is not None:
                masks[part] = inside[i].astype(np.bool_, copy=False)
    read = {name for proto in kept for name in proto.input} | {*ends}
    for name in whole - read:
        del constants[name]
    return kept


def _pieces(
    proto: onnx.NodeProto, constants: Mapping[str, Constant], array: Constant | None
) -> list[NDArray[np.generic]] | None:
    """Return what a Split makes of an array of known sizes; None for other nodes."""
    if proto.op_type != "Split" or not isinstance(array, np.ndarray) or not array.ndim:
        return None
    axis = next((int(a.i) for a in proto.attribute if a.name == "axis"), 0)
    if not -array.ndim <= axis < array.ndim:
        return None
    length, count = array.shape[axis], len(proto.output)
    sizes: list[int] = []
    if len(proto.input) > 1 and proto.input[1]:
        given = constants.get(proto.input[1])
        sizes = given.tolist() if isinstance(given, np.ndarray) and given.ndim == 1 else []
    elif length % count == 0:
        sizes = [length // count] * count
    if len(sizes) != count or sum(sizes) != length or min(sizes) < 0:
        return None
    return np.split(array, np.cumsum(sizes)[:-1].tolist(), axis)


def _idle(
    wired: Sequence[Node],
    chosen: Sequence[int],
    inputs: Sequence[Value],
    heard: Sequence[Value],
    constants: Mapping[str, Constant],
    read: set[str],
) -> list[str]:
    """Say which parts were dropped because no output depends on them."""
    losses = []
    if len(chosen) < len(wired):
        losses.append(f"{len(wired) - len(chosen)} nodes that no output depends on")
    if deaf := [value.name for value in inputs if value not in heard]:
        losses.append(f"inputs that no output depends on: {shown(deaf)}")
    if unused := sorted(constants.keys() - read):
        losses.append(f"tensors that no output depends on: {shown(unused)}")
    return losses


def _unusual(constants: Mapping[str, Constant], read: set[str]) -> list[str]:
    """Say which constants hold NaN; it is kept."""
    found = []
    for name in sorted(read & constants.keys()):
        constant = constants[name]
        values = constant.values if isinstance(constant, Coordinates) else constant
        if is_float(values.dtype) and np.isnan(values).any():
            found.append(name)
    return (
        [f"numbers for all weights: these hold NaN, which is kept: {shown(found)}"] if found else []
    )
