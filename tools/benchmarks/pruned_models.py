"""What pruning saves once a model is exported: accuracy, size of its files, speed against dense.

LeNet-5 and an MLP are trained on digits and lose weights as they learn; a transformer block of
sequences of 64 tokens only loses them, for speed does not depend on what weights have learned.
Speeds are those of `Session`, which chooses compiled operators by itself, of all linear layers
compiled (`native`), and of what `auto` exports, which has none; where `auto` makes the very graph
of the dense export, its ratio shows how far the others can be trusted. All run in turns, in fresh
processes again and again, since one process may be 10 % slower than another for all its life, and
in one order and then the other, since the first in a round may be 5 % slower than the last. A ratio
is the median over those starts of the median over rounds.

    python tools/benchmarks/pruned_models.py --output tools/benchmarks/results/pruned_models.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch  # noqa: TID253  what is measured is made of it
from command import Measured, answer
from pruned_training import KINDS, Kind, accuracy, dense_accuracy, sparse_module

import radixfmt as rx

from digits import digits  # isort: skip  pruned_training says where it is

if TYPE_CHECKING:
    from digits import Digits
    from torch import nn

    from radixfmt.benchmark.result import BenchResult
    from radixfmt.model.network import Network

SPARSITIES = (0.9, 0.95)
EPOCHS = 8
ENGINES = ("session", "native", "auto", "dense")
EXACT = 1e-5
"""The largest relative distance from the float64 reference."""

SIZES = {
    "pt": "state dict (.pt)",
    "rx": ".rx.h5",
    "rx_small": ".rx.h5 --small",
    "onnx_dense": "ONNX dense",
    "onnx_auto": "ONNX auto",
    "onnx_sparse_initializer": "ONNX sparse",
    "onnx_native": "ONNX native",
}
"""Files by the name in JSON and in what is printed."""


def main() -> int:
    """Measure all models; return 0, 1 if one is slower than it may be, or 2 for trouble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test that no target judges")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--starts", type=int, default=4, help="times that processes are started")
    parser.add_argument("--repeats", type=int, default=9, help="rounds of each start")
    parser.add_argument("--seconds", type=float, default=60, help="time budget of each start")
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    """Measure and print."""
    torch.set_num_threads(arguments.threads)
    quick, data = arguments.quick, digits()
    if quick:
        data = data.first(1000, 200)
    epochs = 1 if quick else EPOCHS
    cases = []
    for name in list(KINDS)[:1] if quick else KINDS:
        kind = KINDS[name]
        dense = dense_accuracy(kind, data, epochs) if kind.learns else None
        for sparsity in SPARSITIES[:1] if quick else SPARSITIES:
            module = sparse_module(kind, sparsity, data, epochs)
            case = {"model": name, "sparsity": sparsity}
            case |= _measured(kind, module, data, dense, arguments)
            cases.append(case)
            print("\n".join(_lines(case)), flush=True)
    print(f"Accuracy: {data.source}. Speed: how many times that of ONNX dense.")
    keys = ("threads", "starts", "repeats", "seconds")
    settings = {key: getattr(arguments, key) for key in keys}
    met = all(speed["met"] for case in cases for speed in case["speed"])
    return Measured(settings | {"digits": data.source, "epochs": epochs}, cases, met or quick)


def _measured(
    kind: Kind, module: nn.Module, data: Digits, dense: float | None, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return one model's accuracy, sizes and speeds as JSON values."""
    net = rx.from_torch(module, torch.zeros(2, *kind.shape))
    found = None if dense is None else {"dense": dense, "pruned": accuracy(net, kind, data)}
    graphs = [_graph(net, name) for name in ("auto", "dense")]
    return {
        "accuracy": found,
        "bytes": _sizes(net, module),
        "auto_is_dense": graphs[0] == graphs[1],
        "least": kind.least,
        "speed": _speed(net, kind, arguments),
    }


def _speed(net: Network, kind: Kind, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return how fast the engines are at each batch, as JSON values."""
    batches = kind.batches[:1] if arguments.quick else kind.batches
    engines = [f"ort-{name}" for name in ENGINES]
    taken: dict[int, dict[str, list[BenchResult]]] = {
        batch: {name: [] for name in ENGINES} for batch in batches
    }
    for start in range(arguments.starts):
        for result in rx.bench(
            net,
            engines=engines[:: -1 if start % 2 else 1],
            batch=batches,
            threads=arguments.threads,
            repeats=arguments.repeats,
            time_budget=arguments.seconds,
        ):
            taken[result.batch][result.engine.removeprefix("ort-")].append(result)
    return [_at(batch, results, kind.least) for batch, results in taken.items()]


def _at(batch: int, taken: dict[str, list[BenchResult]], least: float) -> dict[str, Any]:
    """Return how fast the engines are at one batch, from what each did at every start."""
    ratios = {
        name: [ours.speedup(dense) for ours, dense in zip(results, taken["dense"], strict=True)]
        for name, results in taken.items()
        if name != "dense"
    }
    times = {name: statistics.median(each) for name, each in ratios.items()}
    seconds = {
        name: statistics.median(one.seconds["median"] for one in results)
        for name, results in taken.items()
    }
    max_rel = max(one.parity.max_rel for results in taken.values() for one in results)
    return {
        "batch": batch,
        "times": times,
        "starts": ratios,
        "seconds": seconds,
        "lowering": {name: results[0].lowering for name, results in taken.items()},
        "max_rel": max_rel,
        "met": times["session"] >= least and max_rel <= EXACT,
    }


def _graph(net: Network, lowering: str) -> bytes:
    """Return the graph of an export, equal for equal ones."""
    exported = rx.to_onnx(net, lowering=lowering)
    made: bytes = exported.graph.SerializeToString(deterministic=True)
    return made


def _sizes(net: Network, module: nn.Module) -> dict[str, int | None]:
    """Return the bytes of a model in every form, None where there is no such form of it."""
    with TemporaryDirectory(prefix="radixfmt-sizes-") as folder:
        plain, small, state = (Path(folder) / name for name in ("a.rx.h5", "b.rx.h5", "c.pt"))
        rx.write(plain, net)
        rx.convert(plain, small, small=True)
        torch.save(module.state_dict(), state)
        found = {"pt": state, "rx": plain, "rx_small": small}
        sizes: dict[str, int | None] = {key: path.stat().st_size for key, path in found.items()}
    for lowering in ("dense", "auto", "sparse_initializer", "native"):
        try:
            size = rx.to_onnx(net, lowering=lowering).ByteSize()
        except rx.RadixfmtError:
            size = None
        sizes[f"onnx_{lowering}"] = size
    return sizes


def _lines(case: dict[str, Any]) -> list[str]:
    """Return what is printed of a case."""
    learned = case["accuracy"]
    right = f", {learned['pruned']:.2%} right, dense {learned['dense']:.2%}" if learned else ""
    sizes = (
        f"{label} {'-' if size is None else f'{size / 1000:.0f}'}"
        for label, size in zip(SIZES.values(), (case["bytes"][key] for key in SIZES), strict=True)
    )
    lines = [f"{case['model']}, {case['sparsity']:.0%} pruned{right}", f"  kB: {', '.join(sizes)}"]
    for speed in case["speed"]:
        times = ", ".join(f"{name} {value:.2f}x" for name, value in speed["times"].items())
        lines.append(f"  batch {speed['batch']}: {times}{'' if speed['met'] else ' MISSED'}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
