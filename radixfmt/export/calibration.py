"""The planner's constants, measured where the model will run: a few seconds of small models."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.errors import MissingDependencyError, ParameterError, UnsupportedError
from radixfmt.export.costs import COSTS, Costs
from radixfmt.export.nodes import IR_VERSION, OPSET
from radixfmt.files import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

REPEATS = 3
"""Layers of each small model, so that nodes follow upon each other as in a network.

Of transposes there is one: onnxruntime would take two of them for none.
"""

ROUNDS = 9
"""Times that every model is timed, in turns; the fastest counts, for others share the machine."""

SAMPLE_SECONDS = 2e-3
"""Seconds of one timing, about."""

BATCHES = (1, 64, 256, 1024)

LARGEST_FACTOR = 30.0
"""How far from the built-in constants measured ones may lie, up or down."""


class _Probe(NamedTuple):
    """One kind of layer at one batch: groups of m outputs and k inputs among n rows."""

    kind: str
    groups: int
    m: int
    k: int
    n: int
    batch: int

    @property
    def repeats(self) -> int:
        """Layers in its model."""
        return 1 if self.kind == "transpose" else REPEATS

    def seconds(self, costs: Costs) -> float:
        """Return what these constants say of one layer."""
        if self.kind == "transpose":
            return costs.turn(self.n, self.batch)
        if self.kind == "dense":
            return costs.dense(self.k, self.m, self.batch)
        return costs.blocked(self.groups, self.m, self.k, self.batch)


TILES = (
    (64, 16, 32, 1024),
    (32, 32, 48, 1024),
    (16, 64, 128, 1024),
    (128, 8, 32, 1024),
    (256, 4, 8, 1024),
    (128, 8, 80, 1024),
    (16, 16, 32, 256),
)
"""(groups, m, k, rows): from what one layer of a RadiX-Net takes to random unions of inputs."""

WIDTHS = (64, 256, 1024)
"""Neurons of the dense layers and of the transposes."""


def calibrate(target: str = "cpu", threads: int = 1) -> Costs:
    """Return the constants that fit this machine best, in a few seconds.

    Args:
        target: "cpu"; a GPU's constants come from its data sheet.
        threads: of onnxruntime, as the model will be run.

    Raises:
        MissingDependencyError: onnxruntime is missing.
        ParameterError: `threads` is below 1, or the target unknown.
        UnsupportedError: a target that cannot be measured.
    """
    from scipy.optimize import least_squares

    if target not in COSTS:
        raise ParameterError(f"target: expected {' or '.join(COSTS)}, got {target!r}")
    if target != "cpu":
        raise UnsupportedError(
            f"target {target}: only cpu is calibrated", hint="leave --calibrate out"
        )
    if threads < 1:
        raise ParameterError(f"threads: expected at least 1, got {threads}")
    probes = [
        *(_Probe("blocked", *tile, batch) for tile in TILES for batch in BATCHES),
        *(_Probe("dense", 1, n, n, n, batch) for n in WIDTHS for batch in BATCHES),
        *(_Probe("transpose", 1, n, n, n, batch) for n in WIDTHS for batch in BATCHES[1:]),
    ]
    measured = _measured(probes, threads)
    names = [field.name for field in fields(Costs)]
    start = np.log([getattr(COSTS[target], name) for name in names])

    def costs(logarithms: NDArray[np.float64]) -> Costs:
        return Costs(**dict(zip(names, np.exp(logarithms).tolist(), strict=True)))

    def errors(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
        assumed = costs(logarithms)
        return np.log(np.array([probe.seconds(assumed) for probe in probes]) / measured)

    span = np.log(LARGEST_FACTOR)
    # soft_l1: a probe that another process disturbed must not bend the others
    fit = least_squares(
        errors, start, bounds=(start - span, start + span), loss="soft_l1", f_scale=0.2
    )
    return costs(fit.x)


def save(
    costs: Costs, target: str, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write constants as JSON, for `costs_of` to read.

    Raises:
        TargetExistsError: the file exists and `overwrite` is false.
        PathError: the system refuses.
    """
    content = {
        "target": target,
        "onnxruntime": version("onnxruntime"),
        "costs": asdict(costs),
    }
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _measured(probes: list[_Probe], threads: int) -> NDArray[np.float64]:
    """Return the seconds of one layer of each probe: the least of all rounds."""
    runs = [_runner(probe, threads) for probe in probes]
    numbers = [max(1, int(SAMPLE_SECONDS / _timed(run, 1))) for run in runs]
    rounds = [
        [_timed(run, number) for run, number in zip(runs, numbers, strict=True)]
        for _ in range(ROUNDS)
    ]
    fastest: NDArray[np.float64] = np.min(rounds, axis=0)
    return fastest / [probe.repeats for probe in probes]


def _timed(run: Callable[[], Any], number: int) -> float:
    began = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - began) / number


def _runner(probe: _Probe, threads: int) -> Callable[[], Any]:
    """Return what runs the probe's model once, its input and output bound beforehand."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "calibration runs onnxruntime, which is not installed",
            hint="pip install 'radixfmt[cpu]'",
        ) from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(
        _model(probe).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    shape = (1, probe.n, probe.batch) if probe.kind == "blocked" else (probe.batch, probe.n)
    binding = session.io_binding()
    binding.bind_cpu_input("x", np.ones(shape, np.float32))
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    return lambda: session.run_with_iobinding(binding)


def _model(probe: _Probe) -> Any:
    """Return layers of the probe's kind, each with its own weights."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, constants, x, rows = [], [], "x", probe.n

    def constant(name: str, array: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(array, name))
        return name

    for i in range(probe.repeats):
        y = "y" if i == probe.repeats - 1 else f"y{i}"
        shape = (probe.k, probe.m) if probe.kind == "dense" else (probe.groups * probe.m, probe.k)
        weight = np.full(shape, 1 / probe.k, np.float32)
        if probe.kind == "transpose":
            nodes.append(helper.make_node("Transpose", [x], [y], perm=[1, 0]))
        elif probe.kind == "dense":
            bias = constant(f"b{i}", np.zeros(probe.m, np.float32))
            nodes.append(helper.make_node("Gemm", [x, constant(f"w{i}", weight), bias], [y]))
        else:
            index = constant(f"i{i}", rng.integers(0, rows, probe.groups * probe.k))
            kernel = constant(f"w{i}", weight[:, :, None])
            nodes.append(helper.make_node("Gather", [x, index], [f"g{i}"], axis=1))
            nodes.append(helper.make_node("Conv", [f"g{i}", kernel], [y], group=probe.groups))
        x, rows = y, probe.groups * probe.m
    rank = 3 if probe.kind == "blocked" else 2
    declared = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name in "xy"
    ]
    graph = helper.make_graph(nodes, "probe", declared[:1], declared[1:], constants)
    return helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
