import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.benchmark import worker
from radixfmt.benchmark.engines import Calls, Settings, engine
from radixfmt.benchmark.job import Job
from radixfmt.benchmark.result import PHASES
from radixfmt.benchmark.rounds import measured
from radixfmt.errors import MissingDependencyError, ParameterError, UnknownNameError
from radixfmt.export.lowerings import lowering

KEYS = {
    "engine", "provider", "lowering", "batch", "threads", "seconds", "samples",
    "edges_per_second", "peak_bytes", "parity", "edges", "config", "precision", "placement",
}  # fmt: skip

ABSENT = {"cupy-csr"}
"""Engines that need a GPU."""


def children():
    """Processes this one has started and not yet buried, zombies included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found.add(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def results(net):
    names = [name for name in engine if name not in ABSENT]
    return rx.bench(net, engines=names, batch=64, repeats=3, time_budget=0)


def test_every_engine_gives_a_result_in_the_order_asked_for(results):
    assert [r.engine for r in results] == [name for name in engine if name not in ABSENT]


def test_json_has_the_stable_keys(results):
    for result in results:
        content = json.loads(json.dumps(result.as_json()))
        assert set(content) == KEYS
        assert set(content["seconds"]) == {"median", "min", "p10", "p90"}
        assert set(content["parity"]) == {"max_abs", "max_rel"}
        assert set(content["samples"]) <= set(PHASES)
        assert all(isinstance(ns, int) for taken in content["samples"].values() for ns in taken)
        assert content["peak_bytes"] > 2**20


def test_speed_is_edges_times_rows_over_median_seconds(results, net):
    for result in results:
        assert result.edges == net.nnz
        expected = net.nnz * 64 / result.seconds["median"]
        assert result.edges_per_second == pytest.approx(expected)


def test_outputs_are_those_of_the_reference(results):
    for result in results:
        assert result.parity.rows == 64
        assert 0 <= result.parity.max_rel < 1e-5


def test_least_samples_in_spite_of_an_empty_budget(results):
    assert [len(r.samples["steady"]) for r in results] == [3] * len(results)


def test_phases_of_onnxruntime(results):
    auto = next(r for r in results if r.engine == "ort-auto")
    assert {phase: len(taken) for phase, taken in auto.samples.items()} == {
        "read": 1, "lower": 1, "build": 1, "first": 1, "steady": 3,
    }  # fmt: skip
    assert auto.provider == "CPUExecutionProvider"


def test_dense_is_dense_and_says_how_it_ran(results):
    dense = next(r for r in results if r.engine == "ort-dense")
    assert dense.lowering == "dense"
    assert dense.config["layout"] in ("batch-major", "feature-major")


def test_a_file_and_several_batches(tmp_path, net):
    rx.write(tmp_path / "net.rx.h5", net)
    path = tmp_path / "net.rx.h5"
    found = rx.bench(path, engines=["scipy"], batch=[1, 3], repeats=3, threads=2)
    assert [(r.batch, r.threads, r.parity.rows) for r in found] == [(1, 2, 1), (3, 2, 3)]
    assert all(r.config["runs_per_sample"] > 1 for r in found)


def test_engines_take_turns(fakes, doubling):
    found = rx.bench(doubling, engines=["first-fake", "second-fake"], batch=4, repeats=4)
    turns = fakes.read_text().split()
    warm_then_timed = [name for name in ("first", "second", "second", "first") for _ in range(2)]
    assert turns[-16:] == warm_then_timed * 2
    assert [r.parity.max_abs for r in found] == [0, 0]


@pytest.mark.parametrize(("limit", "more"), [(0, 1), (worker.WARM_NS, 2)])
def test_only_short_runs_warm_up(tmp_path, monkeypatch, doubling, limit, more):
    rx.write(tmp_path / "net.rx.h5", doubling)
    job = Job(
        "scipy", str(tmp_path / "net.rx.h5"), Settings(4, 1, "cpu"), 0, str(tmp_path / "y.npy")
    )
    ran = []
    run = Calls.run
    monkeypatch.setattr(Calls, "run", lambda work: ran.append(1) or run(work))
    monkeypatch.setattr(worker, "WARM_NS", limit)
    monkeypatch.setattr(worker, "SAMPLE_NS", 0)  # one run in a sample
    counts = []

    def hear():
        counts.append(len(ran))
        return (asdict(job), "run", "run", "finish")[len(counts) - 1]

    worker._serve(hear, io.StringIO())
    assert np.diff(counts[1:]).tolist() == [more, more]


def test_the_fastest_config_is_kept(fakes, doubling):
    [found] = rx.bench(doubling, engines=["fussy-fake"], batch=4, repeats=3)
    assert found.config["speed"] == "fast"


def test_a_config_that_is_refused_is_named_and_left_out(fakes, doubling):
    [found] = rx.bench(doubling, engines=["picky-fake"], batch=4, repeats=3)
    assert found.config["way"] == "taken"
    assert found.config["refused"] == {'{"way": "refused"}': "this way is closed"}


def test_a_library_may_fork(fakes, doubling):
    [found] = rx.bench(doubling, engines=["forking-fake"], batch=4, repeats=3)
    assert found.parity.max_abs == 0


def test_every_lowering_is_an_engine_and_says_what_ran(results):
    found = {r.engine: r for r in results}
    for name in lowering:
        assert found[f"ort-{name}"].lowering == name
        assert found[f"ort-{name}"].placement["copies"] == 0
        assert set(found[f"ort-{name}"].placement["nodes"]) == {"CPUExecutionProvider"}
    assert found["scipy"].placement is None


def test_jobs_may_differ_in_anything(tmp_path, net, doubling):
    rx.write(tmp_path / "net.rx.h5", net)
    rx.write(tmp_path / "doubling.rx.h5", doubling)
    jobs = [
        Job("scipy", str(tmp_path / f"{name}.rx.h5"), Settings(rows, 1, "cpu"), 0,
            str(tmp_path / f"{name}{rows}.npy"))
        for name in ("net", "doubling") for rows in (2, 3)
    ]  # fmt: skip
    found = measured(jobs, repeats=3, deadline=0)
    assert [(r.edges, r.batch) for r in found] == [
        (net.nnz, 2), (net.nnz, 3), (doubling.nnz, 2), (doubling.nnz, 3),
    ]  # fmt: skip
    assert all(r.parity.max_rel < 1e-5 for r in found)


def test_progress_ends_at_its_total(fakes, doubling):
    seen = []
    rx.bench(
        doubling, engines=["first-fake"], batch=4, repeats=9, time_budget=0,
        progress=lambda *step: seen.append(step),
    )  # fmt: skip
    assert seen == [(1, 10), (2, 10), (3, 10), (4, 10), (10, 10)]


def test_unknown_engine_says_which_was_meant(net):
    with pytest.raises(UnknownNameError) as caught:
        rx.bench(net, engines=["ort-auot"])
    assert caught.value.hint == "Did you mean 'ort-auto'?"


@pytest.mark.parametrize(
    "wrong",
    [{"engines": []}, {"batch": 0}, {"batch": []}, {"threads": 0}, {"time_budget": float("nan")}],
    ids=["no-engine", "no-rows", "no-batch", "no-thread", "no-budget"],
)
def test_bad_numbers_are_refused(net, wrong):
    with pytest.raises(ParameterError, match="benchmark"):
        rx.bench(net, **wrong)


def test_missing_dependency_keeps_its_class_and_hint(fakes, doubling):
    with pytest.raises(MissingDependencyError, match=r"'missing-fake'.*not installed") as caught:
        rx.bench(doubling, engines=["missing-fake"], batch=4)
    assert caught.value.hint == "pip install nothing"
    assert caught.value.code == "missing-dependency"


def test_a_dead_worker_is_named_with_its_last_words(fakes, doubling):
    before = children()
    with pytest.raises(rx.RadixfmtError, match=r"'dying-fake'.*status 7.*\n.*last words") as caught:
        rx.bench(doubling, engines=["first-fake", "dying-fake"], batch=4)
    assert caught.value.code == "worker-died"
    assert children() == before


def test_an_interrupt_leaves_no_process(fakes, doubling):
    def interrupt(done, total):
        if done == 4:
            raise KeyboardInterrupt

    before = children()
    with pytest.raises(KeyboardInterrupt):
        rx.bench(doubling, engines=["first-fake", "second-fake"], batch=4, progress=interrupt)
    assert children() == before


def test_a_killed_parent_takes_its_worker_along(fakes, doubling, tmp_path):
    rx.write(tmp_path / "net.rx.h5", doubling)
    program = (
        "import radixfmt as rx; from radixfmt.benchmark.engines import engine; "
        f"rx.bench({str(tmp_path / 'net.rx.h5')!r}, engines=['sleepy-fake'], batch=4)"
    )
    home = str(Path(rx.__file__).parents[1])
    paths = os.pathsep.join([home, str(tmp_path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": paths}
    )
    _until(lambda: fakes.exists() and fakes.read_text())  # the worker is in the middle of a run
    worker = int(fakes.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _until(lambda: not _alive(worker))


def _alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
