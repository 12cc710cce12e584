"""tools/benchmarks/gpu.py, as far as a machine without a GPU shows."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from radixfmt.backends import device

SCRIPT = Path(__file__).parents[2] / "tools/benchmarks/gpu.py"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)  # gpu_native
    spec = importlib.util.spec_from_file_location("gpu_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_gpu_it_says_so(script, monkeypatch, capsys):
    monkeypatch.setattr(device, "cuda_problem", lambda: "there is no NVIDIA driver here")
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert script.main() == 2
    assert "there is no NVIDIA driver here" in capsys.readouterr().err


def test_a_dry_run_on_the_cpu(tmp_path):
    output = tmp_path / "gpu.json"
    words = ["--device", "cpu", "--quick", "--part", "1024", "--output", str(output)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env={"PYTHONPATH": str(SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(output.read_text())
    found = {entry["engine"]: entry for entry in content["entries"]}
    assert {"ort-auto", "ort-dense", "torch-csr"} <= {n for n, e in found.items() if "result" in e}
    assert "cupy" in found["cupy-csr"]["error"]
    assert found["ort-auto"]["tera_edges"] > 0
    assert found["ort-native"]["result"]["parity"]["max_rel"] < 1e-5
    assert "beside: SNICIT, A6000: 17.6" in done.stdout


def test_what_it_calls_wrong(script):
    def entry(engine, precision, speed, off=1e-7, provider=device.CUDA, copies=0):
        result = {
            "parity": {"max_rel": off},
            "placement": {"nodes": {provider: {"MatMul": 1}}, "copies": copies},
        }
        return {
            "part": "1024", "engine": engine, "precision": precision,
            "tera_edges": speed, "result": result,
        }  # fmt: skip

    good = [entry("ort-auto", "tf32", 2.0), entry("ort-dense", "tf32", 2.1)]
    absent = {"part": "1024", "precision": "float32", "error": "not installed", "late": False}
    assert script.wrong([*good, absent | {"engine": "cupy-csr"}], "cuda") == []
    for engine in ("ort-auto", "ort-native"):
        assert len(script.wrong([*good, absent | {"engine": engine}], "cuda")) == 1
    bad = [
        entry("ort-auto", "tf32", 1.0),
        entry("ort-dense", "tf32", 2.0, copies=1),
        entry("ort-auto", "float32", 2.0, off=1e-3),
        entry("ort-blocked", "float32", 2.0, provider="CPUExecutionProvider"),
    ]
    assert len(script.wrong(bad, "cuda")) == 4
