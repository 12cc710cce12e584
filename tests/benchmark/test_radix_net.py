import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools/benchmarks/radix_net.py"


def run(*arguments):
    home = str(SCRIPT.parents[2])
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", "--batch", "4", "--repeats", "3", *arguments],
        env={"PYTHONPATH": home},
        capture_output=True,
        text=True,
        check=False,
    )


def test_quick_run_writes_ratios_and_environment_once(tmp_path):
    output = tmp_path / "quick.json"
    done = run("--seconds", "0", "--output", str(output))
    assert done.returncode == 0, done.stderr
    content = json.loads(output.read_text())
    assert set(content) == {"environment", "settings", "cases"}
    assert [case["neurons"] for case in content["cases"]] == [1024, 4096]
    assert [ratio["than"] for ratio in content["cases"][0]["ratios"]] == ["ort-dense", "scipy"]
    assert "times as fast as ort-dense" in done.stdout
    again = run("--output", str(output))
    assert again.returncode == 2
    assert "exists" in again.stderr
