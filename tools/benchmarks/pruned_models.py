"""What pruning saves once a model is exported: size of its files, and speed against dense.

LeNet-5 and an MLP with He-normal weights, of which the smallest are pruned; nothing is trained,
since neither sizes nor speed depend on what the weights have learned. Every model is exported as
`auto` and as `dense`; both run in turns, and a ratio is the median over rounds.

    python tools/benchmarks/pruned_models.py --output tools/benchmarks/results/pruned_models.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch  # noqa: TID253  what is measured is made of it
from command import Measured, answer
from models import LeNet5, mlp, pruned
from torch import nn  # noqa: TID253
from torch.nn.utils import prune  # noqa: TID253

import radixfmt as rx

if TYPE_CHECKING:
    from radixfmt.model.network import Network

MODELS = {
    "LeNet-5": (LeNet5, (1, 28, 28)),
    "MLP 784-1024-1024-10": (lambda: mlp(784, 1024, 1024, 10), (784,)),
}
SPARSITIES = (0.9, 0.95)
BATCHES = (1, 64, 1024)
SIZES = {
    "pt": "state dict (.pt)",
    "rx": ".rx.h5",
    "rx_small": ".rx.h5 --small",
    "onnx_dense": "ONNX dense",
    "onnx_auto": "ONNX auto",
    "onnx_sparse_initializer": "ONNX sparse",
}
"""Files by the name in JSON and in the table."""


def main() -> int:
    """Measure all models; return 0, or 2 for trouble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one model and batch: a smoke test")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=90, help="time budget of each model")
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    """Measure and print."""
    names = list(MODELS)[:1] if arguments.quick else list(MODELS)
    batches = BATCHES[:1] if arguments.quick else BATCHES
    print(_row(["model", "pruned", *SIZES.values(), *(f"batch {b}" for b in batches)]))
    cases = []
    for name in names:
        for sparsity in SPARSITIES[:1] if arguments.quick else SPARSITIES:
            case = _measured(name, sparsity, batches, arguments)
            cases.append(case)
            sizes = (_kilobytes(case["bytes"][key]) for key in SIZES)
            ratios = (f"{speed['times']:.2f}x" for speed in case["speed"])
            print(_row([name, f"{sparsity:.0%}", *sizes, *ratios]), flush=True)
    print("Files in kB of 1000 bytes; speed of ONNX auto, how many times that of ONNX dense.")
    settings = {key: getattr(arguments, key) for key in ("threads", "repeats", "seconds")}
    return Measured(settings, cases)


def _measured(
    name: str, sparsity: float, batches: tuple[int, ...], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return one model's sizes and speeds as JSON values."""
    make, shape = MODELS[name]
    torch.manual_seed(0)
    module = make()
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
    net = rx.from_torch(pruned(module, sparsity), torch.zeros(2, *shape))
    results = rx.bench(
        net,
        engines=("ort-auto", "ort-dense"),
        batch=batches,
        threads=arguments.threads,
        repeats=arguments.repeats,
        time_budget=arguments.seconds,
    )
    speed = [
        {
            "batch": auto.batch,
            "times": auto.speedup(dense),
            "rounds": len(auto.samples["steady"]),
            "lowering": auto.lowering,
            "seconds": {"auto": auto.seconds["median"], "dense": dense.seconds["median"]},
            "max_rel": auto.parity.max_rel,
        }
        for auto, dense in zip(results[::2], results[1::2], strict=True)
    ]
    return {"model": name, "sparsity": sparsity, "bytes": _sizes(net, module), "speed": speed}


def _sizes(net: Network, module: nn.Module) -> dict[str, int | None]:
    """Return the bytes of a model in every form, None where there is no such form of it."""
    with TemporaryDirectory(prefix="radixfmt-sizes-") as folder:
        plain, small, state = (Path(folder) / name for name in ("a.rx.h5", "b.rx.h5", "c.pt"))
        rx.write(plain, net)
        rx.convert(plain, small, small=True)
        for part in module.modules():
            if prune.is_pruned(part) and hasattr(part, "weight_mask"):
                prune.remove(part, "weight")
        torch.save(module.state_dict(), state)
        found = {"pt": state, "rx": plain, "rx_small": small}
        sizes: dict[str, int | None] = {key: path.stat().st_size for key, path in found.items()}
    for lowering in ("auto", "dense", "sparse_initializer"):
        try:
            size = rx.to_onnx(net, lowering=lowering).ByteSize()
        except rx.RadixfmtError:
            size = None
        sizes[f"onnx_{lowering}"] = size
    return sizes


def _kilobytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1000:.0f}"


def _row(cells: list[str]) -> str:
    return f"{cells[0]:<22}{cells[1]:>7}" + "".join(f"{cell:>17}" for cell in cells[2:])


if __name__ == "__main__":
    sys.exit(main())
