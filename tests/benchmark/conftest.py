import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.parity import Parity
from radixfmt.benchmark.engines import engine
from radixfmt.benchmark.result import BenchResult

PLUGIN = """
import os, sys, time
from radixfmt.benchmark.engines import Ready, engine
from radixfmt.errors import MissingDependencyError

TURNS = os.environ["TURNS"]

def double(name):
    def run(x):
        with open(TURNS, "a") as turns:
            turns.write(name + "\\n")
        print("a library that chatters on stdout")
        time.sleep(0.03)
        return x * 2
    return run

@engine("first-fake", configs=({},))
def first(network, settings, config, clock):
    return Ready(double("first"), "fake", "none")

@engine("second-fake", configs=({},))
def second(network, settings, config, clock):
    return Ready(double("second"), "fake", "none")

@engine("fussy-fake", configs=({"speed": "slow", "tile": None}, {"speed": "fast", "tile": None},
                               {"speed": "not tried", "tile": 10**9}))
def fussy(network, settings, config, clock):
    assert config["speed"] != "not tried"
    def run(x):
        time.sleep(0.05 if config["speed"] == "slow" else 0.001)
        return x * 2
    return Ready(run, "fake", "none")

@engine("picky-fake", configs=({"way": "refused"}, {"way": "taken"}))
def picky(network, settings, config, clock):
    if config["way"] == "refused":
        raise MissingDependencyError("this way is closed")
    return Ready(lambda x: x * 2, "fake", "none")

@engine("forking-fake", configs=({},))
def forking(network, settings, config, clock):
    import multiprocessing
    def run(x):
        child = multiprocessing.get_context("fork").Process(target=int)
        child.start()
        child.join(20)
        assert child.exitcode == 0
        return x * 2
    return Ready(run, "fake", "none")

@engine("dying-fake", configs=({},))
def dying(network, settings, config, clock):
    def run(x):
        if x.shape[0] > 2:  # not in the rehearsal
            print("the last words", file=sys.stderr, flush=True)
            os._exit(7)
        return x * 2
    return Ready(run, "fake", "none")

@engine("sleepy-fake", configs=({},))
def sleepy(network, settings, config, clock):
    def run(x):
        if x.shape[0] > 2:
            open(TURNS, "w").write(str(os.getpid()))
            time.sleep(60)
        return x * 2
    return Ready(run, "fake", "none")

@engine("missing-fake", configs=({},))
def missing(network, settings, config, clock):
    raise MissingDependencyError("nothing is not installed", hint="pip install nothing")
"""
FAKES = ("first", "second", "fussy", "picky", "forking", "dying", "sleepy", "missing")


@pytest.fixture(scope="session")
def net():
    return rx.generate(
        "radix-net", systems=[[2, 2, 2]], widths=[4] * 4, weights="he", activation="relu"
    )


@pytest.fixture
def doubling():
    """A network that doubles its 8 inputs, as the fake engines do."""
    eye = rx.Pattern.explicit((8, 8), np.arange(9), np.arange(8))
    return rx.chain([rx.Layer("twice", eye, 2.0)])


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Install engines as another distribution would, by entry point; returns the turns' file."""
    (tmp_path / "fake_engines.py").write_text(PLUGIN)
    info = tmp_path / "fake_engines-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-engines\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[radixfmt.benchmark.engines]\nfakes = fake_engines\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TURNS", str(tmp_path / "turns"))
    for name in FAKES:  # this process has listed its entry points already and needs the names only
        monkeypatch.setitem(engine._entries, f"{name}-fake", None)
    return tmp_path / "turns"


@pytest.fixture
def result():
    """Return a function that makes a result from seconds per round."""

    def make(name, *seconds, **changes):
        facts = {
            "engine": name,
            "provider": "CPUExecutionProvider",
            "lowering": "blocked",
            "batch": 100,
            "threads": 1,
            "samples": {"steady": [round(s * 1e9) for s in seconds]},
            "edges": 1000,
            "peak_bytes": 2_000_000,
            "parity": Parity(1e-6, 2e-7, 64),
        }
        return BenchResult(**facts | changes)

    return make
