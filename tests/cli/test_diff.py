"""`radixfmt diff`: exit codes, the stable keys, and a text that a person reads."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np

import radixfmt as rx


def test_equal_files_exit_0_however_they_are_stored(radixfmt, small):
    rx.write("a.rx.h5", small)
    made = radixfmt("convert", "a.rx.h5", "b.rx.h5", "--storage", "explicit")
    assert made.code == 0, made.err
    network = rx.read("b.rx.h5")
    rx.write("c.rx.h5", replace(network, metadata=small.metadata))
    done = radixfmt("diff", "a.rx.h5", "c.rx.h5")
    assert (done.code, done.err) == (0, "")
    assert done.out == "a.rx.h5 and c.rx.h5 are equal: metadata, topology and values\n"
    assert radixfmt("diff", "a.rx.h5", "c.rx.h5", "--json").json == {
        "equal": True, "metadata": [], "topology": [], "values": [],
    }  # fmt: skip


def test_different_files_exit_1_and_say_what_differs(radixfmt, small):
    rx.write("a.rx.h5", small)
    layers = list(small.layers)
    weights = layers[1].weights.copy()
    weights[5] += np.float32(0.5)
    layers[1] = layers[1].replace(weights=weights, name="\x1b[31mforged")
    bent = rx.Pattern.from_scipy(np.eye(*layers[0].pattern.shape))
    layers[0] = rx.Layer("layer0", bent, 1.0)
    other = rx.chain(layers, activation="Tanh", metadata=rx.Metadata(name="other"))
    rx.write("b.rx.h5", other)
    done = radixfmt("diff", "a.rx.h5", "b.rx.h5")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == "a.rx.h5 and b.rx.h5 differ"
    assert "\x1b" not in done.out
    assert "  graph, node 1: attributes" not in done.out
    assert "  graph, node 1: op: LeakyRelu → Tanh" in lines
    assert any(
        line.startswith("  layer 0: ") and "only in a (first 1 → 0)" in line for line in lines
    )
    assert any(line.startswith("  layer 1: weights: 1 value by up to 0.5 (") for line in lines)
    record = radixfmt("diff", "a.rx.h5", "b.rx.h5", "--json").json
    assert list(record) == ["equal", "metadata", "topology", "values"]
    assert record["equal"] is False
    assert {"layer", "max_abs", "max_ulp", "count"} <= set(record["values"][0])


def test_long_answers_are_cut_unless_all_is_asked_for(radixfmt):
    for name, weights in (("a", "constant=1"), ("b", "constant=2")):
        words = f"generate graph-challenge --neurons 1024 --layers 30 --weights {weights}"
        assert radixfmt(*words.split(), "-o", f"{name}.rx.h5").code == 0
    short = radixfmt("diff", "a.rx.h5", "b.rx.h5").out
    assert "19 more (-v shows all)" in short
    assert "layer 29" in radixfmt("diff", "a.rx.h5", "b.rx.h5", "-v").out
    assert "topology: equal" in short


def test_trouble_exits_2(radixfmt, small):
    rx.write("a.rx.h5", small)
    done = radixfmt("diff", "a.rx.h5", "missing.rx.h5")
    assert (done.code, done.out) == (2, "")
    shutil.copy("a.rx.h5", "cut.rx.h5")
    with open("cut.rx.h5", "r+b") as file:  # noqa: PTH123
        file.truncate(500)
    done = radixfmt("diff", "a.rx.h5", "cut.rx.h5", "--json")
    assert done.code == 2
    assert '"code"' in done.err
