"""What tests of several converters share: models to import, and how networks are compared."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.parity import check

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools/benchmarks")]  # *_models


@pytest.fixture
def stored(tmp_path):
    """Return a function that returns a network as a file holds it, which has no errors."""

    def store(net):
        path = tmp_path / "stored.rx.h5"
        rx.write(path, net, overwrite=True)
        assert [f for f in rx.validate(path).findings if f.severity == "error"] == []
        return rx.read(path)

    return store


@pytest.fixture
def same(stored):
    """Return a function that checks that a module and the file of a network compute the same."""
    import torch

    def compare(module, net, *inputs, tolerance=1e-5):
        module.eval()
        read = stored(net)
        with rx.Session(read, device="cpu", threads=1) as session:
            for given in inputs:
                with torch.no_grad():
                    expected = module(given).double().numpy()
                fed = given.float() if given.dtype == torch.bfloat16 else given
                assert np.abs(expected).max() > 0
                check(session.run(fed.numpy()), expected, tolerance=tolerance)
        return read

    return compare
