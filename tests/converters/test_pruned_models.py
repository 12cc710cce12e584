"""The benchmark of pruned models runs, and says what pruning costs and saves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools/benchmarks/pruned_models.py"


def test_quick_run_writes_accuracy_sizes_and_speed_once(tmp_path):
    output = tmp_path / "quick.json"
    words = ["--quick", "--starts", "2", "--repeats", "3", "--seconds", "0", "--output", output]

    def run():
        return subprocess.run(
            [sys.executable, SCRIPT, *words],
            env={"PYTHONPATH": str(SCRIPT.parents[2]), "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run()
    assert done.returncode == 0, done.stderr
    content = json.loads(output.read_text())
    assert set(content) == {"environment", "settings", "cases"}
    (case,) = content["cases"]
    # after one epoch the dense model knows more than chance; the pruned one may not
    assert case["accuracy"]["dense"] > 0.15
    assert 0 <= case["accuracy"]["pruned"] <= 1
    sizes = case["bytes"]
    assert sizes["rx_small"] <= sizes["rx"] < sizes["onnx_native"] < sizes["onnx_dense"] / 3
    (speed,) = case["speed"]
    assert speed["batch"] == 1
    assert speed["max_rel"] < 1e-5
    assert set(speed["times"]) == {"session", "native", "auto"}
    for name, ratio in speed["times"].items():
        assert len(speed["starts"][name]) == 2
        assert min(speed["starts"][name]) <= ratio <= max(speed["starts"][name])
    assert "LeNet-5, 90% pruned" in done.stdout
    again = run()
    assert again.returncode == 2
    assert "exists" in again.stderr
