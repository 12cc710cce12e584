"""The fast range, order and pointer checks against slow ones that are plainly right."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixfmt.model import invariants
from radixfmt.model.invariants import index_problems, pointer_problems, problems

INTEGERS = (np.uint16, np.uint32, np.uint64, np.int32, np.int64)


def slow(n_in, indptr, indices):
    """Every bad index of each code, as (first, count), by the words of the specification."""
    bad = {"RX4004": [], "RX4005": [], "RX4006": []}
    for start, stop in pairwise(indptr):
        for k in range(start, stop):
            if not 0 <= indices[k] < n_in:
                bad["RX4004"].append(k)
            if k > start and indices[k] < indices[k - 1]:
                bad["RX4005"].append(k)
            if k > start and indices[k] == indices[k - 1]:
                bad["RX4006"].append(k)
    if bad["RX4004"]:
        bad = {"RX4004": bad["RX4004"]}  # order means nothing among indices out of range
    return {code: (min(at), len(at)) for code, at in bad.items() if at}


@st.composite
def columns(draw):
    n_in = draw(st.integers(1, 12))
    sound = st.sets(st.integers(0, n_in - 1), max_size=5).map(sorted)
    wild = st.lists(st.integers(0, n_in + 1), max_size=5)
    lists = draw(st.lists(st.one_of(sound, sound, sound, wild), max_size=8))
    return n_in, np.cumsum([0, *map(len, lists)]), [i for column in lists for i in column]


@given(
    columns(),
    st.sampled_from(INTEGERS),
    st.sampled_from([np.int64, np.uint64]),
    st.integers(1, 9),
    st.integers(0, 3),
)
def test_the_fast_check_finds_what_the_slow_one_finds(case, dtype, pointer, block, negatives):
    n_in, indptr, values = case
    indices = np.array(values, dtype)
    if np.dtype(dtype).kind == "i":
        indices[::5][:negatives] *= -1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(invariants, "BLOCK", block)  # so that columns cross blocks
        found = list(index_problems(n_in, indptr.astype(pointer), indices, offset=1000))
    assert {f.code: (f.index - 1000, f.count) for f in found} == slow(n_in, indptr, indices)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8), st.integers(0, 6))
def test_pointers_of_any_size_are_compared_exactly(values, nnz):
    pointers = np.array(values, np.uint64)
    expected = {}
    if values[0]:
        expected["RX4001"] = 0
    falls = [i for i in range(1, len(values)) if values[i] < values[i - 1]]
    if falls:
        expected["RX4002"] = falls[0]
    if values[-1] != nnz:
        expected["RX4003"] = len(values) - 1
    found = list(pointer_problems((3, len(values) - 1), nnz, pointers))
    assert {f.code: f.index for f in found} == expected


@pytest.mark.parametrize(
    ("indptr", "indices", "code"),
    [
        (np.array([0.0, 1.0]), np.array([0]), "RX3007"),
        (np.array([0, 1, 1]), np.array([0]), "RX3005"),
        (np.array([0, 1]), np.array([0.0]), "RX3007"),
    ],
)
def test_arrays_that_cannot_be_edges(indptr, indices, code):
    assert [f.code for f in problems((1, 1), 1, indptr, indices)] == [code]


@pytest.mark.parametrize(
    ("values", "dtype", "hint"),
    [
        ([1, 2, 3, 4], np.uint32, "1-based"),
        ([0, 2, 3, 4], np.uint32, None),
        ([1, 2, 3, 5], np.uint32, None),
        ([0, 1, 2, 2**32 - 1], np.uint32, "negative number"),
        ([0, 1, 2, 2**64 - 1], np.uint64, "negative number"),
        ([0, 1, 2, 2**40], np.uint64, None),
        ([0, 1, 2, 65535], np.uint16, None),
    ],
)
def test_slips_that_have_a_name_are_named(values, dtype, hint):
    (finding,) = index_problems(4, np.array([0, 4]), np.array(values, dtype))
    assert finding.code == "RX4004"
    assert (hint in finding.hint) if hint else finding.hint is None
