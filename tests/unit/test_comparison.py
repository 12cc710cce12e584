"""`rx.diff` finds each single change, says how large it is, and nothing where there is none."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import radixfmt as rx
from radixfmt.comparison.tally import Tally
from radixfmt.generators import from_record
from radixfmt.generators.permuted import permuted


def one_layer(pattern, weights=None, bias=None, **more):
    return rx.chain([rx.Layer("a", pattern, weights, bias, **more)])


def of(matrix, weights=None, bias=None):
    return one_layer(rx.Pattern.from_scipy(np.array(matrix)), weights, bias)


def changed(network, i, **parts):
    layers = list(network.layers)
    layers[i] = layers[i].replace(**parts)
    return replace(network, layers=tuple(layers))


def explicit(pattern):
    return rx.Pattern.explicit(pattern.shape, pattern.indptr, pattern.indices)


def test_storage_makes_no_difference(small, tmp_path):
    rx.write(tmp_path / "a.rx.h5", small)
    layers = tuple(
        layer.replace(
            pattern=explicit(layer.pattern), bias=np.full(layer.pattern.shape[1], 0.1, "f")
        )
        for layer in small.layers
    )
    rx.write(tmp_path / "b.rx.h5", replace(small, layers=layers))
    assert rx.diff(tmp_path / "a.rx.h5", tmp_path / "b.rx.h5").as_json() == {
        "equal": True, "metadata": [], "topology": [], "values": [],
    }  # fmt: skip
    assert rx.diff(tmp_path / "a.rx.h5", small).equal


def test_each_part_is_found_alone(small):
    other = replace(small, metadata=replace(small.metadata, license="MIT"))
    assert rx.diff(small, other).metadata == ({"key": "license", "a": None, "b": "MIT"},)
    (step,) = small.metadata.provenance
    other = replace(small, metadata=replace(small.metadata, provenance=(step | {"seed": 4},)))
    assert rx.diff(small, other).metadata == ({"key": "provenance/0/seed", "a": 3, "b": 4},)
    assert rx.diff(small, changed(small, 2, name="x")).as_json() == {
        "equal": False, "topology": [], "values": [],
        "metadata": [{"key": "layers/2/name", "a": "layer2", "b": "x"}],
    }  # fmt: skip
    (found,) = rx.diff(small, replace(small, ext={"org.x/t": "text"})).metadata
    assert found["key"] == "ext/org.x/t"
    bias = np.full(12, 0.1, np.float32)
    bias[3] = np.nextafter(bias[3], np.float32(1))
    (found,) = rx.diff(small, changed(small, 1, bias=bias)).values
    assert found == {
        "layer": 1, "array": "bias", "count": 1, "max_ulp": 1,
        "max_abs": float(bias[3]) - float(bias[0]),
    }  # fmt: skip
    (found,) = rx.diff(small, changed(small, 0, weights=None)).values
    assert found == {
        "layer": 0, "array": "weights", "max_abs": None, "max_ulp": None, "count": 24,
        "dtype": ["float32", None],
    }  # fmt: skip
    longer = rx.chain([*small.layers, *small.layers[-1:]][:3])
    found = {entry["what"] for entry in rx.diff(small, longer).topology}
    assert found == {"layers", "feeds", "nodes", "outputs"}


def test_edges_are_counted_and_weights_compared_on_those_that_both_have():
    a = of([[1, 1], [0, 1], [1, 0]], np.array([1, 2, 3, 4], np.float32))
    b = of([[1, 0], [1, 1], [1, 1]], np.array([1, 9, 2, 4, 7], np.float32))
    found = rx.diff(a, b)
    assert found.topology == (
        {
            "layer": 0, "what": "edges", "a": 4, "b": 5, "only_a": 1, "only_b": 2,
            "first_only_a": [0, 1], "first_only_b": [1, 0],
        },
    )  # fmt: skip
    assert found.values == ()
    (shape,) = (e for e in rx.diff(a, of([[1], [1], [1]])).topology if e["what"] == "shape")
    assert (shape["a"], shape["b"]) == ([3, 2], [3, 1])


@given(hnp.arrays(bool, (5, 4)), hnp.arrays(bool, (5, 4)), st.integers(0, 9))
def test_edges_and_weights_are_those_of_the_matrices(first, second, seed):
    rng = np.random.default_rng(seed)
    dense = [rng.integers(1, 4, (5, 4)).astype(np.float32) for _ in range(2)]
    networks = [
        of(mask, values.T[mask.T]) if mask.sum() != 1 else of(mask, values.T[mask.T][:1])
        for mask, values in zip((first, second), dense, strict=True)
    ]
    found = rx.diff(*networks)
    both = first & second
    (edges,) = found.topology or ({"only_a": 0, "only_b": 0},)
    assert edges["only_a"] == (first & ~second).sum()
    assert edges["only_b"] == (second & ~first).sum()
    (values,) = found.values or ({"count": 0, "max_abs": None},)
    gaps = np.abs(dense[0] - dense[1])[both]
    assert values["count"] == np.count_nonzero(gaps)
    assert (values["max_abs"] or 0) == gaps.max(initial=0)


def test_patterns_too_large_to_walk_are_compared_by_their_recipes():
    def large(direction, value=1.0):
        layers = rx.generate("radix-net", systems=[[2**18, 2**16]], direction=direction).layers
        return rx.chain([rx.Layer("a", layers[0].pattern, value)])

    assert rx.diff(large(1), large(1)).equal
    (found,) = rx.diff(large(1), large(1, 2.0)).values
    assert (found["count"], found["max_abs"]) == (2**52, 1.0)
    (found,) = rx.diff(large(1), large(-1)).topology
    assert found["what"] == "recipe"


def test_permuted_patterns_are_told_apart():
    base = from_record({"generator": "identity/1", "parameters": {"size": 4}})
    a, b = permuted(base, [1, 0, 2, 3]), permuted(base, [1, 2, 0, 3])
    assert rx.diff(one_layer(a), one_layer(permuted(base, [1, 0, 2, 3]))).equal
    assert rx.diff(one_layer(a), one_layer(explicit(a))).equal
    (found,) = rx.diff(one_layer(a), one_layer(b)).topology
    assert (found["only_a"], found["first_only_a"]) == (2, [1, 0])


def test_quantised_weights_are_compared_by_codes_or_by_what_they_mean():
    pattern = rx.Pattern.from_scipy(np.ones((2, 2)))
    codes = np.array([1, 2, 3, 4], np.int8)
    unit, zero = np.ones(1, np.float32), np.zeros(1, np.int8)
    quantized = rx.Quantized(codes, unit, zero)
    a = one_layer(pattern, quantized)
    (found,) = rx.diff(a, one_layer(pattern, rx.Quantized(codes, unit * 2, zero))).values
    assert (found["array"], found["count"]) == ("scale", 2)
    (found,) = rx.diff(a, one_layer(pattern, codes.astype(np.float32))).values
    assert found["dtype"] == ["int8 codes", "float32"]
    assert found["count"] == 0


def test_tensors(small):
    a = rx.chain(list(small.layers), clip=(0, 32))
    b = rx.chain(list(small.layers), clip=(0, 31))
    (found,) = rx.diff(a, b).values
    assert found == {
        "layer": None, "array": "tensors/clip_max", "max_abs": 1.0, "max_ulp": 524288, "count": 1,
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_ulp_counts_steps_between_floats_of_the_type(dtype):
    one = np.array([1, -1, 0, 2], dtype)
    width = f"u{one.dtype.itemsize}"
    up = (one.view(width) + np.array([3, 2, 0, 0], width)).view(dtype)
    tally = Tally()
    tally.add(one, up)
    assert (tally.count, tally.max_ulp) == (2, 3)
    across = Tally()
    smallest = np.array([1], width).view(dtype)
    across.add(smallest, -smallest)
    assert across.max_ulp == 2


def test_tally_knows_nan_zero_infinity_and_exact_integers():
    nan, other = np.array([0x7FC00000, 0x7FC00001], "u4").view("f4")
    tally = Tally()
    tally.add(np.array([nan, 0.0, np.inf, nan], "f4"), np.array([nan, -0.0, 1, other], "f4"))
    assert tally.as_json() == {"max_abs": 0.0, "max_ulp": 0, "count": 3, "not_finite": 2}
    tally = Tally()
    tally.add(np.array([2**63 - 1, 5]), np.array([-(2**63), 5]))
    assert (tally.count, tally.max_abs, tally.max_ulp) == (1, 2**64 - 1, None)
    tally = Tally()
    tally.add(np.array([1.5, np.nan], "f4"), np.array([1, np.nan], "f8"))
    assert tally.as_json() == {"max_abs": 0.5, "max_ulp": None, "count": 1}
    tally = Tally()
    tally.add(np.array([1, 2], ">f4"), np.array([1, 2], "<f4"))
    assert tally.count == 0
