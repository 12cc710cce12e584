from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from radixfmt.registry import Registry

PLUGIN = Path(__file__).resolve().parents[1] / "plugin_distribution"


def test_a_name_cannot_be_taken_twice():
    registry: Registry[int] = Registry("number", "radixfmt.topologies")
    registry("one")(1)
    with pytest.raises(ValueError, match="registered twice"):
        registry("one")(2)


def test_an_installed_distribution_adds_a_topology_without_touching_ours(tmp_path):
    """The folder is laid out as pip lays out an installed distribution."""
    environment = {**os.environ, "PYTHONPATH": f"{PLUGIN}{os.pathsep}{Path.cwd()}"}

    def call(*words):
        return subprocess.run(
            [sys.executable, "-m", "radixfmt", *words],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "ring" in call("generate", "--list").stdout
    path = tmp_path / "ring.rx.h5"
    made = call("generate", "ring", "--neurons", "5", "--weights", "constant=1", "-o", path)
    assert made.returncode == 0, made.stderr
    assert "10 edges" in made.stdout
    assert call("validate", path).returncode == 0
