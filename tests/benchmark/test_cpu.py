"""tools/benchmarks/cpu.py, as far as a short run shows."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import radixfmt as rx
from radixfmt.backends.scipy import reference

SCRIPT = Path(__file__).parents[2] / "tools/benchmarks/cpu.py"
CASES = ("radix-1024", "two-threads", "graph-challenge", "stock-1024")


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", *arguments],
        env={"PYTHONPATH": str(SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_quick_run_writes_ratios_and_environment_once(tmp_path):
    output = tmp_path / "quick.json"
    chosen = [word for case in CASES for word in ("--case", case)]
    done = run(*chosen, "--output", str(output))
    assert done.returncode == 0, done.stderr
    content = json.loads(output.read_text())
    assert set(content) == {"environment", "settings", "cases"}
    assert [case["name"] for case in content["cases"]] == list(CASES)
    assert [r["than"] for r in content["cases"][0]["ratios"]] == ["ort-dense", "scipy"]
    for case in content["cases"]:
        for result in case["results"].values():
            assert result["parity"]["max_rel"] < 1e-4
    assert "ort-auto is" in done.stdout
    again = run("--output", str(output))
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_shuffled_text_is_the_same_network(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("cpu_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    sys.modules["cpu_benchmark"] = script
    spec.loader.exec_module(script)
    script.challenge(tmp_path, 1)
    x = (np.random.default_rng(0).random((8, 1024)) < 0.5).astype(np.float32)
    with (
        rx.open(tmp_path / "network.rx.h5") as made,
        rx.open(tmp_path / "shuffled.rx.h5") as read,
    ):
        wanted = reference(made, x)
        assert np.unique(wanted).size > 2
        np.testing.assert_allclose(reference(read, x), wanted, atol=1e-5)
        assert not np.array_equal(made.layers[1].pattern.indices, read.layers[1].pattern.indices)
