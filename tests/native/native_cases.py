"""Weights at random, and models computed by one set of instructions."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

import radixfmt as rx

SCRIPT = """
import sys
import numpy as np, onnxruntime as ort
from radixfmt import native
options = ort.SessionOptions()
native.register(options)
made = ort.InferenceSession(sys.argv[1], options)
print(native.instructions())
for name in sys.argv[2:]:
    with np.load(name) as case:
        found = made.run(None, {"x": case["x"]})[0]
        np.testing.assert_allclose(found, case["y"], 1e-4, 1e-4)
"""


def drawn(outputs, n_out, rng, dtype):
    """Return weights of a type, and their values in float64, for edges into these outputs."""
    if dtype == np.int8:
        codes = rng.integers(-128, 128, outputs.size).astype(np.int8)
        scale = rng.uniform(0.01, 0.02, n_out).astype(np.float32)
        weights = rx.Quantized(codes, scale, np.zeros(1, np.int8))
        return weights, codes * scale.astype(np.float64)[outputs]
    weights = rng.normal(size=outputs.size).astype(dtype)
    return weights, weights.astype(np.float64)


def holds_on(instructions, model, cases, folder):
    """Check what kernels of these instructions make of samples, in a process of its own.

    Args:
        instructions: "generic", "avx2" or "avx512"; the test is skipped where there are none.
        model: from `x` to one output.
        cases: pairs of samples and outputs.
        folder: for files.
    """
    onnx.save(model, folder / "model.onnx")
    files = [folder / f"case{i}.npz" for i in range(len(cases))]
    for path, (x, y) in zip(files, cases, strict=True):
        np.savez(path, x=x, y=y)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder / "model.onnx", *files],
        env=os.environ | {"RADIXFMT_NATIVE_ISA": instructions},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    used = done.stdout.strip()
    if used != instructions:
        pytest.skip(f"this machine has {used}, not {instructions}")
