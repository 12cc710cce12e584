"""Answers that must turn when what they report on turns: exit codes and results, not wording."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import radixfmt as rx
from radixfmt import benchmark
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import Parity
from radixfmt.benchmark.result import BenchResult
from radixfmt.cli import demo

GENERATE = "generate radix-net --system 2,3 --system 3,2 --widths 1,2,2,3,1 --weights he"


@pytest.fixture
def net(radixfmt):
    assert radixfmt(*GENERATE.split(), "--activation", "relu", "-o", "net.rx.h5").code == 0
    return "net.rx.h5"


@pytest.fixture
def wrong(monkeypatch):
    """Make every session in this process answer with 1 too much."""
    right = Session.run
    monkeypatch.setattr(Session, "run", lambda self, x: right(self, x) + 1)


@pytest.fixture
def quick(monkeypatch):
    """Make the demo's benchmark one result, whose parity the test may set."""
    found = {"parity": Parity(0.0, 1e-7, 64)}

    def bench(*_, **__):
        result = BenchResult(
            "ort-auto", "CPU", "blocked", 4, 1, {"steady": [10]}, 8, None, found["parity"]
        )
        return [result, dataclasses.replace(result, engine="scipy", parity=Parity(0, 1e-7, 64))]

    monkeypatch.setattr(benchmark, "bench", bench)
    monkeypatch.setattr(demo, "SYSTEMS", [[2, 2]])
    monkeypatch.setattr(demo, "WIDTHS", [2, 2, 2])
    return found


def skip():
    """A network with a skip connection."""
    layer = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 1.0)
    return rx.Network(
        [layer],
        (rx.Node("SparseLinear", ("x",), ("a",), layer=0), rx.Node("Add", ("a", "x"), ("y",))),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", ("B", 2)),),
    )


def noisy():
    """A network that no reference can repeat."""
    layer = rx.Layer("id", rx.Pattern.explicit((2, 2), [0, 1, 2], [0, 1]), 1.0)
    return rx.Network(
        [layer],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("RandomNormalLike", ("a",), ("r",)),
            rx.Node("Add", ("a", "r"), ("y",)),
        ),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", ("B", 2)),),
    )


@pytest.mark.parametrize("backend", ["ort", "scipy"])
def test_categories_are_the_rows_that_stay_alive(radixfmt, backend):
    layer = rx.Layer("sum", rx.Pattern.explicit((2, 2), [0, 2, 4], [0, 1, 0, 1]), 1.0, -1.0)
    rx.write("sum.rx.h5", rx.chain([layer], activation="Relu"))
    np.save("x.npy", np.array([[1, 1], [0, 1], [0, 0], [2, 0]], np.float32))
    words = ["run", "sum.rx.h5", "--input", "x.npy", "--categories", "ids", "--backend", backend]
    answer = radixfmt(*words, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["categories"] == [1, 4]
    assert Path("ids").read_text() == "1\n4\n"


@pytest.mark.parametrize("backend", ["ort", "scipy"])
def test_categories_of_no_rows(radixfmt, net, backend):
    np.save("x.npy", np.zeros((0, 6), np.float32))
    answer = radixfmt(
        "run", net, "--input", "x.npy", "--categories", "ids", "--backend", backend, "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["categories"] == []
    assert Path("ids").read_text() == ""


def test_categories_of_the_published_images(radixfmt, data):
    images = data / "graph_challenge" / "sparse-images-1024_subset.mtx"
    published = data / "graph_challenge" / "neuron1024-l120-categories_subset.mtx"
    if not images.exists() or not published.exists():
        pytest.skip("the published images are absent")
    import scipy.io

    rows = np.unique(scipy.io.mmread(published).tocoo().row) + 1
    assert len(rows) == 19
    words = "generate graph-challenge --neurons 1024 --layers 120 -o gc.rx.h5"
    assert radixfmt(*words.split()).code == 0
    answer = radixfmt("run", "gc.rx.h5", "--input", images, "--categories", "ids")
    assert answer.code == 0, answer.err
    assert "19 of 1200 rows" in answer.out
    assert Path("ids").read_text() == "".join(f"{row}\n" for row in rows)


def test_export_fails_when_the_model_is_wrong(radixfmt, net, wrong):
    answer = radixfmt("export", net, "-o", "net.onnx")
    assert answer.code == 1
    assert "relative difference" in answer.err
    assert not Path("net.onnx").exists()
    assert radixfmt("export", net, "-o", "net.onnx", "--no-parity").code == 0


def test_export_says_what_its_parity_is_worth(radixfmt, net):
    assert radixfmt("export", net, "-o", "a.onnx", "--json").json["parity"]["informative"] is True
    rx.write("gc.rx.h5", rx.generate("graph-challenge", neurons=1024, layers=24))
    answer = radixfmt("export", "gc.rx.h5", "-o", "b.onnx")
    assert "parity is weak here: the reference's outputs are all" in answer.out
    record = radixfmt("export", "gc.rx.h5", "-o", "c.onnx", "--json").json["parity"]
    assert set(record) == {"max_abs", "max_rel", "informative"}
    assert record["informative"] is False
    assert 0 < record["max_rel"] < 1e-4  # of the prefix: saturated outputs agree exactly


def test_export_without_a_reference_says_so(radixfmt):
    rx.write("skip.rx.h5", skip())
    answer = radixfmt("export", "skip.rx.h5", "-o", "skip.onnx", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["parity"]["max_rel"] < 1e-5
    rx.write("noise.rx.h5", noisy())
    answer = radixfmt("export", "noise.rx.h5", "-o", "noise.onnx")
    assert answer.code == 0, answer.err
    assert "parity not checked" in answer.err
    assert "random" in answer.err
    again = radixfmt("export", "noise.rx.h5", "-o", "noise.onnx", "--overwrite", "--json")
    assert again.json["parity"] is None


def test_export_and_run_take_symbolic_inputs(radixfmt, small):
    net = rx.Network(
        small.layers, small.graph, (rx.Value("x", ("B", "n")),), small.outputs, small.tensors
    )
    rx.write("open.rx.h5", net)
    answer = radixfmt("export", "open.rx.h5", "-o", "open.onnx", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["parity"]["max_rel"] < 1e-5
    np.save("x.npy", np.ones((2, 6), np.float32))
    words = ["run", "open.rx.h5", "--input", "x.npy", "--backend", "scipy", "--output", "y.npy"]
    assert radixfmt(*words).code == 0


PLUGIN = """
from radixfmt.benchmark.engines import Ready, engine

@engine("wrong-fake", configs=({},))
def wrong(network, settings, config, clock):
    from radixfmt.backends.scipy import ScipySession
    session = ScipySession(network)
    return Ready(lambda x: session.run(x) + 1, "fake", "none")
"""


@pytest.fixture
def wrong_engine(tmp_path, monkeypatch):
    """Install an engine whose outputs are off by 1."""
    from radixfmt.benchmark.engines import engine

    (tmp_path / "wrong_engine.py").write_text(PLUGIN)
    info = tmp_path / "wrong_engine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong-engine\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[radixfmt.benchmark.engines]\nwrong = wrong_engine\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    list(engine)  # lists what is installed, before the name is added for this process
    monkeypatch.setitem(engine._entries, "wrong-fake", None)


def test_bench_compares_each_engine_with_the_reference(radixfmt, net, wrong_engine):
    words = ["bench", net, "--batch", "4", "--time-budget", "0", "--engine", "scipy"]
    assert radixfmt(*words).code == 0
    answer = radixfmt(*words, "--engine", "wrong-fake")
    assert answer.code == 1
    assert "parity fails: wrong-fake" in answer.err
    assert "parity fails: scipy" not in answer.err
    right, wrong = radixfmt(*words, "--engine", "wrong-fake", "--json").json["results"]
    assert right["parity"]["max_abs"] < 1e-5
    assert wrong["parity"]["max_abs"] == pytest.approx(1, rel=1e-4)


def test_demo_passes_when_all_is_well(radixfmt, quick):
    answer = radixfmt("demo")
    assert answer.code == 0, answer.err
    assert "Parity held" in answer.out


@pytest.mark.parametrize("off", [float("nan"), 1e-3])
def test_demo_fails_when_an_engine_is_off(radixfmt, quick, off):
    quick["parity"] = Parity(off, off, 64)
    answer = radixfmt("demo")
    assert answer.code == 1
    assert "PARITY FAILED" in answer.out


def test_demo_fails_when_the_model_is_wrong(radixfmt, quick, wrong):
    assert radixfmt("demo").code == 1


def test_a_feature_major_model_takes_the_same_sample_files(radixfmt):
    made = "generate radix-net --system 2,3 --weights he -o net.rx.h5"
    assert radixfmt(*made.split()).code == 0
    x = np.random.default_rng(0).random((6, 6), np.float32)
    np.save("x.npy", x)
    for layout in ("batch-major", "feature-major"):
        words = f"export net.rx.h5 -o {layout}.onnx --layout {layout}"
        assert radixfmt(*words.split()).code == 0
        words = f"run {layout}.onnx --input x.npy --output {layout}.npy"
        assert radixfmt(*words.split()).code == 0
    assert np.allclose(np.load("batch-major.npy"), np.load("feature-major.npy"), atol=1e-6)


def test_two_answers_need_two_files(radixfmt):
    words = "run net.rx.h5 --input x.npy --output y.tsv --categories y.tsv"
    answer = radixfmt(*words.split())
    assert (answer.code, "two files" in answer.err) == (2, True)
