"""tools/benchmarks/planner.py: ratios are of models, and its cases are complete."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "tools/benchmarks/planner.py"


def test_neither_turns_nor_one_unlucky_session_make_a_ratio(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("planner_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    now = SimpleNamespace(seconds=0.0, last=None)
    sessions = Counter()

    def runner(seconds, _):
        sessions[seconds] += 1
        unlucky = seconds == 1e-3 and sessions[seconds] == 1

        def run():
            cold = now.last != seconds  # what another model left in the caches
            now.seconds += seconds * (3 if cold else 1) * (2 if unlucky else 1)
            now.last = seconds

        return run

    monkeypatch.setattr(script, "_runner", runner)
    monkeypatch.setattr(script, "time", SimpleNamespace(thread_time=lambda: now.seconds))
    models = {script.AUTO: 1e-3, "rival": 1.01e-3, "hopeless": 20e-3}
    taken = script._alternated(models, None, 12)
    assert [len(taken[name]) for name in models] == [12, 12, 1]
    assert taken["rival"] == pytest.approx(1.01e-3)
    assert taken["hopeless"] == pytest.approx(20e-3)
    assert np.median(taken[script.AUTO] / taken["rival"]) == pytest.approx(1 / 1.01)


def test_quick_run_holds_every_lowering_against_auto(tmp_path):
    output = tmp_path / "quick.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", "--only", "dense 64", "--output", str(output)],
        env={"PYTHONPATH": str(SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr  # speed is not tested
    cases = json.loads(output.read_text())["cases"]
    assert [case["batch"] for case in cases] == [1, 64, 1024]
    for case in cases:
        assert case["auto"] == case["same"] == ["dense"]
        assert set(case["ratios"]) == {"dense", "blocked", "gather"}
        assert case["ratios"]["dense"] == 1
