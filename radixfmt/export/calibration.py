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

REPEATS = 4
"""Layers of each small model, so that nodes and weights follow upon each other as in a network.

Of transposes there is one: onnxruntime would take two of them for none.
"""

ROUNDS = 21
"""Times that every model is timed, in turns; the fastest counts, for others share the machine."""

SAMPLE_SECONDS = 2e-3
"""Seconds of one timing, about."""

BATCHES = (1, 64, 128, 1024)

LARGEST_FACTOR = 30.0
"""How far from the built-in constants measured ones may lie, up or down."""

DISTURBED = 0.2
"""Logarithm of seconds, estimated to measured, from which a probe counts less."""

TRUST = 2.0
"""Factor by which a constant differs from the built-in one at the price of a probe that is off by
`DISTURBED`: what the probes hardly tell stays as it is."""


class _Probe(NamedTuple):
    """One kind of layer at one batch.

    Attributes:
        kind: "blocked", "dense" or "transpose".
        sizes: groups, outputs m and inputs k of each; 1, n, n of the other kinds.
        batch: rows.
        bias: how many times as long its model takes as the built-in constants say, on the machine
            that they are from. What they leave out of account there, they will elsewhere.
    """

    kind: str
    sizes: tuple[int, int, int]
    batch: int
    bias: float

    @property
    def repeats(self) -> int:
        """Layers in its model."""
        return 1 if self.kind == "transpose" else REPEATS

    @property
    def width(self) -> int:
        """Neurons of each layer."""
        return self.sizes[0] * self.sizes[1]

    def seconds(self, costs: Costs) -> float:
        """Return what its model would take, by these constants."""
        groups, m, k = self.sizes
        if self.kind == "transpose":
            layer = costs.turn(m, self.batch)
        elif self.kind == "dense":
            layer = costs.dense(k, m, self.batch)
        else:
            layer = costs.blocked(groups, m, k, self.batch)
        return self.bias * self.repeats * layer


BIASES: dict[tuple[str, tuple[int, int, int]], tuple[float, ...]] = {
    ("blocked", (64, 16, 32)): (1.06, 1.08, 1.71, 1.11),
    ("blocked", (32, 32, 48)): (1.11, 1.08, 1.41, 1.13),
    ("blocked", (16, 64, 80)): (1.12, 1.03, 1.23, 1.20),
    ("blocked", (32, 32, 120)): (1.14, 1.37, 1.14, 0.96),
    ("blocked", (128, 8, 80)): (1.05, 1.01, 1.04, 1.20),
    ("blocked", (64, 16, 176)): (1.28, 1.08, 1.09, 1.06),
    ("blocked", (128, 8, 16)): (1.07, 1.02, 1.77, 1.08),
    ("blocked", (1024, 1, 8)): (1.17, 0.74, 0.73, 1.17),
    ("blocked", (16, 16, 32)): (1.11, 0.99, 1.03, 1.18),
    ("dense", (1, 64, 64)): (1.57, 1.03, 1.00, 1.06),
    ("dense", (1, 256, 256)): (0.91, 0.85, 0.87, 1.03),
    ("dense", (1, 1024, 1024)): (1.07, 0.96, 0.93, 0.95),
    ("transpose", (1, 256, 256)): (2.43, 0.82, 0.88, 1.41),
    ("transpose", (1, 1024, 1024)): (1.90, 0.76, 0.90, 0.98),
}
"""Kinds and sizes, from what one layer of a RadiX-Net takes to random unions of inputs: the bias of
the probe at each of `BATCHES`. New built-in constants ask for new ones: what `_measured` returns,
over what the constants say where all biases are 1."""


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
        _Probe(*layer, *known)
        for layer, biases in BIASES.items()
        for known in zip(BATCHES, biases, strict=True)
    ]
    measured = _measured(probes, threads)
    names = [field.name for field in fields(Costs)]
    assumed = np.log([getattr(COSTS[target], name) for name in names])

    def costs(logarithms: NDArray[np.float64]) -> Costs:
        return Costs(**dict(zip(names, np.exp(logarithms).tolist(), strict=True)))

    def errors(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
        found = costs(logarithms)
        estimated = np.log(np.array([probe.seconds(found) for probe in probes]) / measured)
        apart = (logarithms - assumed) * (DISTURBED / np.log(TRUST))
        return np.concatenate([estimated, apart])

    span = np.log(LARGEST_FACTOR)
    # soft_l1: a probe that another process disturbed must not bend the others
    fit = least_squares(
        errors, assumed, bounds=(assumed - span, assumed + span), loss="soft_l1", f_scale=DISTURBED
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
    """Return the seconds of each probe's model: the least of all rounds."""
    # a thread's own seconds do not grow while it waits for a busy machine
    clock = time.thread_time if threads == 1 else time.perf_counter
    runs = [_runner(probe, threads) for probe in probes]
    numbers = [max(1, int(SAMPLE_SECONDS / _timed(run, 1, clock))) for run in runs]
    rounds = [
        [_timed(run, number, clock) for run, number in zip(runs, numbers, strict=True)]
        for _ in range(ROUNDS)
    ]
    fastest: NDArray[np.float64] = np.min(rounds, axis=0)
    return fastest


def _timed(run: Callable[[], Any], number: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(number):
        run()
    return (clock() - began) / number


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
    blocked = probe.kind == "blocked"
    shape = (1, probe.width, probe.batch) if blocked else (probe.batch, probe.width)
    binding = session.io_binding()
    binding.bind_cpu_input("x", np.ones(shape, np.float32))
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    return lambda: session.run_with_iobinding(binding)


def _model(probe: _Probe) -> Any:
    """Return layers of the probe's kind, each with its own weights."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    groups, m, k = probe.sizes
    nodes, constants, x = [], [], "x"

    def constant(name: str, array: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(array, name))
        return name

    for i in range(probe.repeats):
        y = "y" if i == probe.repeats - 1 else f"y{i}"
        if probe.kind == "transpose":
            nodes.append(helper.make_node("Transpose", [x], [y], perm=[1, 0]))
        elif probe.kind == "dense":
            weight = constant(f"w{i}", np.full((k, m), 1 / k, np.float32))
            bias = constant(f"b{i}", np.zeros(m, np.float32))
            nodes.append(helper.make_node("Gemm", [x, weight, bias], [y]))
        else:
            index = constant(f"i{i}", rng.integers(0, probe.width, groups * k))
            kernel = constant(f"w{i}", np.full((groups * m, k, 1), 1 / k, np.float32))
            nodes.append(helper.make_node("Gather", [x, index], [f"g{i}"], axis=1))
            nodes.append(helper.make_node("Conv", [f"g{i}", kernel], [y], group=groups))
        x = y
    rank = 3 if probe.kind == "blocked" else 2
    declared = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name in "xy"
    ]
    graph = helper.make_graph(nodes, "probe", declared[:1], declared[1:], constants)
    return helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
