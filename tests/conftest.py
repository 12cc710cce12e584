"""Fixtures that many tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import radixfmt as rx

ROOT = Path(__file__).resolve().parents[1]

# Shared machines stall; a slow example is no failure.
settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of third-party data, which is not part of this repository."""
    folder = Path(os.environ.get("RADIXFMT_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"third-party data is absent: {folder} (set RADIXFMT_TEST_DATA)")
    return folder


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def radixfmt(capfd, monkeypatch, tmp_path):
    """Run the command line in this process, in an empty folder."""
    from radixfmt.__main__ import main

    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Answer:
        capfd.readouterr()
        code = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


OPENVINO = """
import os, sys
import numpy as np, onnx
from radixfmt.backends.openvino import OpenVinoSession
x = np.load(sys.argv[2])
np.save(sys.argv[3], OpenVinoSession(onnx.load(sys.argv[1]), tile=len(x), threads=1).run(x))
os._exit(0)  # OpenVINO is not taken down, which can crash too
"""


@pytest.fixture
def openvino(tmp_path):
    """Return what OpenVINO makes of a model, in a process of its own.

    Where it has run, an alarm or the collection of garbage can crash Python later.
    """
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")

    def run(model, x):
        files = [tmp_path / name for name in ("model.onnx", "x.npy", "y.npy")]
        files[0].write_bytes(model.SerializeToString())
        np.save(files[1], x)
        done = subprocess.run(
            [sys.executable, "-c", OPENVINO, *files], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return np.load(files[2])

    return run


@pytest.fixture(scope="session")
def small() -> rx.Network:
    """The RadiX-Net of the paper's notation with every feature a chain has."""
    return rx.generate(
        "radix-net",
        systems=[[2, 3], [3, 2]],
        widths=[1, 2, 2, 3, 1],
        weights="he",
        bias=0.1,
        activation="leakyrelu",
        seed=3,
    )
