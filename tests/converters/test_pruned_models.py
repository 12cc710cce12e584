"""The benchmark of exported pruned models runs, and its table says what pruning saves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools/benchmarks/pruned_models.py"


def test_quick_run_writes_sizes_and_speed_once(tmp_path):
    output = tmp_path / "quick.json"
    words = ["--quick", "--repeats", "3", "--seconds", "0", "--output", output]

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
    sizes = case["bytes"]
    assert sizes["rx_small"] <= sizes["rx"] < sizes["onnx_dense"] / 4
    assert [speed["batch"] for speed in case["speed"]] == [1]
    assert all(speed["max_rel"] < 1e-5 and speed["times"] > 0 for speed in case["speed"])
    assert "LeNet-5" in done.stdout
    again = run()
    assert again.returncode == 2
    assert "exists" in again.stderr
