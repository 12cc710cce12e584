"""What the structured families refuse, and how large their layers may be."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.errors import ParameterError


@pytest.mark.parametrize(
    ("name", "parameters", "message", "hint"),
    [
        ("butterfly", {"neurons": 1000}, "expected a power of 2, got 1000", "512 and 1024"),
        ("butterfly", {"neurons": 1}, "expected a power of 2, got 1", "nearest: 2"),
        ("butterfly", {"neurons": 8, "radix": 3}, "a power of 3, got 8", "3 and 9"),
        ("butterfly", {"neurons": 8, "radix": 1}, "radix: expected 2 to", None),
        ("butterfly", {"neurons": 8, "layers": 0}, "layers: expected 1 to 100000, got 0", None),
        ("butterfly", {"neurons": 8.0}, "neurons: expected integers", None),
        ("torus", {"sides": [3, True]}, "side 1: expected integers, got a bool", None),
        ("radix-net", {"systems": [[2]], "direction": True}, "direction: expected integers", None),
        ("hypercube", {"neurons": 0}, "neurons: expected 1 to 2^40, got 0", None),
        ("hypercube", {"neurons": 48}, "a power of 2, got 48", "32 and 64"),
        ("torus", {"sides": []}, "sides: expected at least 1, got 0", None),
        ("torus", {"sides": [3, 0]}, "side 1: expected 1 to", None),
        ("monarch", {"factors": [4]}, "factors: expected at least 2, got 1", None),
        ("monarch", {"factors": [4, 1]}, "factor 1: expected 2 to", None),
        ("clos", {"m": 0, "n": 1, "r": 1}, "m: expected 1 to 2^40, got 0", None),
        ("dense", {"widths": [4]}, "widths: expected at least 2, got 1", None),
        ("low-rank", {"widths": [4, 0], "rank": 1}, "width 1: expected 1 to", None),
        ("block-diagonal", {"widths": [9, 4], "blocks": 5}, "smallest width, 4, got 5", "needs an"),
        ("pixelfly", {"widths": [16, 18], "block": 4}, "width 1: expected a multiple", "16 and 20"),
        ("pixelfly", {"widths": [16, 3], "block": 4}, "width 1: expected a multiple", "nearest: 4"),
        ("pixelfly", {"widths": [8, 8], "block": 4, "rank": 3}, "rank: expected a multiple", "4"),
        ("pixelfly", {"widths": [8, 8], "block": 4, "rank": 12}, "smallest width, got 12", None),
        ("pixelfly", {"widths": [12, 24], "block": 4}, "both even, got 3 and 6", "smaller block"),
        ("block-sparse", {"widths": [6, 8], "block": 4, "degree": 1}, "width 0", "4 and 8"),
        ("block-sparse", {"widths": [8, 8], "block": 4}, "one of them, got neither", None),
        (
            "block-sparse",
            {"widths": [8, 8], "block": 4, "degree": 1, "density": 0.5},
            "one of them, got both",
            None,
        ),
        (
            "block-sparse",
            {"widths": [8, 8], "block": 4, "degree": 3},
            "degree: layer 0 has columns of 2 blocks, of which 3",
            None,
        ),
        (
            "block-sparse",
            {"widths": [8, 8], "block": 4, "density": 0.1},
            "density: layer 0 has columns of 2 blocks, of which 0",
            "at least 1/2",
        ),
        ("block-sparse", {"widths": [8, 8], "block": 4, "density": 1.5}, "0 to 1, got 1.5", None),
        (
            "pixelfly",
            {"widths": [16, 8], "block": 4, "factors": 2},
            "at most 1 in layer 0, 16 → 8, which has 2 groups",
            None,
        ),
    ],
)
def test_the_broken_rule_is_named(name, parameters, message, hint):
    with pytest.raises(ParameterError) as caught:
        rx.generate(name, **parameters)
    assert message in str(caught.value)
    assert hint is None or hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("butterfly", {"neurons": 2**31}),
        ("butterfly", {"neurons": 10**30, "radix": 10**29}),
        ("monarch", {"factors": [2**20, 2**20]}),
        ("monarch", {"factors": [2**40] * 9}),
        ("hypercube", {"neurons": 2**27}),
        ("torus", {"sides": [2**10, 2**10, 2**10]}),
        ("torus", {"sides": [2**40] * 9}),
        ("clos", {"m": 2**16, "n": 1, "r": 2**16}),
        ("block-diagonal", {"widths": [2**20, 2**20], "blocks": 2}),
        ("pixelfly", {"widths": [2**20, 2**20], "block": 2**10}),
        ("pixelfly", {"widths": [2**22, 2**22], "block": 1, "rank": 2**10}),
        ("block-sparse", {"widths": [2**20, 2**20], "block": 2**10, "degree": 3}),
        ("dense", {"widths": [2**25, 2]}),
        ("low-rank", {"widths": [2, 2], "rank": 2**25}),
        ("low-rank", {"widths": [2, 2], "rank": 10**5000}),
    ],
)
def test_layers_too_large_to_write_are_refused_before_they_are_made(name, parameters):
    tracemalloc.start()
    try:
        with pytest.raises(ParameterError) as caught:
            rx.generate(name, **parameters)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.code == "limit"


@pytest.mark.parametrize("layers", [0, 10**9, 10**12])
def test_endless_networks_are_refused(layers):
    with pytest.raises(ParameterError, match="layers: expected 1 to 100000, got"):
        rx.generate("torus", sides=[3], layers=layers)
    with pytest.raises(ParameterError, match="layers: expected 1 to 65536, got"):
        rx.generate("graph-challenge", neurons=1024, layers=layers)


def test_large_layers_answer_column_ranges():
    n = 2**30
    last = rx.generate("butterfly", neurons=n).layers[29].pattern
    assert last.nnz == 2**31
    assert last.columns(n - 1, n).indices.tolist() == [n // 2 - 1, n - 1]
    n = 2**29
    blocks = rx.generate("block-diagonal", widths=[n + 5, n], blocks=n // 2).layers[0].pattern
    assert blocks.nnz == 2 * (n + 5)
    assert blocks.columns(9, 10).indices.tolist() == [12, 13, 14]  # the first 5 blocks have 3
    assert blocks.columns(n - 1, n).indices.tolist() == [n + 3, n + 4]
    corner = rx.generate("hypercube", neurons=2**26, layers=1).layers[0].pattern
    assert corner.columns(0, 1).indices.tolist() == [0, *(2**k for k in range(26))]


@given(st.integers(2, 40), st.integers(2, 40))
def test_powers_pass_and_others_do_not(neurons, radix):
    assume(neurons not in {radix**k for k in range(1, 6)})
    with pytest.raises(ParameterError, match=f"a power of {radix}"):
        rx.generate("butterfly", neurons=neurons, radix=radix)
