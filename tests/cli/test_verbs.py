"""What each verb answers, in text and in JSON with its stable keys."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import onnx
import pytest

import radixfmt as rx
from radixfmt.cli import VERBS, group

FINDING_KEYS = {
    "code", "severity", "path", "pointer", "index", "count", "expected", "actual", "message",
    "hint",
}  # fmt: skip


@pytest.fixture
def net(radixfmt):
    words = "generate radix-net --system 2,3 --system 3,2 --widths 1,2,2,3,1 --weights he"
    assert radixfmt(*words.split(), "--activation", "relu", "-o", "net.rx.h5").code == 0
    return "net.rx.h5"


def commands(command=group, words=()):
    """Every command with an example, down the tree."""
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            yield from commands(command.get_command(ctx, name), (*words, name))
    if words:
        yield pytest.param(words, command, id=" ".join(words))


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_every_verb_has_help_and_an_example_that_runs(words, command, radixfmt, net):
    answer = radixfmt(*words, "--help")
    assert answer.code == 0
    assert command.epilog in " ".join(answer.out.split())
    example = command.epilog.removeprefix("Example: ")
    if example.startswith("eval"):
        assert radixfmt(*words, "bash").out.strip()
        return
    np.save("samples.npy", np.ones((2, 6), np.float32))
    for name in ("a.rx.h5", "b.rx.h5"):
        shutil.copyfile(net, name)
    arguments = shlex.split(example)[1:]
    quick = ["--time-budget", "0"] if words == ("bench",) else []
    overwrite = ["--overwrite"] if words[0] in ("generate", "export", "run") else []
    done = radixfmt(*arguments, *quick, *overwrite)
    assert done.code == 0, done.err


def test_the_table_of_verbs_is_what_there_is():
    for verb, text in VERBS.items():
        command = group.get_command(click.Context(group), verb)
        assert command.get_short_help_str(200).rstrip(".").split()[0]
        assert text.endswith(".")


def test_info(radixfmt, net):
    record = radixfmt("info", net, "--json").json
    assert set(record) == {
        "format_version", "name", "topology_digest", "content_digest", "metadata_digest", "nnz",
        "density", "layers",
    }  # fmt: skip
    assert record["nnz"] == 240
    assert record["layers"][1] == {
        "name": "layer1", "kind": "linear", "shape": [12, 12], "nnz": 72, "density": 0.5,
        "dtype": "float32", "encoding": "procedural",
        "pattern_digest": record["layers"][1]["pattern_digest"],
    }  # fmt: skip
    assert record["content_digest"].startswith("rx1:")
    assert "4 layers, 240 edges" in radixfmt("info", net).out
    assert radixfmt("info", net, "--card").out.startswith("---\nlibrary_name: radixfmt")
    assert "@misc{radixfmt_" in radixfmt("info", net, "--bibtex").out


def test_info_says_what_no_double_holds_as_text(radixfmt):
    radixfmt("generate", "radix-net", "--system", "262144,65536", "-o", "big.rx.h5")
    record = radixfmt("info", "big.rx.h5", "--json").json
    assert record["layers"][0]["nnz"] == 2**52
    radixfmt("generate", "radix-net", "--system", "262144,65536", "--system", "262144,65536",
             "-o", "two.rx.h5")  # fmt: skip
    assert radixfmt("info", "two.rx.h5", "--json").json["nnz"] == str(2 * (2**52 + 2**50))


def test_validate(radixfmt, net):
    record = radixfmt("validate", net, "--json").json
    (file,) = record["files"]
    assert set(file) == {"path", "valid", "format_version", "findings", "skipped"}
    assert set(file["findings"][0]) == FINDING_KEYS
    assert radixfmt("validate", net).out == "net.rx.h5: valid (radixfmt 1.0)\n"
    assert "RX2103" in radixfmt("validate", net, "-v").out


def test_generate_and_convert(radixfmt, net):
    made = radixfmt("generate", "radix-net", "--system", "2,2", "-o", "a.rx.h5", "--json").json
    assert (made["layers"], made["nnz"]) == (2, 16)
    done = radixfmt("convert", "a.rx.h5", "b.rx.h5", "--weights", "he", "--json").json
    assert set(done) == {"output", "digests", "losses"}
    assert done["digests"]["content"] != made["content_digest"]
    assert radixfmt("convert", "b.rx.h5", "layer.mtx", "--layer", "1").code == 0
    assert rx.read("b.rx.h5").metadata.provenance[-1]["weights"] == "he"
    explicit = radixfmt("convert", "b.rx.h5", "c.rx.h5", "--storage", "explicit", "--json").json
    assert explicit["digests"]["content"] == done["digests"]["content"]


def test_export_and_run(radixfmt, net):
    record = radixfmt("export", net, "-o", "net.onnx", "--json").json
    assert set(record) == {"output", "bytes", "opset", "parity", "layers"}
    assert record["opset"] == 21
    assert record["parity"]["max_rel"] < 1e-5
    assert set(record["layers"][0]) == {"name", "lowering", "why"}
    onnx.checker.check_model(onnx.load("net.onnx"), full_check=True)
    assert "layer0: " in radixfmt("export", net, "-o", "b.onnx", "--explain").out
    x = np.random.default_rng(0).random((9, 6), np.float32)
    np.save("x.npy", x)
    answers = {}
    for name, words in {
        "file": [net], "dense": [net, "--lowering", "dense"], "model": ["net.onnx"],
        "reference": [net, "--backend", "scipy"],
    }.items():  # fmt: skip
        done = radixfmt("run", *words, "--input", "x.npy", "--output", f"{name}.npy", "--json")
        assert set(done.json) == {"output", "rows", "seconds", "provider"}
        assert done.json["provider"] in ("CPUExecutionProvider", "scipy float64") or (
            "CUDA" in done.json["provider"]
        )
        answers[name] = np.load(f"{name}.npy")
    for name, answer in answers.items():
        assert np.allclose(answer, answers["reference"], rtol=1e-5, atol=1e-6), name


def test_export_in_16_bits_is_for_cuda_and_says_how_far_it_is_checked(radixfmt, net):
    words = ["export", net, "-o", "half.onnx", "--target", "cuda", "--precision"]
    record = radixfmt(*words, "float16", "--json").json
    assert 1e-6 < record["parity"]["max_rel"] < 2e-2
    kinds = {tensor.data_type for tensor in onnx.load("half.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert onnx.TensorProto.FLOAT not in kinds
    assert "CUDA alone" in radixfmt(*words, "bfloat16", "--overwrite").err
    assert radixfmt("export", net, "-o", "x.onnx", "--precision", "float16").code == 2


def test_costs_are_measured_once_and_decide(radixfmt, net, monkeypatch):
    from dataclasses import replace

    from radixfmt.export import calibration, costs

    made = []

    def measured(target):
        made.append(target)
        return replace(costs.costs_of(target), multiply=1e20, read=1e20)  # dense costs nothing

    monkeypatch.setattr(calibration, "calibrate", measured)
    for name in ("a.onnx", "b.onnx"):
        record = radixfmt("export", net, "-o", name, "--calibrate", "c.json", "--json").json
        assert {layer["lowering"] for layer in record["layers"]} == {"dense"}
    assert made == ["cpu"]
    Path("c.json").write_text("{}", "utf-8")
    bad = radixfmt("export", net, "-o", "x.onnx", "--calibrate", "c.json")
    assert bad.code == 2
    assert "expected costs" in bad.err
    assert not Path("x.onnx").exists()


def test_bench(radixfmt, net):
    words = ["bench", net, "--batch", "8", "--time-budget", "0", "--engine", "scipy"]
    record = radixfmt(*words, "--json").json
    assert set(record) == {"environment", "results"}
    keys = {
        "engine", "provider", "lowering", "batch", "threads", "seconds", "samples",
        "edges_per_second", "peak_bytes", "parity",
    }  # fmt: skip
    assert keys <= set(record["results"][0])
    record["results"][0]["edges_per_second"] = 1e30
    Path("old.json").write_text(json.dumps(record), encoding="utf-8")
    assert radixfmt(*words, "--baseline", "old.json").code == 1


def test_versions(radixfmt):
    assert radixfmt("--version").out.startswith("radixfmt 0.")
    detailed = radixfmt("-v", "--version").out
    assert "numpy" in detailed
    assert "1.0" in detailed


def test_color_and_quiet(radixfmt, net, monkeypatch):
    assert "\x1b[" in radixfmt("validate", net, "--color", "always").out
    assert "\x1b[" not in radixfmt("validate", net).out
    loud = radixfmt("convert", net, "a", "--layer", "1", "--to", "graph-challenge")
    assert "not kept" in loud.err
    quiet = radixfmt("convert", net, "b", "--layer", "1", "--to", "graph-challenge", "-q")
    assert quiet.err == ""


def test_a_closed_pipe_is_silent(net):
    with subprocess.Popen(
        [sys.executable, "-m", "radixfmt", "info", net, "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_polite_kill_leaves_no_temporary_file(tmp_path):
    """The network is far too large to be finished when the signal comes."""
    words = [
        "generate",
        "graph-challenge",
        "--neurons",
        "65536",
        "--layers",
        "5000",
        "-o",
        "net.rx.h5",
    ]
    with subprocess.Popen([sys.executable, "-m", "radixfmt", *words], cwd=tmp_path) as process:
        while not list(tmp_path.iterdir()) and process.poll() is None:
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_card_of_a_stranger_forges_nothing(radixfmt, small):
    from dataclasses import replace

    hostile = rx.Metadata(
        name="A\n---\nlicense: evil\n# x",
        description="<script>x</script>\n---\n\x1b[31mred",
        citation=({"text": "a}\n@misc{\x1b[0m"},),
    )
    rx.write("net.rx.h5", replace(small, metadata=hostile))
    card = radixfmt("info", "net.rx.h5", "--card").out
    assert card.splitlines().count("---") == 2  # the front matter's own
    assert "<script>" not in card
    bibtex = radixfmt("info", "net.rx.h5", "--bibtex").out
    assert bibtex.count("@misc") == 2 + 1  # ours, the cited work's, and the text inside its braces
    assert "\n@misc{\x1b" not in bibtex
    assert "\x1b" not in card + bibtex


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--license", "MIT OR"], "SPDX"),
        (["--author", "A 0000-0002-1825-0098"], "check digit"),
        (["--created", "yesterday"], "ISO 8601"),
    ],
)
def test_metadata_that_validate_would_not_like_is_refused(radixfmt, words, message):
    base = ["generate", "radix-net", "--system", "2,2", "-o", "net.rx.h5"]
    done = radixfmt(*base, *words)
    assert (done.code, Path("net.rx.h5").exists()) == (2, False)
    assert message in done.err
