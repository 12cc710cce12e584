"""The study of very deep sparse networks, as CI runs it."""

import json

import pytest


@pytest.fixture(scope="module")
def folder(study):
    return study("neurofabric")


@pytest.fixture(scope="module")
def trials(folder):
    found = json.loads((folder / "neurofabric.json").read_text())["trials"]
    return {(each["topology"], each["start"], each["depth"]): each for each in found}


def test_all_cases_are_there_with_equal_degrees(trials):
    assert len(trials) == 2 * (4 * 3 + 2)
    for (topology, _, depth), trial in trials.items():
        assert len(trial["variance"]) == len(trial["square"]) == depth + 1
        if topology == "dense":
            assert trial["edges"] == 64 * 64 * depth
        elif topology != "erdos-renyi":
            assert trial["edges"] == 64 * 8 * depth


def test_only_the_own_fan_in_keeps_the_signal_of_sparse_layers(trials):
    def passed(topology, start):
        square = trials[topology, start, 16]["square"]
        return (square[-1] / square[0]) ** (1 / 16)

    for topology in ("random-regular", "erdos-renyi", "radix-net", "block-diagonal"):
        assert passed(topology, "He, n_in") == pytest.approx(8 / 64, rel=0.3)
        assert passed(topology, "own fan-in") == pytest.approx(1, rel=0.3)
        own, plain = (trials[topology, each, 16]["accuracy"] for each in ("own fan-in", "He, n_in"))
        assert own > plain + 0.1
    assert trials["dense", "own fan-in", 4]["accuracy"] > 0.7


def test_the_page_shows_the_trials(folder, trials):
    text = (folder / "neurofabric.md").read_text()
    shallow, deep = (trials["radix-net", "own fan-in", depth]["accuracy"] for depth in (4, 16))
    row = f"| radix-net | own fan-in | {100 * shallow:.2f} ± 0.00 | {100 * deep:.2f} ± 0.00 |"
    assert row in text
    assert (folder / "neurofabric.png").read_bytes().startswith(b"\x89PNG")
