"""Studies are run as CI runs them: small, one seed, no warning let through."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "reproduce"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return what runs a study by name and returns the folder of its files."""

    def run(name):
        made = tmp_path_factory.mktemp(name)
        words = ["--quick", "--seeds", "1", "--output", str(made)]
        script = str(FOLDER / f"{name}.py")
        done = subprocess.run(
            [sys.executable, "-W", "error", script, *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return made

    return run
