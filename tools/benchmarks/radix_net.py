"""How much faster than dense, and than CSR, a RadiX-Net runs: the headline figures.

The networks have the Graph Challenge's shapes (1024 and 4096 neurons, 120 layers, 32 edges per
neuron), He-normal random weights and Relu. Everything in a case runs in turns; each ratio is the
median over rounds. A dense stack of 120 layers of 4096 neurons would need 8 GB of weights, so
there all engines are compared on the same shorter stack, and the full one is run without dense.

    python tools/benchmarks/radix_net.py --output tools/benchmarks/results/NAME.json

On a machine with an NVIDIA GPU, with the extra `gpu` installed (scipy stays on the CPU):

    python tools/benchmarks/radix_net.py --device cuda --batch 60000 --output …/results/NAME.json
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import radixfmt as rx
from radixfmt.benchmark import bench
from radixfmt.benchmark.environment import environment
from radixfmt.benchmark.table import table
from radixfmt.files import check_target, replacing

if TYPE_CHECKING:
    from radixfmt.benchmark.result import BenchResult
    from radixfmt.model.network import Network

OURS, DENSE, SCIPY = "ort-auto", "ort-dense", "scipy"
SETTINGS = ("batch", "threads", "device", "repeats", "seconds")


@dataclass(frozen=True, slots=True)
class Case:
    """One `bench` call: 2^bits groups of 16 neurons, cycles of `bits` layers.

    `targets` are the least ratios, engine → how many times faster `OURS` has to be.
    """

    bits: int
    cycles: int
    engines: tuple[str, ...]
    targets: dict[str, float]
    note: str

    @property
    def neurons(self) -> int:
        """Neurons of each layer."""
        return 16 << self.bits

    @property
    def layers(self) -> int:
        """Layers of the network."""
        return self.bits * self.cycles

    def network(self) -> Network:
        """Return the RadiX-Net, its layers made on demand."""
        return rx.generate(
            "radix-net",
            systems=[[2] * self.bits] * self.cycles,
            widths=[16] * (self.layers + 1),
            weights="he",
            activation="relu",
        )


CASES = (
    Case(6, 20, (OURS, DENSE, SCIPY), {DENSE: 10, SCIPY: 3}, "all engines on 120 layers"),
    Case(8, 2, (OURS, DENSE, SCIPY), {DENSE: 35, SCIPY: 3}, "16 of 120 layers for all engines"),
    Case(8, 15, (OURS, SCIPY), {SCIPY: 3}, "120 layers; dense weights would need 8 GB"),
)
QUICK = (
    Case(6, 1, (OURS, DENSE, SCIPY), {}, "a smoke test: 6 of 120 layers, no targets"),
    Case(8, 1, (OURS, SCIPY), {}, "a smoke test: 8 of 120 layers, no targets"),
)


def main() -> int:
    """Run the cases; return 0 if all targets are met, 1 if one is not, 2 for trouble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace that file")
    parser.add_argument("--quick", action="store_true", help="a small smoke test")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu",
        help="where ONNX Runtime runs; the targets are for one CPU thread",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=240, help="time budget of each case")
    try:
        return _run(parser.parse_args())
    except rx.RadixfmtError as error:
        print(f"{error}\n{error.hint or ''}".rstrip(), file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write the file if one is asked for."""
    if arguments.output:
        check_target(arguments.output, overwrite=arguments.overwrite)
    cases = [_measure(case, arguments) for case in (QUICK if arguments.quick else CASES)]
    if arguments.output:
        settings = {name: getattr(arguments, name) for name in SETTINGS}
        content = {"environment": environment(), "settings": settings, "cases": cases}
        with replacing(arguments.output, overwrite=arguments.overwrite) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0 if all(ratio["met"] for case in cases for ratio in case["ratios"]) else 1


def _measure(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run and print one case; return it as JSON values."""
    print(f"{case.neurons} neurons, {case.layers} layers: {case.note}", flush=True)
    results = bench(
        case.network(),
        engines=case.engines,
        batch=arguments.batch,
        threads=arguments.threads,
        device=arguments.device,
        repeats=arguments.repeats,
        time_budget=arguments.seconds,
    )
    print(table(results))
    on_target = arguments.device == "cpu" and arguments.threads == 1
    ratios = _ratios(case.targets if on_target else {}, results)
    for ratio in ratios:
        verdict = "" if ratio["target"] is None else f" (target {ratio['target']}: "
        verdict += "" if ratio["target"] is None else "met)" if ratio["met"] else "MISSED)"
        print(f"  {OURS} is {ratio['times']:.2f} times as fast as {ratio['than']}{verdict}")
    print(flush=True)
    return {
        **asdict(case),
        "neurons": case.neurons,
        "layers": case.layers,
        "ratios": ratios,
        "results": [result.as_json() for result in results],
    }


def _ratios(targets: dict[str, float], results: list[BenchResult]) -> list[dict[str, Any]]:
    ours = results[0]
    found = []
    for other in results[1:]:
        times, target = ours.speedup(other), targets.get(other.engine)
        met = target is None or times >= target
        found.append({"than": other.engine, "times": times, "target": target, "met": met})
    return found


if __name__ == "__main__":
    sys.exit(main())
