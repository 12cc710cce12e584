"""The compiled operators on a GPU, for gpu.py: each checked in every way it can run, then timed.

Models are of the operators' nodes alone. On a CPU the same code runs the CPU's kernels.
"""

from __future__ import annotations

import time
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import radixfmt as rx
from radixfmt.backends.parity import parity
from radixfmt.backends.precision import FLOAT32, TF32
from radixfmt.backends.scipy import reference
from radixfmt.benchmark.result import BenchResult
from radixfmt.benchmark.workload import checked_rows, samples
from radixfmt.native.choice import chosen
from radixfmt.native.nodes import linear, model_of, stack
from radixfmt.native.packed import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import onnx

    from radixfmt.model.network import Network
    from radixfmt.native.packed import Packed

ENGINE = "ort-native"

STACK, SINGLE = "SparseStack", "one node per layer"

ROWS = (1, 5, 33, 1000)
"""Samples of the checks: a kernel for one, for few, for tiles that are cut short, for many."""

WIDTHS = (96, 1024, 4096)
"""Neurons of the checks: tiles of 64 samples, of 28, and activations in the second-level cache.

With TF32, groups are on tensor cores in tiles, and in float32 elsewhere."""

LEAST_SECONDS = 0.02
"""Time that one sample takes at least."""


Found = BenchResult | rx.RadixfmtError


class Case(NamedTuple):
    """One way to run a network.

    Attributes:
        name: of the network.
        network: chain of layers with Relu.
        pack: makes a layer what the operators take.
        form: `STACK` or `SINGLE`.
        graph: record the kernels once and replay them.
        precision: of products, float32 or TF32.
    """

    name: str
    network: Network
    pack: Callable[..., Packed]
    form: str
    graph: bool
    precision: str


def checks(device: str, *, quick: bool) -> Iterator[tuple[Case, Found]]:
    """Yield every operator in every way it can run, on networks of three layers."""
    rng = np.random.default_rng(0)
    for width in WIDTHS[:1] if quick else WIDTHS:
        layers = [_random(width, rng, np.float32) for _ in range(3)]
        halves = [_random(width, rng, np.float16) for _ in range(3)]
        networks = {
            "rows": (rx.chain(layers, activation="Relu"), pack),
            "rows, float16": (rx.chain(halves, activation="Relu"), pack),
            "groups": (_groups(width, 3), chosen),
        }
        for name, (network, packs) in networks.items():
            yield from _ways(f"{name}, {width}", network, packs, device, ROWS, 1)


def timed(network: Network, rows: int, device: str, rounds: int) -> Iterator[tuple[Case, Found]]:
    """Yield the stack and the single layers, with TF32, with CUDA graphs, and without."""
    yield from _ways("RadiX-Net", network, chosen, device, (rows,), rounds)


def _ways(
    name: str,
    network: Network,
    packs: Callable[..., Packed],
    device: str,
    rows: Sequence[int],
    rounds: int,
) -> Iterator[tuple[Case, Found]]:
    on_gpu = device == "cuda"
    precisions, graphs = (FLOAT32, TF32)[: 1 + on_gpu], (False, True)[: 1 + on_gpu]
    for form, precision, graph in product((STACK, SINGLE), precisions, graphs):
        case = Case(name, network, packs, form, graph, precision)
        try:
            for found in _measured(case, device, rows, rounds):
                yield case, found
        except rx.RadixfmtError as error:  # other cases may still run
            yield case, error


def _random(width: int, rng: np.random.Generator, dtype: Any) -> rx.Layer:
    """Return a layer of 32 random inputs for each output."""
    rows = np.sort(np.argsort(rng.random((width, width)), axis=1)[:, :32], axis=1)
    pattern = rx.Pattern.explicit((width, width), np.arange(width + 1) * 32, rows.reshape(-1))
    weights = rng.normal(0, 0.25, pattern.nnz).astype(dtype)
    bias = rng.normal(0, 0.1, width).astype(np.float32)
    return rx.Layer("layer", pattern, weights, bias=bias)


def _groups(width: int, layers: int) -> Network:
    """Return a RadiX-Net, whose outputs share inputs in groups."""
    bits = (width // 16).bit_length() - 1
    repeats = width // 2**bits
    made = rx.generate(
        "radix-net", systems=[[2] * bits], widths=[repeats] * (bits + 1), weights="he"
    )
    return rx.chain([made.layers[i % bits] for i in range(layers)], activation="Relu")


def _model(case: Case) -> onnx.ModelProto:
    packed = [case.pack(layer, low=0) for layer in case.network.layers]
    if case.form == STACK:
        nodes = [stack(packed, "x", "y", "stack")]
    else:
        names = ["x", *(f"x{i}" for i in range(1, len(packed))), "y"]
        nodes = [
            linear(layer, names[i], names[i + 1], f"layer{i}") for i, layer in enumerate(packed)
        ]
    return model_of(nodes, packed[0].n_in, packed[-1].n_out)


def _measured(case: Case, device: str, rows: Sequence[int], rounds: int) -> Iterator[BenchResult]:
    """Yield a result for each number of rows."""
    with rx.Session(
        _model(case),
        device=device,
        tile=max(rows),
        cuda_graph=case.graph,
        precision=case.precision,
        threads=1,
    ) as session:
        placed = None if case.graph else session.placement().as_json()
        for count in rows:
            x = samples(case.network, count, 0)
            bound = session.bind(x)
            steady = _steady(bound.run, rounds)
            checked = checked_rows(count)
            yield BenchResult(
                engine=ENGINE,
                provider=session.provider,
                lowering=case.form,
                batch=count,
                threads=1,
                samples={"steady": steady},
                edges=case.network.nnz,
                peak_bytes=None,
                parity=parity(bound.outputs()[checked], reference(case.network, x[checked])),
                config={"cuda_graph": case.graph, "case": case.name},
                precision=case.precision,
                placement=placed,
            )


def _steady(run: Callable[[], None], rounds: int) -> list[int]:
    """Return the nanoseconds of a run in each round."""
    for _ in range(4):  # graphs are recorded after two runs
        run()
    began = time.perf_counter()
    run()
    took = time.perf_counter() - began
    repeats = max(1, round(LEAST_SECONDS / took)) if rounds > 1 else 1
    steady = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(repeats):
            run()
        steady.append((time.perf_counter_ns() - start) // repeats)
    return steady
