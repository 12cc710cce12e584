"""What the checks say of members and datasets that mean nothing, and of several layers at once.

Numbers in front of names are those of the list of bad files.
"""

from __future__ import annotations

import numpy as np
import pytest
from file_edits import LAYER, by_code, edit_json, header

import radixfmt as rx


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda v: v["digests"].update(foo="x"), "/digests/foo"),
        (lambda v: v["digests"].update(name="x"), "/digests/name"),
        (lambda v: v["digests"].update(scale="rx1:" + "0" * 64), "/digests/scale"),
        (lambda v: v["pattern"].update(transposed=True), "/pattern/transposed"),
    ],
)
def test_members_that_mean_nothing_are_said_and_do_no_harm(change, pointer, good, tmp_path, edited):
    found = edited(lambda f: edit_json(f[LAYER], "layer", change), good)
    assert found["RX9101"].pointer == pointer
    assert rx.validate(tmp_path / "edited.rx.h5").ok
    rx.convert(tmp_path / "edited.rx.h5", tmp_path / "copy.rx.h5")


def test_unknown_members_are_named(edited):
    found = edited(lambda f: edit_json(f, "manifest", lambda v: v.update(__proto__={"x": 1})))
    assert found["RX9101"].pointer == "/__proto__"
    found = edited(header(extra=1))
    assert (found["RX9101"].path, found["RX9101"].pointer) == (LAYER, "/extra")


@pytest.mark.parametrize("name", ["scale", "out_perm", "note"])
def test_67_datasets_that_no_encoding_uses(name, edited):
    found = edited(lambda f: f.__setitem__(f"{LAYER}/{name}", np.ones(3, np.float32)))
    assert found["RX3004"].path == f"{LAYER}/{name}"


def test_67_indices_in_a_generated_layer(edited, small, tmp_path):
    rx.write(tmp_path / "net.rx.h5", small)
    found = edited(
        lambda f: f.__setitem__(f"{LAYER}/indices_1", np.ones(72, np.uint16)),
        tmp_path / "net.rx.h5",
    )
    assert "RX3004" in found


def test_hints_about_storage(good, small, tmp_path):
    hint = by_code(rx.validate(good))["RX9203"]
    assert (hint.path, hint.count) == ("/layers/000000", len(small.layers))
    assert "radix-net/1" in hint.message
    rx.write(tmp_path / "net.rx.h5", small)
    found = by_code(rx.validate(tmp_path / "net.rx.h5"))
    assert "procedural.radix-net/1" in found["RX9204"].message
    assert "RX9203" not in found


def test_one_broken_layer_does_not_hide_another(edited, good, tmp_path):
    def change(f):
        f["/layers/000000/indices_1"][0] = 99
        f["/layers/000000/indices_1"][7] = 98
        f["/layers/000003/pointers_to_1"][1] = 99
        f["/layers/000002/values"][3] = np.nan

    edited(change)
    report = rx.validate(tmp_path / "edited.rx.h5")
    assert [(f.code, f.path, f.count) for f in report.findings if f.code[:3] in ("RX4", "RX5")] == [
        ("RX4004", "/layers/000000/indices_1", 2),
        ("RX4002", "/layers/000003/pointers_to_1", 1),
        ("RX5001", "/layers/000002/values", 1),
    ]
