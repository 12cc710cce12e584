"""67, 107 to 114: generator records and graphs that ask for more than they are worth.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.limits import Limits
from radixfmt.validation import Options

DIGEST = "rx1:" + "0" * 64


def record(name, *, shape=None, nnz=None, **parameters):
    """Give layer 1 another record, and what else its header says of its size."""

    def change(e):
        pattern = {"encoding": "procedural", "generator": name, "parameters": parameters}
        sizes = {"shape": shape, "nnz": nnz}
        e.header(lambda v: v.update({"pattern": pattern} | {k: s for k, s in sizes.items() if s}))

    return change


def radix_net(**changed):
    """The record that layer 1 has, with other parameters."""
    return lambda e: e.header(lambda v: v["pattern"]["parameters"].update(changed))


def header(**members):
    return lambda e: e.header(lambda v: v.update(members))


def nested(levels):
    """`permuted/1` around itself: the format's only generator that names another."""
    found = {"generator": "identity/1", "parameters": {"size": 12}}
    for _ in range(levels):
        found = {"generator": "permuted/1", "parameters": {"base": found, "in_perm": DIGEST}}
    replaced = record("permuted/1", **found["parameters"])
    return lambda e: (
        replaced(e),
        e.replace("/layers/000001/in_perm", np.arange(12, dtype="<u4")),
    )


CASES = {
    "108-python": (record("python/1"), {"RX7001"}),
    "108-newer-version": (record("radix-net/2"), {"RX7001"}),
    "108-no-name": (record(""), {"RX7001"}),
    "109-radix-1": (radix_net(systems=[[1, 6], [3, 2]]), {"RX7002"}),
    "109-radix-0": (radix_net(systems=[[0, 6], [3, 2]]), {"RX7002"}),
    "109-radix--3": (radix_net(systems=[[-3, -2], [3, 2]]), {"RX7002"}),
    # a sound radix, of a layer beyond the limits
    "109-radix-2^40": (radix_net(systems=[[2**40, 2], [3, 2]]), {"RX7005"}),
    "109-radix-fraction": (radix_net(systems=[[2.5, 3], [3, 2]]), {"RX7002"}),
    "110-products-differ": (radix_net(systems=[[2, 3], [5, 1]]), {"RX7002"}),
    "110-last-divides-not": (radix_net(systems=[[2, 3], [2, 2]]), {"RX7002"}),
    "no-parameters": (record("radix-net/1"), {"RX7002"}),
    "systems-is-a-number": (radix_net(systems=3), {"RX7002"}),
    "layer-2^40": (record("graph-challenge/1", neurons=1024, layer=2**40), {"RX7002"}),
    "111-one-edge-more": (header(nnz=73), {"RX7003"}),
    "111-other-shape": (header(shape=[12, 18]), {"RX7003"}),
    "111-other-generator": (record("graph-challenge/1", neurons=1024, layer=1), {"RX7003"}),
    "112-wrong-digest": (
        lambda e: e.header(lambda v: v["digests"].update(pattern=DIGEST)), {"RX7004"}),
    "112-other-direction": (
        lambda e: e.header(lambda v: v["pattern"]["parameters"].update(direction=1), i=0),
        {"RX7004", "RX8004", "RX8005"}),
    "113-2^40-times-2^20": (
        record("dense/1", inputs=2**20, outputs=2**40, shape=[2**20, 2**40], nnz=2**53 - 1),
        {"RX7005"}),
    "113-radix-net": (
        radix_net(systems=[[2**20, 2**20], [2**20, 2**20]]), {"RX7005"}),
    "113-a-million-radices": (radix_net(systems=[[2] * 20_000]), {"RX7005"}),
    "114-nested-twice": (nested(2), {"RX7002"}),
    "114-nested-10-deep": (nested(10), {"RX7002"}),
    # two levels of JSON each: the parser's limit on nesting comes first
    "114-nested-50-deep": (nested(50), {"RX2006"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_record_is_judged_by_its_code(name, edited, judge):
    change, codes = CASES[name]
    judge(edited("procedural", change), codes)


def test_113_a_sound_layer_of_any_size_costs_nothing_until_asked(worker, tmp_path):
    """2^33 edges in a file of some kilobytes: more than a check makes at a file's wish."""
    path = tmp_path / "large.rx.h5"
    record = {"generator": "dense/1", "parameters": {"inputs": 2**10, "outputs": 2**23}}
    layer = rx.Layer("large", rx.generators.from_record(record))
    rx.write(path, rx.chain([layer]))
    assert worker.validate(path, Options(limits=Limits(memory=300 << 20, cpu=2))).ok
    with rx.open(path) as network:
        columns = network.layers[0].pattern.columns(2**22, 2**22 + 2)
    assert columns.indices.size == 2**11


def test_107_a_million_nodes(edited, judge):
    node = b'{"inputs":["x"],"op":"Relu","outputs":["y"]}'
    nodes = b",".join([node] * 10**6)
    judge(edited("explicit", lambda e: e.raw_manifest(b'{"graph":[' + nodes + b"]}")), {"RX2006"})


def test_107_the_time_for_a_graph_grows_as_its_nodes_do(edited, worker):
    """A long line of nodes in reverse: whoever walks it again for each node takes minutes."""

    def grown(v):
        graph = v["graph"]
        graph["nodes"][-1]["outputs"] = ["r0"]
        graph["nodes"] += [
            {"op": "Relu", "inputs": [f"r{i}"], "outputs": [f"r{i + 1}"]} for i in range(10_000)
        ]
        graph["nodes"].reverse()
        graph["outputs"][0]["name"] = "r10000"
        v["profile"] = []

    path = edited("explicit", lambda e: e.manifest(grown))
    report = worker.validate(path, Options(limits=Limits(memory=300 << 20, cpu=10)))
    assert [f.code for f in report.findings if f.severity == "error"] == ["RX8005"]
    with rx.open(path) as network:
        assert len(network.graph) == 10_008
