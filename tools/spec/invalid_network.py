"""Vectors that break sections 5 to 7, and those of which a validator has a hint to give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from invalid_edits import (
    array,
    attribute,
    element,
    graph,
    header,
    manifest,
    more_nodes,
    no_attribute,
    node,
    sealed,
)
from invalid_vectors import Case
from vector_networks import chain, conv_1d, generated, layer, pattern, plain

import radixfmt as rx
from radixfmt.model.digest import digests

NONE = "rx1:" + "0" * 64


def graph_cases() -> list[Case]:
    """Return those of which the graph is wrong."""
    relu = {"op": "Relu", "inputs": ["y"], "outputs": ["side"]}
    twice = {"op": "Relu", "inputs": ["x"], "outputs": ["a0"]}
    circle = [
        {"op": "Add", "inputs": ["y", "b"], "outputs": ["a"]},
        {"op": "Relu", "inputs": ["a"], "outputs": ["b"]},
    ]
    convolution: dict[str, Any] = {"network": conv_1d, "level": "conv"}
    return [
        Case("RX6001", "Two nodes that feed each other.", more_nodes(*circle)),
        Case("RX6002", "An operator that is none.", sealed(node(1, op="Lambda"))),
        Case("RX6002-subgraph", "An operator with subgraphs.", sealed(node(1, op="Loop"))),
        Case("RX6003", "A node reads a tensor that nothing makes.", node(1, inputs=["nobody"])),
        Case("RX6003-layer", "A node names a layer that is not there.", node(2, layer=7),
             also=("RX6006",)),
        Case("RX6004", "Two nodes make one tensor.", more_nodes(twice)),
        Case("RX6005", "An input of 7 values for a layer of 6.",
             graph(lambda value: value["inputs"][0].update(shape=["B", 7]))),
        Case("RX6006", "A layer that no node uses.", graph(_without_second)),
        Case("RX6007", "A node that no output depends on.", more_nodes(relu)),
        Case("RX6007-input", "An input that no output depends on.",
             graph(lambda v: v["inputs"].append({"name": "w", "dtype": "bool", "shape": []}))),
        Case("RX6008", "An attribute of another type than the operator takes.",
             sealed(node(1, op="LeakyRelu", attributes={"alpha": {"int": 1}}))),
        Case("RX6008-inputs", "An operator with an input too many.",
             sealed(node(1, inputs=["z0", "z0"]))),
        Case("RX6008-empty", "A sparse operator whose input is left out.",
             graph(lambda value: value["nodes"][0].update(inputs=[""])), also=("RX6007",)),
        Case("RX6008-type", "A sparse operator whose input holds integers.",
             sealed(graph(lambda value: value["inputs"][0].update(dtype="int64")))),
        Case("RX6008-sparse", "A sparse operator that names no layer.",
             graph(lambda value: value["nodes"][0].pop("layer")), also=("RX6006",)),
        Case("RX6009", "A skip in what promises to be a chain.",
             manifest(lambda value: value.update(profile=["chain"])), _skip),
        Case("RX6010", "Two nodes that share a layer.", network=_shared),
        Case("RX6011", "A kernel that is longer than its input.",
             graph(lambda value: value["inputs"][0].update(shape=["B", 2, 0])), **convolution),
        Case("RX6011-matrix", "Five inputs, and a kernel of three cells.",
             header(shape=[5, 3]), **convolution),
        Case("RX6011-geometry", "A stride of 0.",
             header(lambda value: value["geometry"].update(strides=[0])), **convolution),
        *_procedural_cases(),
    ]  # fmt: skip


def _procedural_cases() -> list[Case]:
    """Return those of which a generator or its parameters are wrong."""

    def record(name: str, **parameters: Any) -> Any:
        facts = {"encoding": "procedural", "generator": name, "parameters": parameters}
        return header(pattern=facts)

    found = [
        Case("RX7001", "A generator that nobody knows.", record("kronecker/1")),
        Case("RX7001-version", "A version of a generator that nobody knows.",
             record("identity/2", size=5)),
        Case("RX7002", "A parameter that the generator refuses.", record("identity/1", size=0)),
        Case("RX7002-unknown", "A parameter that the generator does not have.",
             record("identity/1", size=5, seed=1)),
        Case("RX7002-missing", "A parameter that is missing.", record("identity/1")),
        Case("RX7003", "nnz is not that of the generator's pattern.", header(nnz=4)),
        Case("RX7003-shape", "The shape is not that of the generator's pattern.",
             header(shape=[5, 6])),
        Case("RX7004", "A pattern digest that is not that of the generator's pattern.",
             header(lambda value: value["digests"].update(pattern=NONE)), also=("RX9204",)),
        Case("RX7005", "More than 2^24 inputs of a neuron.",
             record("dense/1", inputs=2**24 + 1, outputs=1)),
    ]  # fmt: skip
    generated_one: dict[str, Any] = {
        "network": _identity, "storage": "procedural", "level": "procedural"
    }  # fmt: skip
    return [_with(case, **generated_one) for case in found]


def digest_cases() -> list[Case]:
    """Return those of which a digest is wrong."""

    def digest(name: str, value: str) -> Any:
        return header(lambda found: found["digests"].update({name: value}))

    def missing(name: str) -> Any:
        return header(lambda found: found["digests"].pop(name))

    upper = "rx1:" + "A" * 64
    return [
        Case("RX8001", "Another pattern digest.", digest("pattern", NONE)),
        Case("RX8002", "Another digest of the weights.", digest("values", NONE)),
        Case("RX8002-bit", "A weight of which a bit has changed.", element("values", 3, 0.125),
             also=("RX8005",)),
        Case("RX8003", "Another digest of a bias.", digest("bias", NONE)),
        Case("RX8003-tensor", "Another digest of a dense tensor.",
             manifest(lambda value: value["tensors"][0].update(digest=NONE)), _clipped),
        Case("RX8004", "Another topology digest.", attribute("topology_digest", NONE)),
        Case("RX8005", "Another content digest.", attribute("content_digest", NONE)),
        Case("RX8006", "No content digest.", no_attribute("content_digest")),
        Case("RX8006-layer", "No digest of the weights.", missing("values")),
        Case("RX8007", "A digest in capital letters.", attribute("content_digest", upper)),
        Case("RX8007-prefix", "A digest of another kind.", digest("pattern", "md5:" + "0" * 32)),
        Case("RX8008", "Another metadata digest.", attribute("metadata_digest", NONE)),
        Case("RX8009", "Not the network that was cited.", options=("--expect", NONE)),
        Case("RX8009-metadata", "A metadata digest is cited, which cites no network.",
             options=("--expect", digests(plain()).metadata)),
    ]  # fmt: skip


def hint_cases() -> list[Case]:
    """Return those with nothing wrong, of which there is still something to say."""
    unknown = header(colour="blue")
    chunks = array("indices_1", chunks=(16,))
    return [
        Case("RX9101", "A member that this version does not name.", unknown),
        Case("RX9201", "4 KiB of indices without compression.", array("indices_1"),
             lambda: _wide(128, 64)),
        Case("RX9202", "Chunks of 32 bytes.", chunks, lambda: _wide(80, 64)),
        Case("RX9203", "The diagonal, edge by edge.", network=_identity),
        Case("RX9204", "A generator, which not every reader knows.", network=_identity,
             storage="procedural"),
    ]  # fmt: skip


def _with(case: Case, **changes: Any) -> Case:
    return replace(case, **changes)


def _without_second(value: dict[str, Any]) -> None:
    """Leave the graph without its second layer."""
    value["nodes"] = value["nodes"][:2]
    value["outputs"][0] = {"name": "a0", "dtype": "float32", "shape": ["B", 5]}


def _identity() -> rx.Network:
    return chain("identity", [rx.Layer("identity", generated("identity", size=5), 0.5)])


def _clipped() -> rx.Network:
    return chain("clipped", [layer("first", 6, 5)], clip=(0.0, 6.0))


def _skip() -> rx.Network:
    nodes = [
        rx.Node("SparseLinear", ("x",), ("z",), layer=0),
        rx.Node("Add", ("z", "x"), ("y",)),
    ]
    return rx.Network(
        (layer("square", 5, 5),),
        tuple(nodes),
        (rx.Value("x", ("B", 5)),),
        (rx.Value("y", ("B", 5)),),
        metadata=plain().metadata,
    )


def _shared() -> rx.Network:
    nodes = [
        rx.Node("SparseLinear", ("x",), ("z",), layer=0),
        rx.Node("SparseLinear", ("z",), ("y",), layer=0),
    ]
    return rx.Network(
        (layer("square", 5, 5),),
        tuple(nodes),
        (rx.Value("x", ("B", 5)),),
        (rx.Value("y", ("B", 5)),),
        metadata=plain().metadata,
    )


def _wide(n_in: int, n_out: int) -> rx.Network:
    edges = pattern(n_in, n_out)
    return chain("wide", [rx.Layer("wide", edges, 0.5)])
