"""The planner takes what its estimates favour, and its constants can be measured and stored."""

import json

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.export import export
from radixfmt.export.calibration import save
from radixfmt.export.costs import COSTS, costs_of
from radixfmt.export.lowerings import Estimate, Setting, lowering
from radixfmt.export.planner import plan


def network(mask, layers=2):
    import scipy.sparse as sp

    pattern = rx.Pattern.from_scipy(sp.csc_array(mask))
    weights = np.ones(pattern.nnz, np.float32)
    return rx.chain([rx.Layer(f"layer{i}", pattern, weights) for i in range(layers)])


def lowerings(mask, **options):
    return {choice.lowering for choice in export(network(mask), **options).layers}


@pytest.mark.parametrize("batch", [1, 64, 1024])
def test_blocks_are_blocked_and_full_matrices_dense(batch):
    blocks = np.kron(np.eye(32, dtype=bool), np.ones((32, 32), bool))
    assert lowerings(blocks, batch=batch) == {"blocked"}
    assert lowerings(np.ones((64, 64), bool), batch=batch) == {"dense"}


@pytest.mark.parametrize("density", [0.3, 1])
def test_dense_means_the_dense_graph(density):
    made = network(np.random.default_rng(0).random((300, 300)) < density)
    auto, dense = (export(made, lowering=name, batch=256).model.graph for name in ("auto", "dense"))
    assert auto == dense


def operators(network, **options):
    return [node.op_type for node in export(network, lowering="dense", **options).model.graph.node]


@pytest.mark.parametrize(("batch", "product"), [(1, "Gemm"), (32, "Conv"), (256, "Gemm")])
def test_batches_that_hide_reading_weights_behind_a_convolution(batch, product):
    made = network(np.ones((1024, 1024), bool))
    assert operators(made, batch=batch).count(product) == 2
    ends = (rx.Value(name, ("B", 1024), "float64") for name in "xy")
    double = rx.Network(made.layers, made.graph, *((end,) for end in ends))
    assert operators(double, batch=batch) == ["Gemm"] * 2


def test_gpus_are_not_said_to_work_like_that():
    setting = Setting(32, "cuda", COSTS["cuda"], 4)
    assert (
        lowering["dense"]().estimate(network(np.eye(2)).layers[0].pattern, setting).turned is None
    )


@pytest.mark.parametrize("batch", [1, 32, 256, None])
def test_feature_major_data_is_not_turned_for_a_gemm(batch):
    made = network(np.ones((512, 512), bool))
    assert "Transpose" not in operators(made, batch=batch, layout="feature-major")


class Fixed:
    """A lowering of known seconds at two batches."""

    def __init__(self, *seconds):
        self.layouts = frozenset({"batch-major"})
        self.seconds = seconds

    def estimate(self, _pattern, _setting):
        return Estimate(self.seconds[0], 0, "known", None, lambda batch: self.seconds[1])


def test_open_batches_take_what_falls_behind_least(monkeypatch):
    from radixfmt.export import planner
    from radixfmt.registry import Registry

    known = Registry("lowering", "tests")
    for name, seconds in {"first": (1.0, 9.0), "second": (2.0, 2.0)}.items():
        known(name, auto=True)(lambda seconds=seconds: Fixed(*seconds))
    monkeypatch.setattr(planner, "lowering", known)
    made = network(np.eye(4, dtype=bool), 1)

    def chosen(others):
        setting = Setting(256, "cpu", COSTS["cpu"], 4, others)
        layers = list(made.layers)
        found = plan(
            made, made.graph, layers, {}, set(), setting, wanted="auto", layout="batch-major"
        )
        return found[0].lowering

    assert chosen(()) == "first"
    assert chosen((1,)) == "second"


def test_costs_come_back_from_a_file(tmp_path):
    path = tmp_path / "costs.json"
    save(COSTS["cpu"], "cpu", path)
    assert costs_of("cpu", path) == COSTS["cpu"]
    with pytest.raises(rx.RadixfmtError, match="expected 'cuda', got 'cpu'"):
        costs_of("cuda", path)
    with pytest.raises(rx.RadixfmtError):
        save(COSTS["cpu"], "cpu", path)


@pytest.mark.parametrize("value", [0, -1, "fast", None, True, float("nan"), 10**400, [1]])
def test_costs_that_are_none(tmp_path, value):
    path = tmp_path / "costs.json"
    save(COSTS["cpu"], "cpu", path)
    content = json.loads(path.read_text())
    content["costs"]["move"] = value
    path.write_text(json.dumps(content))
    with pytest.raises(rx.RadixfmtError, match="move: expected a positive number"):
        costs_of("cpu", path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"costs": {"row": 1}}', "[" * 60000])
def test_files_that_hold_no_costs(tmp_path, content):
    path = tmp_path / "costs.json"
    path.write_text(content)
    with pytest.raises(rx.RadixfmtError, match="expected costs"):
        costs_of("cpu", path)


def test_no_file_of_costs(tmp_path):
    with pytest.raises(rx.RadixfmtError, match="No such file"):
        costs_of("cpu", tmp_path / "none.json")
