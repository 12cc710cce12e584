"""The study of SET runs as a whole, keeps its links' number, and drifts."""

from __future__ import annotations

import json
from statistics import fmean

import pytest


@pytest.fixture(scope="module")
def folder(study):
    return study("topological_insights")


def test_topological_insights(folder):
    found = json.loads((folder / "topological_insights.json").read_text())
    runs = {trial["run"]: trial for trial in found["trials"]}
    assert set(runs) == set(found["runs"])
    assert runs["dense"]["accuracy"][-1] > 0.7
    for name in set(runs) - {"dense"}:
        assert runs[name]["before"] == runs[name]["after"]
        assert runs[name]["accuracy"][-1] > 0.2
    assert (folder / "topological_insights.png").stat().st_size > 10_000


def test_nnstd_tells_equal_similar_and_independent_starts_apart(folder):
    found = json.loads((folder / "topological_insights.json").read_text())
    curves = {
        group: [
            fmean(values)
            for values in zip(
                *(each["nnstd"] for each in found["distances"] if [each["a"], each["b"]] in pairs),
                strict=True,
            )
        ]
        for group, pairs in found["pairs"].items()
    }
    first, last = ({group: curve[i] for group, curve in curves.items()} for i in (0, -1))
    assert first["w0 again"] == first["within"] == 0
    assert 0 < first["w1"] < 0.03 < first["w4"] < first["w9"] < 0.2 < first["independent"]
    for group in ("w0 again", "w1", "w4", "w9", "within"):
        assert first[group] + 0.2 < last[group] < last["independent"]
    page = (folder / "topological_insights.md").read_text()
    assert f"{last['w1']:.3f} ± 0.000" in page
