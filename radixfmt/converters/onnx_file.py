"""An ONNX file as it lies on disk: bounded and parsed, and nothing in it believed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.converters.whole_file import read_whole
from radixfmt.errors import InputError
from radixfmt.storage.foreign import looks_like

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import onnx

LARGEST_FILE = 2**31 - 1
"""Bytes of one protobuf file."""


def parse(path: Path) -> onnx.ModelProto:
    """Return the model in a file.

    Raises:
        PathError: no regular file, or the system refuses.
        InputError: larger than `LARGEST_FILE`, no ONNX model, or names that are not UTF-8.
    """
    import onnx

    data = read_whole(
        path,
        "an ONNX file",
        LARGEST_FILE,
        hint="onnx.save_model(…, save_as_external_data=True) keeps weights beside the model",
    )
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # noqa: BLE001  protobuf's own, which comes without types
        raise _no_model(path, data, f"it cannot be parsed: {error}") from None
    if not model.HasField("graph") or not model.ir_version:
        raise _no_model(path, data, "it has no graph")
    for where, name in _names(model):
        if not isinstance(name, str):  # protobuf hands such bytes out as they are
            raise InputError(f"{path}: {where}: expected a name in UTF-8, got {name!r:.80}")
    return model


def _no_model(path: Path, data: bytes, problem: str) -> InputError:
    kind = looks_like(data[:4096])
    seems = f"; it looks like {kind}" if kind and kind != "an ONNX model" else ""
    return InputError(
        f"{path}: expected an ONNX model, {problem}{seems}"[:500],
        hint="fetch it again if it was cut short, and check it with onnx.checker",
    )


def _names(model: onnx.ModelProto) -> Iterator[tuple[str, object]]:
    """Yield every text that names something, and where it stands."""
    graph = model.graph
    yield from (("opset import", opset.domain) for opset in model.opset_import)
    for what, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            yield f"graph {what}", value.name
            yield from ((value.name, d.dim_param) for d in value.type.tensor_type.shape.dim)
    yield from (("initializer", tensor.name) for tensor in graph.initializer)
    yield from (("sparse initializer", s.values.name) for s in graph.sparse_initializer)
    yield from _node_names("graph", graph.node)
    for function in model.functions:
        where = f"function {function.name!r}"
        for name in (function.domain, function.name, *function.input, *function.output):
            yield where, name
        yield from _node_names(where, function.node)


def _node_names(where: str, nodes: Iterable[onnx.NodeProto]) -> Iterator[tuple[str, object]]:
    for i, node in enumerate(nodes):
        named = (node.op_type, node.domain, node.name, *node.input, *node.output)
        for name in (*named, *(attribute.name for attribute in node.attribute)):
            yield f"{where}, node {i}", name
