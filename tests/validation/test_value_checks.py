"""What the checks say of values: weights, codes, biases, dense tensors (numbers: bad files)."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx
from radixfmt.model.layer import Quantized
from radixfmt.validation.checks import values

IDENTITY = rx.Pattern.from_scipy(sp.eye_array(1000, format="csc"))
VALUES = {
    "91-nan": (np.nan, 7, "RX5001", (7, 1, "nan")),
    "92-inf": (-np.inf, [8, 9], "RX5002", (8, 2, "-inf")),
    "93-zeros": (-0.0, slice(3, 6), "RX5003", (None, 3, None)),
    "subnormal": ("tiny", slice(0, 11), "RX5006", (None, 11, "11")),
    "few subnormal": ("tiny", slice(0, 10), None, None),
    "96-all-equal": (0.5, slice(None), "RX5005", (None, None, None)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("case", VALUES)
def test_values(case, dtype, written, monkeypatch):
    monkeypatch.setattr(values, "BLOCK", 300)
    monkeypatch.setattr(values, "PIECE", 7)
    value, at, code, facts = VALUES[case]
    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    weights = (np.arange(1000) % 100 + 1).astype(kind)
    weights[at] = np.array(ml_dtypes.finfo(kind).tiny / 2) if value == "tiny" else value
    found = written(rx.chain([rx.Layer("w", IDENTITY, weights)]))
    told = {name: finding for name, finding in found.items() if name.startswith("RX5")}
    assert list(told) == ([] if code is None else [code])
    if code is not None:
        finding = told[code]
        assert (finding.index, finding.count, finding.actual) == facts
        assert finding.path == "/layers/000000/values"


def test_94_and_95_values_that_must_be_something(written, edited, tmp_path):
    edges = rx.Pattern.from_scipy(sp.eye_array(4, format="csc"))
    assert not [code for code in written(rx.chain([rx.Layer("t", edges)])) if code[2] == "5"]
    source = tmp_path / "written.rx.h5"
    found = edited(lambda f: f["/layers/000000/values"].__setitem__(0, 2), source)
    assert "2" in found["RX5004"].actual
    codes = Quantized(
        np.array([3, 4, 5, 3], np.int8), np.ones(1, np.float32), np.array([3], np.int8)
    )
    found = written(rx.chain([rx.Layer("q", edges, codes)]))
    assert found["RX5003"].count == 2  # codes that mean 0
    found = edited(lambda f: f["/layers/000000/scale"].__setitem__(0, 0), source)
    assert found["RX5007"].path == "/layers/000000/scale"


def test_biases_and_dense_tensors_are_looked_at_too(written):
    edges = rx.Pattern.from_scipy(sp.eye_array(2, format="csc"))
    tensors = {
        "t": np.array([[1, 2], [3, np.inf]], np.float32),
        "s": np.array(np.nan, np.float32),
    }
    network = rx.Network(
        [rx.Layer("w", edges, np.array([1, 2], np.float32), np.array([np.nan, 0], np.float32))],
        (
            rx.Node("SparseLinear", ("x",), ("a",), layer=0),
            rx.Node("Add", ("a", "t"), ("b",)),
            rx.Node("Mul", ("b", "s"), ("y",)),
        ),
        (rx.Value("x", ("B", 2)),),
        (rx.Value("y", (2, 2)),),
        tensors,
    )
    found = written(network)
    assert found["RX5001"].path == "/layers/000000/bias"
    assert (found["RX5002"].path, found["RX5002"].index) == ("/tensors/000000", 3)
