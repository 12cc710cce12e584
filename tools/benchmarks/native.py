"""How fast the compiled operators are: beside dense, blocked and CSR, and beside the machine.

    python tools/benchmarks/native.py --output tools/benchmarks/results/NAME.json
    python tools/benchmarks/native.py --only radix-1024

Networks have He-normal weights and Relu. Everything in a case runs in turns in one process, on one
thread, and the processor time of that thread counts, so that others on the machine disturb little;
ratios are medians over the rounds' own ratios. Dense stacks and CSR take layers enough to leave the
cache, and are compared by time per layer. `peak` is the share of the multiply-adds that the vector
units can do at most, `cache` that of the bytes they can read of the second-level cache, both
measured in the same round: what a layer has to read and write there is counted by `traffic`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnxruntime as ort  # noqa: TID253  what is measured runs in it
import scipy.sparse as sp  # noqa: TID253

import radixfmt as rx
from radixfmt import native
from radixfmt.benchmark.environment import environment
from radixfmt.native.choice import chosen
from radixfmt.native.nodes import model_of, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from radixfmt.native.packed import Packed

ROUNDS = 11
LEAST = 0.03
"""Seconds that one engine runs in one round, at least."""

TILE = 256
"""Samples that scipy and blocked graphs get at a time, so that they stay in the cache."""


SAMPLES = 64
"""Of a tile of the kernels."""


class Peak(NamedTuple):
    """What the machine can do: multiply-adds and bytes per second."""

    multiply: Any
    read: Any


@dataclass(frozen=True, slots=True)
class Case:
    """A network in its whole depth, and what it is compared with on fewer layers.

    `targets`: engine → how many times as fast the native stack has to be.
    """

    network: Callable[[int], rx.Network]
    layers: int
    few: int
    batch: int
    targets: dict[str, float]


def radix(bits: int) -> Callable[[int], rx.Network]:
    """Return what makes RadiX-Nets of 2^bits groups of 16 neurons, with 32 edges per neuron."""

    def make(layers: int) -> rx.Network:
        systems = [[2] * bits] * (layers // bits) + [[2] * (layers % bits)] * bool(layers % bits)
        widths = [16] * (layers + 1)
        given: dict[str, Any] = {"systems": systems, "widths": widths}
        return rx.generate("radix-net", weights="he", activation="relu", **given)

    return make


def uniform(layers: int) -> rx.Network:
    """Return layers of 1024 neurons with 32 random inputs each."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(layers):
        rows = np.sort(np.argsort(rng.random((1024, 1024)), axis=1)[:, :32], axis=1)
        pattern = rx.Pattern.explicit((1024, 1024), np.arange(1025) * 32, rows.reshape(-1))
        weights = rng.normal(0, 0.25, pattern.nnz).astype(np.float32)
        made.append(rx.Layer(f"layer{i}", pattern, weights))
    return rx.chain(made, activation="Relu")


def pruned(sparsity: float) -> Callable[[int], rx.Network]:
    """Return what makes a 784-1024-1024-10 MLP without this share of its weights."""

    def make(_: int) -> rx.Network:
        rng = np.random.default_rng(0)
        made = []
        for i, (n_in, n_out) in enumerate(((784, 1024), (1024, 1024), (1024, 10))):
            w = rng.normal(0, n_in**-0.5, (n_in, n_out)).astype(np.float32)
            w[np.abs(w) < np.quantile(np.abs(w), sparsity)] = 0
            kept = sp.csc_array(w)
            made.append(rx.Layer(f"layer{i}", rx.Pattern.from_scipy(kept), kept.data))
        return rx.chain(made, activation="Relu")

    return make


R1, R4, R16 = radix(6), radix(8), radix(10)
CASES = {
    "radix-1024": Case(R1, 120, 24, 4096, {"dense": 28, "blocked": 2}),
    "radix-4096": Case(R4, 120, 8, 4096, {"dense": 100, "blocked": 2}),
    "radix-16384": Case(R16, 40, 0, 1024, {}),
    "radix-1024-batch-1": Case(R1, 120, 24, 1, {"dense": 20}),
    "radix-1024-batch-64": Case(R1, 120, 24, 64, {}),
    "uniform-1024": Case(uniform, 120, 24, 4096, {"dense": 9, "scipy": 3.2}),
    "uniform-1024-batch-1": Case(uniform, 24, 24, 1, {}),
    **{
        f"pruned-{share}-batch-{batch}": Case(pruned(share / 100), 3, 3, batch, {"dense": 2})
        for share in (90, 95)
        for batch in (1, 64, 1024)
    },
}


def session(model: bytes, *, registered: bool = False, threads: int = 1) -> Any:
    """Return an onnxruntime session of as many threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if registered and not native.register(options):
        raise SystemExit(native.MISSING)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def engines(
    case: Case, samples: NDArray[np.float32], packed: Sequence[Packed]
) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return what is measured, and how many layers each runs."""
    made = model_of([stack(packed, "x", "y", "stack")], packed[0].n_in, packed[-1].n_out)
    ours = session(made.SerializeToString(), registered=True)
    found: dict[str, tuple[Callable[[], Any], int]] = {
        "native": (lambda: ours.run(None, {"x": samples}), case.layers)
    }
    if not case.few:
        return found
    few = case.network(case.few)
    exported = {name: rx.to_onnx(few, lowering=name) for name in ("dense", "blocked")}
    for name, export in exported.items():
        other = session(export.SerializeToString())
        given = other.get_inputs()[0].name
        tile = TILE if name == "blocked" else case.batch

        def run(ran: Any = other, x: str = given, tile: int = tile) -> None:
            for start in range(0, case.batch, tile):
                ran.run(None, {x: samples[start : start + tile]})

        found[name] = (run, case.few)
    matrices = [layer.pattern.to_scipy(layer.weights).T.tocsr() for layer in few.layers]
    columns = np.ascontiguousarray(samples.T)

    def csr() -> None:
        for start in range(0, columns.shape[1], TILE):
            x = np.ascontiguousarray(columns[:, start : start + TILE])
            for matrix in matrices:
                x = matrix @ x
                np.maximum(x, 0, out=x)

    found["scipy"] = (csr, case.few)
    return found


def traffic(layers: Sequence[Packed]) -> float:
    """Return the bytes per edge and sample that cross the second-level cache, of large batches.

    A group's inputs are read once, a row's with every edge; outputs are written and turned into the
    next layer's inputs; weights and indices are read once for a tile of samples.
    """
    found = 0
    for layer in layers:
        read = layer.inputs.size
        once = layer.weights.nbytes + layer.inputs.nbytes
        found += 4 * read + 8 * layer.n_out + once / SAMPLES
    return found / sum(layer.weights.size for layer in layers)


def measure(name: str, case: Case, peak: Peak) -> dict[str, Any]:
    """Return what one case took."""
    rng = np.random.default_rng(1)
    network = case.network(case.layers)
    x = rng.random((case.batch, network.headers[0][1][0]), np.float32)
    edges = sum(layer.pattern.nnz for layer in network.layers) * case.batch
    packed = [chosen(layer, low=0) for layer in network.layers]
    running = engines(case, x, packed)
    times: dict[str, list[float]] = {key: [] for key in running}
    peaks, reads = [], []
    repeats = {}
    for key, (run, _) in running.items():
        run()
        began = time.thread_time()
        run()
        repeats[key] = max(1, int(LEAST / max(time.thread_time() - began, 1e-6)))
    for _ in range(ROUNDS):
        peaks.append(peak.multiply())
        reads.append(peak.read())
        for key, (run, layers) in running.items():
            began = time.thread_time()
            for _ in range(repeats[key]):
                run()
            times[key].append((time.thread_time() - began) / repeats[key] / layers)
    ours = times["native"]
    rate = [edges / case.layers / took for took in ours]
    found = {
        "case": name,
        "batch": case.batch,
        "layers": case.layers,
        "edges_per_second": statistics.median(rate),
        "microseconds_per_layer": 1e6 * statistics.median(ours),
        "peak": statistics.median(a / b for a, b in zip(rate, peaks, strict=True)),
        "cache": traffic(packed)
        * statistics.median(a / b for a, b in zip(rate, reads, strict=True)),
        "times": {
            key: statistics.median(a / b for a, b in zip(other, ours, strict=True))
            for key, other in times.items()
            if key != "native"
        },
    }
    found["missed"] = [key for key, least in case.targets.items() if found["times"][key] < least]
    return found


def main() -> int:
    """Run the cases; return 1 if one misses a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(CASES), action="append")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "fma_peak.so"
        source = Path(__file__).with_name("fma_peak.c")
        compiler = shutil.which("cc") or "cc"
        subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", library, source], check=True)
        name = native.instructions() or "avx2"
        peak = Peak(*(getattr(ctypes.CDLL(str(library)), f) for f in (name, f"{name}_read")))
        for function in peak:
            function.restype = ctypes.c_double
        found = []
        for name in arguments.only or CASES:
            result = measure(name, CASES[name], peak)
            found.append(result)
            ratios = ", ".join(f"{value:.1f}x {key}" for key, value in result["times"].items())
            print(
                f"{name:<22} {result['microseconds_per_layer']:9.1f} us/layer "
                f"{result['edges_per_second'] / 1e9:6.1f} Ge/s {result['peak']:4.0%} of peak, "
                f"{result['cache']:4.0%} of cache  "
                f"{ratios}{'  MISSED ' + ' '.join(result['missed']) if result['missed'] else ''}",
                flush=True,
            )
    if arguments.output:
        content = {"environment": environment(), "rounds": ROUNDS, "cases": found}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return int(any(result["missed"] for result in found))


if __name__ == "__main__":
    sys.exit(main())
