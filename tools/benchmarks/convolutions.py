"""What the form that a sparse convolution is exported in saves beside one dense Conv.

    python tools/benchmarks/convolutions.py --output tools/benchmarks/results/convolutions.json

Each case is one convolution with bias and Relu, exported dense, in every other form there is, and
as `auto` chooses for the batch. In every round all of them run in turns, in onnxruntime on one
thread; ratios are medians over the rounds' own ratios to the dense form. This is done at two
levels of onnxruntime's optimisation: `stock`, its default, in which some convolutions get a blocked
channel layout, and `extended`, without it. The targets: what `auto` takes is never more than 10 %
slower than the dense form, at either level, nor than 20 % slower than the best one at `extended`,
for which estimates are made; a form with Gathers must promise 15 % before it is taken.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from command import Measured, answer

import radixfmt as rx
from radixfmt.export.convolutions import convolution
from radixfmt.export.convolutions.case import case_of
from radixfmt.export.convolutions.choice import choose
from radixfmt.export.convolutions.emission import emit
from radixfmt.export.costs import costs_of
from radixfmt.export.graph import GraphBuilder
from radixfmt.export.lowerings import Setting
from radixfmt.export.nodes import IR_VERSION, OPSET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.export.lowerings import Estimate
    from radixfmt.model.layer import Layer

SLOWER, BEHIND = 1.1, 1.2
"""Times the seconds of the dense and of the best form that `auto` may take."""

BATCHES = (1, 32)
LEVELS = ("extended", "stock")
FLOAT = np.dtype(np.float32)


def cases() -> Iterator[tuple[str, Layer, int]]:
    """Yield names, layers and the height and width of their inputs."""
    rng = np.random.default_rng(0)

    def layer(mask: np.ndarray[Any, Any], pad: int = 1, group: int = 1) -> Layer:
        """Return a convolution with edges where `mask` `[C_out, C_in / group, …]` is set."""
        import scipy.sparse as sp

        pattern = rx.Pattern.from_scipy(sp.csc_array(mask.reshape(len(mask), -1).T))
        rank = mask.ndim - 2
        geometry = rx.ConvGeometry(
            mask.shape[2:], (1,) * rank, (pad,) * 2 * rank, (1,) * rank, group
        )
        weights = rng.standard_normal(pattern.nnz).astype(FLOAT) / 10
        bias = rng.standard_normal(len(mask)).astype(FLOAT)
        return rx.Layer("conv", pattern, weights, bias, kind="conv", geometry=geometry)

    def dropped(width: int, channels: float, filters: float, kernel: int = 3) -> Layer:
        mask = np.ones((width, width, kernel, kernel), bool)
        mask[:, rng.permutation(width)[: round(channels * width)]] = False
        mask[rng.permutation(width)[: round(filters * width)]] = False
        return layer(mask, kernel // 2)

    def blocks(width: int, size: int, share: float, kernel: int = 3, *, mixed: bool) -> Layer:
        count = width // size
        chosen = np.zeros((count, count), bool)
        for row in chosen:
            row[rng.permutation(count)[: max(1, round(share * count))]] = True
        pairs = np.kron(chosen, np.ones((size, size), bool))
        if mixed:
            pairs = pairs[rng.permutation(width)][:, rng.permutation(width)]
        return layer(np.broadcast_to(pairs[..., None, None], (width, width, kernel, kernel)), 1)

    yield "64 channels, 10 % of channels dropped", dropped(64, 0.1, 0), 32
    for share in (0.5, 0.75):
        yield f"64 channels, {share:.0%} of channels dropped", dropped(64, share, 0), 32
        yield f"64 channels, {share:.0%} of filters dropped", dropped(64, 0, share), 32
        yield f"64 channels, {share:.0%} of both dropped", dropped(64, share, share), 32
    yield "256 channels, 50 % of both dropped", dropped(256, 0.5, 0.5), 8
    yield "256 channels, 1 x 1, 50 % of both dropped", dropped(256, 0.5, 0.5, 1), 14
    yield "64 channels, 1 x 1, 50 % of filters dropped", dropped(64, 0, 0.5, 1), 56
    yield "64 channels, blocks of 16, 25 %", blocks(64, 16, 0.25, mixed=False), 32
    yield "64 channels, blocks of 16, 25 %, mixed", blocks(64, 16, 0.25, mixed=True), 32
    yield "160 channels, blocks of 16, 10 %, mixed", blocks(160, 16, 0.1, mixed=True), 16
    yield "256 channels, blocks of 16, 25 %, mixed", blocks(256, 16, 0.25, mixed=True), 8
    yield "64 channels, blocks of 8, 12.5 %, mixed", blocks(64, 8, 0.125, mixed=True), 32
    yield "64 channels, blocks of 2, 25 %, mixed", blocks(64, 2, 0.25, mixed=True), 32
    row = np.zeros((64, 64, 3, 3), bool)
    row[:, :, 1] = True
    yield "64 channels, one row of taps", layer(row), 32
    yield "64 channels, depthwise", layer(np.ones((64, 1, 3, 3), bool), 1, 64), 32
    half = np.ones((64, 1, 3, 3), bool)
    half[rng.permutation(64)[:32]] = False
    yield "64 channels, depthwise, 50 % dropped", layer(half, 1, 64), 32
    for share in (0.5, 0.1):
        mask = rng.random((64, 64, 3, 3)) < share
        yield f"64 channels, {share:.0%} of weights at random", layer(mask), 32


def session(layer: Layer, offer: Estimate, channels: int, level: str) -> Any:
    """Return onnxruntime's session of a convolution in one form, and a Relu."""
    import onnxruntime
    from onnx import TensorProto, helper

    graph = GraphBuilder(FLOAT, target="cpu", reserved=["x", "y"])
    made = emit(graph, layer, offer.form, "x", FLOAT)
    graph.nodes.append(helper.make_node("Relu", [made], ["y"]))
    model = graph.model
    model.ir_version, model.graph.name = IR_VERSION, "conv"
    model.opset_import.append(helper.make_opsetid("", OPSET))
    for values, name, size in (
        (model.graph.input, "x", channels),
        (model.graph.output, "y", layer.pattern.shape[1]),
    ):
        shape = ["B", size, "H", "W"]
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if level == "extended":
        every = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = every.ORT_ENABLE_EXTENDED
    content = model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def measure(
    name: str, layer: Layer, size: int, batch: int, level: str, repeats: int
) -> dict[str, Any]:
    """Run one case at one batch; return it as JSON values."""
    setting = Setting(batch, "cpu", costs_of("cpu"), FLOAT.itemsize)
    case = case_of(layer, (size, size), setting)
    offers = {way: offer for way in convolution if (offer := convolution[way](case)) is not None}
    chosen, _ = choose(layer, (size, size), setting, "auto")
    sessions = {way: session(layer, offer, case.channels, level) for way, offer in offers.items()}
    x = np.random.default_rng(1).standard_normal((batch, case.channels, size, size)).astype(FLOAT)
    outputs = {way: running.run(None, {"x": x})[0] for way, running in sessions.items()}
    seconds: dict[str, list[float]] = {way: [] for way in offers}
    for _ in range(repeats):
        for way, running in sessions.items():
            began = time.perf_counter()
            running.run(None, {"x": x})
            seconds[way].append(time.perf_counter() - began)

    def ratio(a: str, b: str) -> float:
        return statistics.median(s / t for s, t in zip(seconds[a], seconds[b], strict=True))

    beside_best = max(ratio(chosen, way) for way in offers)
    return {
        "case": name,
        "batch": batch,
        "level": level,
        "chosen": chosen,
        "milliseconds": {
            way: round(statistics.median(taken) * 1e3, 3) for way, taken in seconds.items()
        },
        "estimated_milliseconds": {
            way: round(offer.seconds * 1e3, 3) for way, offer in offers.items()
        },
        "times_faster_than_dense": {way: round(ratio("dense", way), 3) for way in offers},
        "times_the_best": round(beside_best, 3),
        "largest_difference": max(float(abs(y - outputs["dense"]).max()) for y in outputs.values()),
        "met": ratio(chosen, "dense") <= SLOWER and (level != "extended" or beside_best <= BEHIND),
    }


def main() -> int:
    """Run the cases; return 0 if all targets are met, 1 if one is not, 2 for trouble."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    results = []
    for name, layer, size in cases():
        for batch in BATCHES:
            for level in LEVELS:
                found = measure(name, layer, size, batch, level, arguments.repeats)
                results.append(found)
                times = ", ".join(
                    f"{way} {taken:.2f} ({found['estimated_milliseconds'][way]:.2f})"
                    for way, taken in found["milliseconds"].items()
                )
                print(
                    f"{name}; batch {batch}, {level}: {found['chosen']}, "
                    f"{found['times_faster_than_dense'][found['chosen']]:.2f} times faster than "
                    f"dense{'' if found['met'] else '  MISSED'}\n  milliseconds: {times}",
                    flush=True,
                )
    met = all(found["met"] for found in results)
    return Measured({"repeats": arguments.repeats, "threads": 1}, results, met)


if __name__ == "__main__":
    sys.exit(main())
