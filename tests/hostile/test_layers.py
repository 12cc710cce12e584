"""65 to 81: layers that are not what they say.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import numpy as np
import pytest

import radixfmt as rx

LAYER = "/layers/000001"
POINTERS, INDICES, VALUES = (f"{LAYER}/{n}" for n in ("pointers_to_1", "indices_1", "values"))


def header(change):
    return lambda e: e.header(change)


def says(**members):
    return header(lambda v: v.update(members))


def binsparse(change):
    return lambda e: e.header(lambda v: change(v["binsparse"]), name="binsparse")


def swap(path, data):
    return lambda e: e.replace(path, data)


def gone(path):
    return lambda e: e.file.__delitem__(path)


def cast(path, dtype):
    return lambda e: e.change(path, lambda old: old.astype(dtype))


def put(path, at, value):
    return lambda e: e.file[path].__setitem__(at, value)


def too_many_neurons_for_u16(e):
    """Layer 1 says that it has 70 000 outputs and is stored by rows, whose indices name them."""
    e.header(lambda v: v.update(shape=[12, 70_000], bias={"dtype": "float32", "length": 1}))
    e.header(lambda v: v["pattern"].update(format="CSR"))


def empty_with_an_edge(e):
    e.header(lambda v: v.update(shape=[0, 0], nnz=1))


def lengths(*, pointers=13, indices=72, values=72):
    def change(e):
        e.replace(POINTERS, np.linspace(0, 72, pointers).astype("<u8"))
        e.replace(INDICES, np.zeros(indices, "<u2"))
        e.replace(VALUES, np.ones(values, "<f4"))

    return change


def digits(e):
    """A number that no double holds, spelt as a number."""
    raw = e.file[LAYER].attrs["layer"].decode().replace('"nnz":72', f'"nnz":{2**53 + 1}')
    e.attribute("layer", raw, LAYER)


def number_of_edges(text):
    return lambda e: e.header(lambda v: v.update(nnz=text))


CASES = {
    "65-gap": (lambda e: e.file.move(LAYER, "/layers/000007"), {"RX3001"}),
    "65-five-digits": (lambda e: e.file.move(LAYER, "/layers/00001"), {"RX3001", "RX1051"}),
    "65-a-dataset-as-layer": (
        lambda e: (e.file.__delitem__(LAYER), e.replace(LAYER, np.ones(1))),
        {"RX3002", "RX3003", "RX1051"}),
    "66-no-pointers": (gone(POINTERS), {"RX3003"}),
    "66-no-indices": (gone(INDICES), {"RX3003"}),
    "66-no-values": (gone(VALUES), {"RX3003"}),
    "66-pointers-are-a-group": (
        lambda e: (e.file.__delitem__(POINTERS), e.file.create_group(POINTERS)),
        {"RX3003", "RX1051"}),
    "68-no-last-pointer": (lengths(pointers=12), {"RX3005"}),
    "68-fewer-indices": (lengths(indices=71), {"RX3005"}),
    "68-more-indices": (lengths(indices=73), {"RX3005"}),
    # RX3011 rather than RX3005: values have a length rule, and a code, of their own
    "69-five-values": (lengths(values=5), {"RX3011"}),
    "70-float64": (cast(VALUES, "<f8"), {"RX3006"}),
    "70-undeclared-bias": (cast(f"{LAYER}/bias", "<f8"), {"RX3006"}),
    "71-float64-indices": (cast(INDICES, "<f8"), {"RX3007"}),
    "71-int32-indices": (cast(INDICES, "<i4"), {"RX3007"}),
    "71-u32-pointers": (cast(POINTERS, "<u4"), {"RX3007"}),
    "71-i64-pointers": (cast(POINTERS, "<i8"), {"RX3007"}),
    "71-unknown-type": (header(lambda v: v["values"].update(dtype="complex64")), {"RX3007"}),
    "72-negative": (says(shape=[-1, 4]), {"RX3008"}),
    "72-fraction": (says(shape=[5.5, 4]), {"RX3008"}),
    "72-boolean": (says(shape=[True, 4]), {"RX3008"}),
    "72-three-sizes": (says(shape=[12, 12, 1]), {"RX3008"}),
    "72-2^62": (says(shape=[2**40 + 1, 2**40 + 1]), {"RX3008"}),
    "72-empty-with-an-edge": (empty_with_an_edge, {"RX3009"}),
    "72-more-edges-than-cells": (says(nnz=145), {"RX3009"}),
    "72-negative-edges": (says(nnz=-1), {"RX3009"}),
    # 2^40 columns are within the format: the pointers would have to be there
    "72-2^40-columns": (says(shape=[12, 2**40]), {"RX3005"}),
    "73-2^53+1-as-number": (digits, {"RX2005"}),
    # a decimal string is for values that JSON cannot hold; nnz has a limit that it can
    "73-2^53+1-as-text": (number_of_edges(str(2**53 + 1)), {"RX2007"}),
    "74-u16-for-70000": (too_many_neurons_for_u16, {"RX3010"}),
    "75-iso-with-many": (
        header(lambda v: v["values"].update(encoding="iso")), {"RX3011"}),
    "75-topology-with-many": (
        header(lambda v: v.update(values={"encoding": "topology-only", "dtype": "uint8"})),
        {"RX3006"}),
    "76-one-bias-short": (
        header(lambda v: v["bias"].update(length=11)), {"RX3012"}),
    "76-stored-short": (swap(f"{LAYER}/bias", np.ones(11, "<f4")), {"RX3012"}),
    "76-declared-longer": (header(lambda v: v["bias"].update(length=12)), {"RX3012"}),
    "77-missing": (lambda e: e.file[LAYER].attrs.__delitem__("binsparse"), {"RX3021"}),
    "77-rows-not-columns": (binsparse(lambda v: v.update(format="CSR")), {"RX3023"}),
    "77-iso-inverted": (
        binsparse(lambda v: v["data_types"].update(values="iso[float32]")), {"RX3023"}),
    "77-other-shape": (binsparse(lambda v: v.update(shape=[12, 13])), {"RX3023"}),
    "77-other-count": (
        binsparse(lambda v: v.update(number_of_stored_values=71)), {"RX3023"}),
    "77-no-object": (lambda e: e.attribute("binsparse", "[]", LAYER), {"RX2003"}),
    "77-other-object": (lambda e: e.attribute("binsparse", "{}", LAYER), {"RX3023", "RX3024"}),
    "77-version": (binsparse(lambda v: v.update(version="0.1")), {"RX3024"}),
    "no-header": (lambda e: e.file[LAYER].attrs.__delitem__("layer"), {"RX3002"}),
    "header-is-numbers": (lambda e: e.file[LAYER].attrs.create("layer", [1, 2]), {"RX1042"}),
    "79-a-pointer-down": (put(POINTERS, 4, 1), {"RX4002"}),
    "80-last-pointer": (put(POINTERS, 12, 77), {"RX4003"}),
    "81-first-pointer-beyond-2^63": (put(POINTERS, 0, 2**63 + 1), {"RX4001", "RX4002"}),
    "81-pointer-beyond-2^63": (put(POINTERS, 3, 2**63), {"RX4002"}),
    "81-all-pointers-beyond-2^63": (
        swap(POINTERS, np.full(13, 2**64 - 1, "<u8")), {"RX4001", "RX4003"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_layer_is_judged_by_its_code(name, edited, judge):
    change, codes = CASES[name]
    # whoever opens a file has no use for what Binsparse is told
    report = judge(edited("explicit", change), codes, opens=name.startswith("77"))
    errors = [finding for finding in report.findings if finding.severity == "error"]
    assert all(finding.path.startswith("/layers") for finding in errors), errors


def test_77_bfloat16_is_nothing_that_binsparse_knows(edited, judge):
    descriptor = '{"binsparse":{"version":"0.1.0"}}'
    path = edited("bfloat16", lambda e: e.attribute("binsparse", descriptor, "/layers/000000"))
    judge(path, {"RX3022"}, opens=True)


def test_one_broken_layer_does_not_hide_another(edited, judge):
    def change(e):
        e.file["/layers/000000/indices_1"][0] = 99
        e.file["/layers/000003/pointers_to_1"][1] = 99

    report = judge(edited("explicit", change), {"RX4004", "RX4002"})
    assert [(f.code, f.path) for f in report.findings if f.severity == "error"] == [
        ("RX4004", "/layers/000000/indices_1"),
        ("RX4002", "/layers/000003/pointers_to_1"),
    ]
    assert [skipped.check for skipped in report.skipped] == ["digests"]


def test_nan_is_a_warning_and_strict_makes_it_an_error(small, tmp_path):
    layer = small.layers[0]
    weights = layer.weights.copy()
    weights[4] = np.nan
    path = tmp_path / "nan.rx.h5"
    rx.write(path, rx.chain([rx.Layer("nan", layer.pattern, weights)]))
    report = rx.validate(path)
    (finding,) = [f for f in report.findings if f.severity == "warning"]
    assert (finding.code, finding.index, finding.count) == ("RX5001", 4, 1)
    assert report.ok
    assert not rx.validate(path, strict=True).ok
    assert rx.validate(path, strict=True, ignore=["RX5"]).ok


def test_ignoring_a_code_does_not_make_a_file_valid(edited):
    path = edited("explicit", put(INDICES, 0, 99))
    assert not rx.validate(path, ignore=["RX4"]).ok
