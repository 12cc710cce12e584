"""How fast the compiled sparse convolution is beside onnxruntime's dense Conv.

    python tools/benchmarks/native_convolutions.py --output FILE.json
    python tools/benchmarks/native_convolutions.py --only "lenet 2" --sparsity 90 --batch 1

Every case is one layer, or three alike in a row where a layer makes what it reads, since between
convolutions onnxruntime keeps its blocked layout; each has a bias and a Relu. The share of weights
that are zero has no structure. Dense and native run in turns in one process, on one thread, whose
processor time counts; ratios are medians over the rounds' own ratios. onnxruntime optimises all it
can. A case is missed where the rule of `radixfmt.native.choice` takes a sparse convolution that is
more than 10 % slower than the dense one, or leaves one that is more than twice as fast.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from functools import partial
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnxruntime as ort  # noqa: TID253  what is measured runs in it
import scipy.sparse as sp  # noqa: TID253
from command import Measured, answer
from onnx import TensorProto, helper, numpy_helper  # noqa: TID253

import radixfmt as rx
from radixfmt import native
from radixfmt.native.choice import convolution_gain
from radixfmt.native.nodes import IR_VERSION, Lowered, convolution, model_of
from radixfmt.native.packed import pack

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

LEAST = 0.02
"""Seconds that one engine runs in one round, at least."""

TAKEN, LEFT = 1 / 1.1, 2.0
"""Times as fast as dense that a sparse convolution is at least where the rule takes it, and at most
where it does not."""


class Case(NamedTuple):
    """A layer: channels read and made, side of the image, kernel, pad, stride, and how many."""

    channels: int
    filters: int
    side: int
    kernel: int
    pad: int = 0
    stride: int = 1
    layers: int = 1


CASES = {
    "lenet 1: 1-6, 5x5 on 28x28": Case(1, 6, 28, 5, 2),
    "lenet 2: 6-16, 5x5 on 14x14": Case(6, 16, 14, 5),
    "64-64, 3x3 on 56x56": Case(64, 64, 56, 3, 1, layers=3),
    "128-128, 3x3 on 28x28": Case(128, 128, 28, 3, 1, layers=3),
    "256-256, 3x3 on 14x14": Case(256, 256, 14, 3, 1, layers=3),
    "512-512, 3x3 on 7x7": Case(512, 512, 7, 3, 1, layers=3),
    "64-128, 3x3 on 56x56, stride 2": Case(64, 128, 56, 3, 1, 2),
    "128-128, 1x1 on 28x28": Case(128, 128, 28, 1, layers=3),
}


def layer(case: Case, sparsity: float) -> rx.Layer:
    """Return the layer without this share of its weights."""
    rng = np.random.default_rng(0)
    shape = (case.filters, case.channels, case.kernel, case.kernel)
    w = rng.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
    w[np.abs(w) < np.quantile(np.abs(w), sparsity)] = 0
    kept = sp.csc_array(w.reshape(case.filters, -1).T)
    geometry = rx.ConvGeometry(shape[2:], (case.stride,) * 2, (case.pad,) * 4, (1, 1))
    bias = rng.standard_normal(case.filters).astype(np.float32)
    return rx.Layer(
        "conv", rx.Pattern.from_scipy(kept), kept.data, bias, kind="conv", geometry=geometry
    )


def dense(made: rx.Layer, case: Case) -> onnx.ModelProto:
    """Return the layer as Conv and Relu, as often as the case has it."""
    shape = (case.filters, case.channels, case.kernel, case.kernel)
    weight = made.pattern.to_scipy(made.weights).toarray().T.reshape(shape)
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
        for name, array in (("weight", weight), ("bias", made.bias))
    ]
    assert made.geometry is not None  # noqa: S101  it is a convolution
    attributes = {"strides": made.geometry.strides, "pads": made.geometry.pads}
    nodes = []
    for x, y in steps(case):
        conv = helper.make_node("Conv", [x, "weight", "bias"], [f"{y} conv"], **attributes)
        nodes += [conv, helper.make_node("Relu", [f"{y} conv"], [y])]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", case.channels, "H", "W"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", case.filters, "P", "Q"])],
        constants,
    )
    return helper.make_model(
        graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", native.OPSET)]
    )


def sparse(made: rx.Layer, case: Case) -> onnx.ModelProto:
    """Return the layer as SparseConv, as often as the case has it."""
    assert made.geometry is not None  # noqa: S101  it is a convolution
    packed = pack(made, low=0.0)
    parts: list[Lowered] = []
    for x, y in steps(case):
        parts.append(convolution(packed, made.geometry, x, y, f"to {y}"))
    return model_of(parts, case.channels, case.filters, rank=2)


def steps(case: Case) -> list[tuple[str, str]]:
    """Return the names of the tensors that each layer reads and makes."""
    names = ["x", *(f"x{i}" for i in range(1, case.layers)), "y"]
    return list(pairwise(names))


def session(model: onnx.ModelProto) -> Any:
    """Return onnxruntime's session of one thread, with the kernels."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    native.register(options)
    content = model.SerializeToString()
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Return the processor time that one run takes."""
    began = time.thread_time()
    for _ in range(repeats):
        run()
    return (time.thread_time() - began) / repeats


def measure(name: str, sparsity: int, batch: int, rounds: int) -> dict[str, Any]:
    """Run one case; return it as JSON values."""
    case = CASES[name]
    made = layer(case, sparsity / 100)
    sessions = [session(dense(made, case)), session(sparse(made, case))]
    x = np.random.default_rng(1).standard_normal((batch, case.channels, case.side, case.side))
    feed = {"x": x.astype(np.float32)}
    runs = [partial(ran.run, None, feed) for ran in sessions]
    one, other = (run()[0] for run in runs)
    repeats = [max(1, round(LEAST / max(seconds(run, 1), 1e-6))) for run in runs]
    taken: list[list[float]] = [[], []]
    for _ in range(rounds):
        for i, run in enumerate(runs):
            taken[i].append(seconds(run, repeats[i]))
    ratio = statistics.median(a / b for a, b in zip(*taken, strict=True))
    expected = convolution_gain(made, (case.side, case.side))
    places = other.shape[2] * other.shape[3]
    return {
        "case": name,
        "sparsity": sparsity / 100,
        "batch": batch,
        "dense_microseconds": round(statistics.median(taken[0]) * 1e6 / case.layers, 1),
        "native_microseconds": round(statistics.median(taken[1]) * 1e6 / case.layers, 1),
        "times_faster": round(ratio, 2),
        "expected": round(expected, 2),
        "edges_per_second": made.pattern.nnz
        * places
        * batch
        * case.layers
        / statistics.median(taken[1]),
        "largest_difference": float(np.abs(one - other).max() / max(1.0, np.abs(one).max())),
        "met": ratio >= TAKEN if expected > 1 else ratio <= LEFT,
    }


def main() -> int:
    """Run the cases; return 0 if all targets are met, 1 if one is not, 2 for trouble."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", help="cases whose names begin so")
    parser.add_argument("--sparsity", type=int, action="append", help="percent")
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=11)
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    if native.library() is None:
        raise rx.errors.UnsupportedError(native.MISSING)
    results = []
    names = [name for name in CASES if name.startswith(tuple(arguments.only or [""]))]
    for name, sparsity, batch in product(
        names, arguments.sparsity or (80, 90, 95, 98), arguments.batch or (1, 8, 64)
    ):
        found = measure(name, sparsity, batch, arguments.rounds)
        results.append(found)
        print(
            f"{name:<32} {sparsity} % batch {batch:<3} dense {found['dense_microseconds']:9.1f} us "
            f"native {found['native_microseconds']:9.1f} us {found['times_faster']:6.2f}x "
            f"(expected {found['expected']:5.2f}x) {found['edges_per_second'] / 1e9:5.1f} Ge/s "
            f"difference {found['largest_difference']:.0e}{'' if found['met'] else '  MISSED'}",
            flush=True,
        )
    settings = {"rounds": arguments.rounds, "threads": 1, "kernels": native.instructions()}
    return Measured(settings, results, all(found["met"] for found in results))


if __name__ == "__main__":
    sys.exit(main())
