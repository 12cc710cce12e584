"""Drafts of the format: refused with a hint, read when asked for, brought up to 1.0."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError
from radixfmt.storage.migrations import migration

DRAFTS = sorted((Path(__file__).parent / "drafts").glob("*.rx.h5"))


def attribute(path, name):
    with h5py.File(path) as file:
        return np.bytes_(file.attrs[name]).decode()


def test_there_are_files_of_every_draft():
    assert {attribute(path, "format_version") for path in DRAFTS} == set(migration)


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda path: path.name)
def test_a_draft_is_refused_and_the_hint_leads_to_1_0(draft, tmp_path):
    with pytest.raises(FormatError, match="RX0202") as caught:
        rx.open(draft)
    assert "radixfmt convert" in caught.value.hint
    report = rx.validate(draft)
    assert not report.ok
    assert {finding.code for finding in report.findings} == {"RX0202", "RX0205"}
    assert all("radixfmt convert" in finding.advice for finding in report.findings)
    rx.convert(draft, tmp_path / "new.rx.h5")
    assert attribute(tmp_path / "new.rx.h5", "format_version") == "1.0"
    with rx.open(draft, drafts=True) as old, rx.open(tmp_path / "new.rx.h5") as new:
        assert new.graph == old.graph
        assert new.metadata == old.metadata
        assert list(new.headers) == list(old.headers)
        assert set(new.ext) == set(old.ext)
    for name in ("topology", "content"):
        assert attribute(tmp_path / "new.rx.h5", f"{name}_digest") == attribute(
            draft, f"{name}_digest"
        )


def test_a_draft_that_is_not_known_is_refused_even_when_drafts_are_asked_for(tmp_path):
    path = tmp_path / "net.rx.h5"
    rx.write(path, rx.chain([rx.Layer("a", rx.Pattern.explicit((1, 1), [0, 1], [0]))]))
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.bytes_("1.1-draft.1")
    for drafts in (False, True):
        with pytest.raises(FormatError, match="RX0202") as caught:
            rx.open(path, drafts=drafts)
        assert "pip install -U" in caught.value.hint


def test_a_network_of_bfloat16_throughout_is_stored_and_run(tmp_path):
    """Input and output too: `requires` says so, and onnxruntime computes in float32."""
    pattern = rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 2, 1])
    network = rx.Network(
        (rx.Layer("a", pattern, np.array([1.5, -2, 0.25], np.float32)),),
        (rx.Node("SparseLinear", ("x",), ("y",), layer=0),),
        (rx.Value("x", ("B", 3), "bfloat16"),),
        (rx.Value("y", ("B", 2), "bfloat16"),),
    )
    path = tmp_path / "net.rx.h5"
    rx.write(path, network)
    assert rx.validate(path).ok
    with h5py.File(path) as file:
        assert '"requires":["dtype.bfloat16"]' in file["manifest"][()].decode()
    with rx.open(path) as back, rx.Session(back) as session:
        assert back.inputs == network.inputs
        y = session.run(np.eye(3, dtype=np.float32))
    assert y.tolist() == [[1.5, 0], [0, 0.25], [-2, 0]]
