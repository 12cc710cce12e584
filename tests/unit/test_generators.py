"""Every generator: any column range, its digest, its limits, and being recognised again."""

from __future__ import annotations

import json
import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.encodings import pattern_encoding
from radixfmt.errors import FormatError, ParameterError, UnknownNameError
from radixfmt.generators import arrays_of, from_record, generator, recognise
from radixfmt.generators.permutation import permutation_digest
from radixfmt.generators.permuted import permuted
from radixfmt.model.digest import pattern_digest

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "spec" / "generators" / "vectors.json"


def record(name, **parameters):
    return {"generator": f"{name}/1", "parameters": parameters}


@st.composite
def radix_nets(draw):
    system = draw(st.lists(st.integers(2, 5), min_size=1, max_size=3))
    last = draw(st.sampled_from([d for d in range(2, prod(system) + 1) if prod(system) % d == 0]))
    systems = [system] if draw(st.booleans()) else [system, [last]]
    count = sum(map(len, systems))
    widths = draw(st.lists(st.integers(1, 4), min_size=count + 1, max_size=count + 1))
    return record(
        "radix-net",
        systems=systems,
        widths=widths,
        direction=draw(st.sampled_from([-1, 1])),
        index=draw(st.integers(0, count - 1)),
    )


graph_challenges = st.builds(
    lambda layer: record("graph-challenge", neurons=1024, layer=layer), st.integers(1, 1920)
)
plain = st.one_of(
    radix_nets(),
    graph_challenges,
    st.builds(lambda i, o: record("dense", inputs=i, outputs=o), *[st.integers(1, 9)] * 2),
    st.builds(lambda n: record("identity", size=n), st.integers(1, 9)),
)


@st.composite
def patterns(draw):
    pattern = from_record(draw(plain))
    sides = draw(st.sampled_from(["", "", "in", "out", "in out"]))
    orders = {
        f"{side}_perm": np.random.default_rng(draw(st.integers(0, 99))).permutation(size)
        for side, size in zip(("in", "out"), pattern.shape, strict=True)
        if side in sides
    }
    return permuted(pattern, **orders) if orders else pattern


def explicit(pattern):
    return rx.Pattern.explicit(pattern.shape, pattern.indptr, pattern.indices)


@given(patterns(), st.data())
def test_any_range_is_a_slice_of_the_whole_and_digests_do_not_depend_on_storage(pattern, data):
    whole = explicit(from_record(pattern.record, pattern.arrays))
    n_in, n_out = pattern.shape
    start = data.draw(st.integers(0, n_out))
    stop = data.draw(st.integers(start, n_out))
    for found, expected in zip(
        pattern.columns(start, stop), whole.columns(start, stop), strict=True
    ):
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    assert pattern.fan_in(start, stop).tolist() == whole.fan_in(start, stop).tolist()
    assert pattern.first_edge(start) == whole.first_edge(start)
    assert pattern.fan_out().tolist() == whole.fan_out().tolist()
    assert pattern.nnz == whole.nnz
    assert pattern_digest(pattern) == pattern_digest(whole)
    assert len(pattern.fan_out()) == n_in


@given(radix_nets())
def test_radix_nets_are_their_definition(made):
    parameters = made["parameters"]
    index, sign, widths = parameters["index"], parameters["direction"], parameters["widths"]
    digits = [(system, i) for system in parameters["systems"] for i in range(len(system))]
    system, digit = digits[index]
    n, place = prod(parameters["systems"][0]), prod(system[:digit])
    cell = np.zeros((n, n))
    for s in range(n):
        for j in range(system[digit]):
            cell[s, (s + sign * j * place) % n] = 1
    expected = np.kron(np.ones((widths[index], widths[index + 1])), cell)
    assert (from_record(made).to_scipy().toarray() == expected).all()


@given(plain, st.integers(0, 99))
def test_permuted_is_indexing_and_permuting_twice_is_one_permutation(made, seed):
    base = from_record(made)
    rng = np.random.default_rng(seed)
    p, q, r = (rng.permutation(size) for size in (*base.shape, base.shape[0]))
    once = permuted(base, p, q)
    assert (once.to_scipy() != base.to_scipy()[p][:, q]).nnz == 0
    twice = permuted(once, in_perm=r)
    assert twice.record["parameters"]["base"] == base.record
    assert (twice.to_scipy() != base.to_scipy()[p[r]][:, q]).nnz == 0


@given(plain, st.integers(0, 3), st.data())
def test_explicit_patterns_are_recognised_and_those_with_an_edge_moved_are_not(
    made, position, data
):
    whole = explicit(from_record(made))
    found = recognise(whole, position)
    assert pattern_digest(from_record(found)) == pattern_digest(whole)
    matrix = whole.to_scipy().tolil()
    free = [j for j in range(whole.shape[1]) if 0 < whole.fan_in(j, j + 1)[0] < whole.shape[0]]
    if not free:
        return
    column = data.draw(st.sampled_from(free))
    held = whole.columns(column, column + 1).indices
    matrix[data.draw(st.sampled_from(held.tolist())), column] = 0
    others = sorted(set(range(whole.shape[0])) - set(held.tolist()))
    matrix[data.draw(st.sampled_from(others)), column] = 1
    assert recognise(rx.Pattern.from_scipy(matrix.tocsc()), position) is None


def test_a_relabelled_or_irregular_pattern_is_not_recognised():
    base = from_record(
        record("radix-net", systems=[[4, 4]], widths=[1, 1, 1], direction=-1, index=0)
    )
    order = np.random.default_rng(0).permutation(16)
    relabelled = permuted(base, order)
    assert recognise(explicit(relabelled)) is None
    assert recognise(relabelled) is None  # its record needs arrays
    assert recognise(base) == base.record
    assert recognise(rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 1, 2])) is None
    assert recognise(rx.Pattern.explicit((3, 0), [0], np.empty(0, int))) is None


LIMITS = {
    "neurons": record("identity", size=2**40 + 1),
    "edges": record("dense", inputs=2**24, outputs=2**30),
    "inputs": record("dense", inputs=2**24 + 1, outputs=1),
    "radix": record("radix-net", systems=[[2**25, 2]], widths=[1, 1, 1], direction=-1, index=1),
    "radices": record("radix-net", systems=[[2] * 10**6], widths=[1], direction=-1, index=0),
    "huge": record("dense", inputs=10**5000, outputs=1),
    "base": record("permuted", base=record("identity", size=2**41), in_perm="rx1:" + "0" * 64),
    "blocks": record("radix-net", systems=[[2]], widths=[1, 2**40], direction=-1, index=0),
}
BAD = {
    "bool": record("identity", size=True),
    "float": record("dense", inputs=2.0, outputs=2),
    "text": record("dense", inputs="2", outputs=2),
    "null": record("identity", size=None),
    "zero": record("identity", size=0),
    "negative": record("dense", inputs=2, outputs=-1),
    "missing": record("dense", inputs=2),
    "no direction": record("radix-net", systems=[[2]], widths=[1, 1], index=0),
    "unknown": record("identity", size=2, arrays={}),
    "no object": {"generator": "identity/1", "parameters": [1]},
    "systems": record("radix-net", systems=7, widths=[1], direction=-1, index=0),
    "layer": record("graph-challenge", neurons=1024, layer=2**16 + 1),
    "nested": record(
        "permuted",
        base=record("permuted", base=record("identity", size=2), in_perm="rx1:" + "0" * 64),
        in_perm="rx1:" + "0" * 64,
    ),
    "no permutation": record("permuted", base=record("identity", size=2)),
    "no digest": record("permuted", base=record("identity", size=2), in_perm="rx1:0"),
    "no array": record("permuted", base=record("identity", size=2), in_perm="rx1:" + "0" * 64),
    "recipe": record("permuted", base=record("identity", size=2), in_perm="rx1r:" + "0" * 64),
    "no base": record("permuted", base=7, in_perm="rx1:" + "0" * 64),
}


@pytest.mark.parametrize(
    ("code", "facts"),
    [("RX7005", facts) for facts in LIMITS.values()]
    + [("RX7002", facts) for facts in BAD.values()]
    + [("RX7001", record("python")), ("RX7001", record("permuted", base=record("python")))]
    + [("RX7003", record("identity", size=3))],
    ids=[*LIMITS, *BAD, "generator", "base generator", "shape"],
)
def test_bad_records_are_refused_by_their_code(code, facts):
    if facts["generator"] == "permuted/1" and code == "RX7001":
        facts["parameters"]["in_perm"] = "rx1:" + "0" * 64
    with pytest.raises(FormatError) as caught:
        pattern_encoding["procedural"].decode((2, 2), 2, {}, facts)
    assert caught.value.code == code
    assert len(str(caught.value)) < 500


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.sampled_from(["", "x", *generator]), st.data())
def test_no_record_gives_anything_but_a_pattern_or_our_errors(name, data):
    names = ["size", "inputs", "outputs", "systems", "widths", "direction", "index", "neurons",
             "layer", "base", "in_perm", "out_perm", "arrays", "?"]  # fmt: skip
    parameters = data.draw(st.dictionaries(st.sampled_from(names), values) | values)
    made = {"generator": name, "parameters": parameters}
    arrays_of(made)
    try:
        from_record(made)
    except (ParameterError, UnknownNameError) as error:
        assert str(error)  # noqa: PT017


def cited(order, dtype=np.uint32, **changed):
    """A record over identity/1 of 4 neurons, and its array."""
    array = np.array(order, dtype)
    digest = changed.get("digest", permutation_digest(array))
    made = record("permuted", base=record("identity", size=4), in_perm=digest)
    return made, {"in_perm": array}


@pytest.mark.parametrize(
    ("code", "index", "made"),
    [
        ("RX4007", 2, cited([1, 2, 1, 0])),
        ("RX4007", 1, cited([0, 4, 1, 2])),
        ("RX4007", 3, cited([0, 1, 2, 2**63], np.uint64)),
        ("RX8003", None, cited([0, 1, 3, 2], digest="rx1:" + "0" * 64)),
    ],
)
def test_permutations_are_checked_when_they_are_first_used(code, index, made):
    pattern = from_record(*made)
    assert pattern.nnz == 4
    with pytest.raises(FormatError) as caught:
        pattern.columns(0, 1)
    assert (caught.value.code, caught.value.finding.index) == (code, index)


@pytest.mark.parametrize(
    ("code", "made"), [("RX3012", cited([0, 1, 2])), ("RX3007", cited([0, 1, 2, 3], np.int64))]
)
def test_the_type_and_length_of_a_permutation_are_checked_at_once(code, made):
    with pytest.raises(FormatError) as caught:
        from_record(*made)
    assert caught.value.code == code


def test_permutations_travel_as_arrays_of_either_width():
    order = np.array([2, 0, 3, 1])
    pattern = permuted(from_record(record("identity", size=4)), out_perm=order)
    encoding = pattern_encoding["procedural"]
    encoded = encoding.encode(pattern)
    assert encoding.arrays_of(encoded.facts) == ("out_perm",)
    member = encoded.members["out_perm"]
    assert (member.dtype, member.length, member.compress) == (np.dtype("<u4"), 4, True)
    wide = {"out_perm": next(iter(member.blocks)).astype(np.uint64)}
    again = encoding.decode((4, 4), 4, wide, encoded.facts)
    assert again.indices.tolist() == order.tolist()
    assert pattern_digest(again) == pattern_digest(pattern)


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ({}, "got neither"),
        ({"in_perm": [0, 1, 1, 2]}, "in_perm\\[2\\]"),
        ({"in_perm": [0, 1, 2]}, "expected 4 integers"),
        ({"out_perm": [0.0, 1, 2, 3]}, "expected 4 integers"),
        ({"out_perm": [-1, 1, 2, 3]}, "at least 0"),
    ],
)
def test_the_helper_names_what_is_no_permutation(orders, message):
    with pytest.raises(ParameterError, match=message):
        permuted(from_record(record("identity", size=4)), **orders)
    with pytest.raises(ParameterError, match="generator makes"):
        permuted(rx.Pattern.explicit((1, 1), [0, 1], [0]), [0])


def test_sums_beyond_int32_do_not_reach_the_indices():
    pattern = from_record(
        record("radix-net", systems=[[2] * 30], widths=[1] * 31, direction=-1, index=20)
    )
    assert pattern.columns(2**30 - 1, 2**30).indices.tolist() == [2**20 - 1, 2**30 - 1]


def test_facts_of_a_pattern_too_large_to_walk():
    pattern = from_record(
        record("radix-net", systems=[[2] * 40], widths=[1] * 41, direction=-1, index=20)
    )
    assert pattern.nnz == 2**41
    assert pattern.fan_out()[2**39] == pattern.fan_in()[2**39] == 2
    assert pattern.columns(2**39, 2**39 + 1).indices.tolist() == [2**39, 2**39 + 2**20]


@pytest.mark.parametrize(
    "vector",
    json.loads(VECTORS.read_text(encoding="utf-8")),
    ids=lambda v: v["record"]["generator"],
)
def test_spec_vectors(vector):
    arrays = {name: np.array(v, np.uint32) for name, v in vector.get("arrays", {}).items()}
    pattern = from_record(vector["record"], arrays)
    assert list(pattern.shape) == vector["shape"]
    assert pattern.nnz == int(vector["nnz"])
    for column, indices in vector["columns"].items():
        assert pattern.columns(int(column), int(column) + 1).indices.tolist() == indices
    assert pattern_digest(pattern) == vector["pattern_digest"]


def test_spec_vectors_are_what_their_maker_makes():
    maker = ROOT / "tools" / "spec" / "make_generator_vectors.py"
    assert subprocess.run([sys.executable, maker, "--check"], check=False).returncode == 0
