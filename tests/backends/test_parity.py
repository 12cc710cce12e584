import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.ort import Session
from radixfmt.backends.parity import TOLERANCE, Parity, check, parity
from radixfmt.backends.scipy import reference
from radixfmt.errors import InputError, ParityError


def test_is_relative_to_each_samples_largest_value():
    wanted = np.array([[100.0, 0.0], [1.0, 0.5], [0.0, 0.0]])
    found = wanted + np.array([[0.0, 1.0], [0.0, 0.125], [0.0, 0.0]])
    assert parity(found, wanted) == Parity(max_abs=1.0, max_rel=0.125, rows=3)
    assert parity(wanted, wanted) == Parity(0.0, 0.0, 3)
    assert parity(wanted[:0], wanted[:0]) == Parity(0.0, 0.0, 0)


def test_names_the_worst_output():
    wanted = np.ones((3, 4))
    found = wanted.copy()
    found[0, 3] += 1e-3
    found[2, 1] = 1.5
    with pytest.raises(ParityError, match=r"sample 2, output 1: expected 1, got 1\.5") as caught:
        check(found, wanted)
    assert "in 2 of 3 samples" in str(caught.value)
    assert check(found, wanted, tolerance=0.5).max_rel == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_tolerance_admits_nan_or_infinity(bad):
    found = np.ones((2, 2))
    found[1, 0] = bad
    with pytest.raises(ParityError, match="sample 1, output 0"):
        check(found, np.ones((2, 2)), tolerance=1e9)
    with pytest.raises(ParityError, match="sample 0"):
        check(np.ones((1, 1)), np.zeros((1, 1)), tolerance=1e9)


def test_refuses_other_shapes():
    with pytest.raises(InputError, match=r"expected shape \(2, 2\), got \(2, 3\)"):
        parity(np.ones((2, 3)), np.ones((2, 2)))


@pytest.mark.parametrize("lowering", ["auto", "dense"])
def test_deep_float32_networks_stay_well_inside_the_default(lowering):
    net = rx.generate(
        "radix-net",
        systems=[[2] * 6] * 20,
        widths=[16] * 121,
        weights="he",
        activation="relu",
    )
    x = np.random.default_rng(0).standard_normal((32, 1024))
    with Session(net, lowering=lowering, device="cpu") as session:
        assert check(session.run(x), reference(net, x)).max_rel < TOLERANCE / 10
