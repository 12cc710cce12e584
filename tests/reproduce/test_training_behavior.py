"""The study of pruned and structured LeNets, as CI runs it."""

import json

import pytest


@pytest.fixture(scope="module")
def folder(study):
    return study("training_behavior")


@pytest.fixture(scope="module")
def trials(folder):
    found = json.loads((folder / "training_behavior.json").read_text())["trials"]
    keys = ("network", "kind", "sparsity", "factor")
    return {tuple(trial[key] for key in keys): trial for trial in found}


def test_every_mask_has_the_edges_it_claims(trials):
    big, small = [784 * 300, 300 * 100], [150 * 16, 784 * 120]
    for network, cells in (("LeNet-300-100", big), ("LeNet-5", small)):
        assert trials[network, "dense", 0.0, 1]["edges"] == cells
        for kind in ("one-time", "gradual"):
            for share, sparsity in ((10, 0.9), (100, 0.99)):
                kept = [-(-count // share) for count in cells]  # at most this sparse
                assert trials[network, kind, sparsity, 1]["edges"] == kept
        drawn = trials[network, "random", 0.9, 1]["edges"]
        assert drawn == pytest.approx([count / 10 for count in cells], rel=0.15)
    linear = "LeNet-300-100"
    # 784 rows of 30 edges, and 300 of 10; the wide one has as many as the dense network
    assert trials[linear, "radix", 0.9, 1]["edges"] == [784 * 30, 300 * 10]
    assert trials[linear, "radix", 0.9, 10]["edges"] == big
    assert len(trials) == 17


def test_networks_learn_and_gradual_pruning_keeps_what_they_learned(trials):
    for network in ("LeNet-300-100", "LeNet-5"):
        assert trials[network, "dense", 0.0, 1]["accuracy"] > 0.6
        gradual, once = (
            trials[network, kind, 0.99, 1]["pruned"] for kind in ("gradual", "one-time")
        )
        assert gradual > 0.4
        assert gradual > once


def test_the_page_shows_the_trials(folder, trials):
    text = (folder / "training_behavior.md").read_text()
    dense = trials["LeNet-5", "dense", 0.0, 1]["accuracy"]
    assert f"Dense: {100 * dense:.2f} ± 0.00 (99.25)." in text
    assert "| RadiX-Net, widths [8, 30, 1] | 265,200 |" in text
    assert "training_behavior.png" in text
    assert (folder / "training_behavior.png").read_bytes().startswith(b"\x89PNG")
