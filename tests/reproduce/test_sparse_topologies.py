"""The study of families runs as a whole, at equal density, and its correlations are scipy's."""

from __future__ import annotations

import json

import pytest
from scipy.stats import spearmanr


def test_sparse_topologies(study):
    folder = study("sparse_topologies")
    found = json.loads((folder / "sparse_topologies.json").read_text())

    dense, *families = found["trials"]
    assert dense["label"] == "dense"
    assert dense["edges"] == 4 * 256 * 256
    assert min(dense["trained"][-1], dense["groups"][-1]) > 0.7
    assert len({trial["label"] for trial in families}) == len(families) >= 10
    assert {trial["edges"] for trial in families} == {4 * 256 * 4}
    by_label = {trial["label"]: trial for trial in families}
    for label, layers, network in (
        ("low-rank", 1, 1),
        ("radix-net", 0, 1),
        ("butterfly", 0, 1),
        ("block-diagonal", 0, 0),
    ):
        assert by_label[label]["gap"] == pytest.approx(layers, abs=0.001)
        assert by_label[label]["network_gap"] == pytest.approx(network)

    told = {
        (each["readout"], each["measure"]): each
        for each in found["correlations"]
        if each["outcome"] == "accuracy"
    }
    assert len(told) == 6
    for (readout, measure), each in told.items():
        rho = spearmanr([t[measure] for t in families], [t[readout][-1] for t in families])
        assert each["rho"] == pytest.approx(rho.statistic)
        assert abs(each["p"] - rho.pvalue) < 0.05
    page = (folder / "sparse_topologies.md").read_text()
    assert all(f"| {label} |" in page for label in by_label)
    assert (folder / "sparse_topologies.png").stat().st_size > 10_000
