import json
import platform

import pytest

from radixfmt.backends.parity import Parity
from radixfmt.benchmark.baseline import baseline
from radixfmt.benchmark.environment import environment
from radixfmt.benchmark.table import table
from radixfmt.errors import InputError

TABLE = """
engine     lowering  batch  median        p10 to p90  Gedges/s  x dense  peak MB  max rel
ort-auto   blocked     100  100 ms   92 ms to 108 ms     0.001    10.00        2  3.0e-07
ort-dense  dense       100     1 s  920 ms to 1.08 s    0.0001     1.00        -  2.0e-07
scipy      blocked       1   20 us    20 us to 20 us      0.05        -        2  2.0e-07
"""


def test_speedup_is_the_median_of_the_rounds_own_ratios(result):
    dense, ours = result("ort-dense", 1.0, 10.0, 2.0), result("ort-auto", 0.1, 1.0, 1.0)
    assert ours.speedup(dense) == pytest.approx(10)


def test_networks_of_different_size_are_compared_by_their_edges(result):
    whole, part = result("ort-auto", 5.0, edges=500), result("ort-dense", 10.0, edges=100)
    assert whole.speedup(part) == pytest.approx(10)


def test_table_text(result):
    dense = result("ort-dense", 1.0, 1.1, 0.9, lowering="dense", peak_bytes=None)
    ours = result("ort-auto", 0.1, 0.11, 0.09, parity=Parity(1.0, 3e-7, 64))
    alone = result("scipy", 2e-5, 2e-5, batch=1)
    assert table([ours, dense, alone]) == TABLE.strip("\n")


HERE = {"cpu": "a CPU", "packages": {"numpy": "2.0"}}


def old(*results, **environment):
    return {"environment": HERE | environment, "results": [r.as_json() for r in results]}


def test_baseline_lists_only_what_became_slower_than_the_tolerance(result):
    before = old(result("ort-auto", 1.0), result("scipy", 1.0), result("torch-csr", 1.0))
    now = [result("ort-auto", 1.2), result("scipy", 1.05), result("torch-csr", 0.5)]
    found = baseline(before, now, here=HERE)
    assert [c.engine for c in found.regressions] == ["ort-auto"]
    assert [c.ratio for c in found.changes] == pytest.approx([1 / 1.2, 1 / 1.05, 2])
    assert found.notes == ()
    assert not baseline(before, now, tolerance=0.2, here=HERE).regressions


def test_baseline_matches_engine_batch_and_threads(result):
    now = [result("ort-auto", 9.0, batch=1), result("ort-auto", 9.0, threads=2)]
    found = baseline(old(result("ort-auto", 1.0)), now, here=HERE)
    assert (found.changes, found.regressions) == ((), ())
    assert found.notes == (
        "ort-auto, batch 1, threads 1: not in the baseline",
        "ort-auto, batch 100, threads 2: not in the baseline",
    )


def test_baseline_matches_precision_and_takes_files_from_before_there_was_one(result):
    before = old(result("ort-auto", 1.0))
    del before["results"][0]["precision"]
    now = [result("ort-auto", 9.0, precision="tf32"), result("ort-auto", 1.0)]
    found = baseline(before, now, here=HERE)
    assert [c.precision for c in found.changes] == ["float32"]
    assert found.notes == ("ort-auto, batch 100, threads 1, tf32: not in the baseline",)


def test_baseline_notes_another_environment(result):
    before = old(result("ort-auto", 1.0), cpu="another CPU")
    found = baseline(before, [result("ort-auto", 1.0)], here=HERE)
    assert found.notes == ("environment, cpu: another CPU in the baseline, a CPU now",)


@pytest.mark.parametrize("bad", [{}, {"results": [{}]}, {"results": 3, "environment": {}}])
def test_baseline_refuses_other_objects(bad):
    with pytest.raises(InputError, match="baseline"):
        baseline(bad, [])


def test_environment_names_software_and_machine_but_no_one():
    found = environment()
    assert set(found) == {
        "python", "radixfmt", "packages", "os", "cpu", "cores", "memory_bytes", "gpus",
    }  # fmt: skip
    assert {"numpy", "scipy"} <= set(found["packages"])
    assert found["cores"] >= 1
    assert platform.node() not in found["os"].split()
    assert "/" not in json.dumps(found).replace(found["cpu"] or "", "")
