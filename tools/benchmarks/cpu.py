"""How much faster than dense, and than CSR, sparse networks run on a CPU: cases with targets.

    python tools/benchmarks/cpu.py --output tools/benchmarks/results/NAME.json
    python tools/benchmarks/cpu.py --case batch-1

Networks have He-normal weights and Relu, or the Graph Challenge's own. In a case everything runs in
turns, each in a process of its own with the best of its tilings; a ratio is the median over the
rounds' own ratios, of seconds per edge. Dense stacks of 120 layers of 4096 neurons would need 8 GB
of weights, and minutes per run: there engines run 24 layers, ours all of them too. The last two
cases want the compiled operators. All take about 25 minutes on two cores.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from command import Measured, answer

import radixfmt as rx
from radixfmt.backends.device import cores
from radixfmt.benchmark.engines import Settings
from radixfmt.benchmark.job import Job
from radixfmt.benchmark.rounds import measured
from radixfmt.benchmark.table import table
from radixfmt.converters.triples import format_triples

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.model.network import Network

LEAST_ROUNDS = 9
DEEP = 5
"""Times as many layers as others that the deep network has."""

OURS, DENSE, SCIPY, COMPILED = "ort-auto", "ort-dense", "scipy", "ort-native"


@dataclass(frozen=True, slots=True)
class Run:
    """One engine in a case, under a label, on one of the case's networks."""

    label: str
    engine: str
    threads: int = 1
    network: str = "network"


@dataclass(frozen=True, slots=True)
class Case:
    """Engines in turns on networks, and the least ratios of speed.

    Attributes:
        name: for `--case`.
        note: what a reader should know.
        make: writes the networks' files into a folder, for a number of cycles of layers.
        cycles: of layers.
        batch: rows per run.
        runs: what takes turns.
        targets: (label, other label, how many times as fast per edge the first has to be).
    """

    name: str
    note: str
    make: Callable[[Path, int], None]
    cycles: int
    batch: int
    runs: tuple[Run, ...]
    targets: tuple[tuple[str, str, float], ...]


def radix(
    systems: list[list[int]], width: int, *, deep: bool = False
) -> Callable[[Path, int], None]:
    """Return what writes a RadiX-Net of repeated systems, and on demand a deep one."""

    def make(folder: Path, cycles: int) -> None:
        for name, times in ({"network": 1} | ({"deep": DEEP} if deep else {})).items():
            repeats = times * cycles
            widths = [width] * (sum(map(len, systems)) * repeats + 1)
            _write(folder, "radix-net", name, systems=systems * repeats, widths=widths)

    return make


def blocks(folder: Path, cycles: int) -> None:
    """Write layers of 1024 neurons with 2 of 64 blocks of 16 x 16 each: 3.1 %."""
    _write(folder, "block-sparse", "network", widths=[1024] * (cycles + 1), block=16, degree=2)


def _write(folder: Path, family: str, name: str, **parameters: Any) -> None:
    network = rx.generate(family, **parameters, weights="he", activation="relu")
    rx.write(folder / f"{name}.rx.h5", network)


def challenge(folder: Path, cycles: int) -> None:
    """Write Graph Challenge layers as they are generated, and as shuffled text brings them in."""
    network = rx.generate("graph-challenge", neurons=1024, layers=6 * cycles)
    rx.write(folder / "network.rx.h5", network)
    text = folder / "text"
    text.mkdir()
    shuffle(network, text)
    rx.convert(text, folder / "shuffled.rx.h5", source_format="graph-challenge")


def shuffle(network: Network, folder: Path) -> None:
    """Write layers as `.tsv`, lines in random order, hidden neurons under random new numbers."""
    rng = np.random.default_rng(0)
    depth = len(network.headers)
    label = np.arange(network.headers[0][1][0])
    for i, layer in enumerate(network.layers):
        n_in, n_out = layer.pattern.shape
        following = rng.permutation(n_out) if i < depth - 1 else np.arange(n_out)
        columns = np.repeat(np.arange(n_out), np.diff(layer.pattern.indptr))
        assert layer.weights is not None  # noqa: S101  the family has weights
        weights = np.broadcast_to(layer.weights, columns.shape)
        order = rng.permutation(columns.size)
        lines = format_triples(
            label[layer.pattern.indices][order],
            following[columns][order],
            weights[order],
            what=layer.name,
        )
        (folder / f"n{n_in}-l{i + 1}.tsv").write_bytes(lines)
        label = following


PEERS = tuple(Run(engine, engine) for engine in (OURS, DENSE, SCIPY))
PAIR = PEERS[:2]
STOCK = tuple(Run(engine, engine, cores()) for engine in ("stock-auto", "stock-dense"))
WHOLE = "a stock InferenceSession with default options, on all cores, the whole batch in one call"
SMALL, LARGE = radix([[2] * 6], 16), radix([[2] * 8], 16)

CASES = (
    Case("radix-1024", "1024 neurons, 120 layers", SMALL, 20, 4096, PEERS,
         ((OURS, DENSE, 12), (OURS, SCIPY, 3.5))),
    Case("radix-4096", "4096 neurons, 24 layers, and all 120",
         radix([[2] * 8], 16, deep=True), 3, 4096,
         (*PEERS, Run("120 layers", OURS, network="deep")),
         ((OURS, DENSE, 43), (OURS, SCIPY, 3.5), ("120 layers", DENSE, 35))),
    Case("circulant", "RadiX [32,32], 24 layers", radix([[32, 32]], 1), 12, 64, PAIR,
         ((OURS, DENSE, 10),)),
    Case("block-sparse", "16 x 16 blocks at 3.1 %, 1024 neurons, 24 layers", blocks, 24, 4096, PAIR,
         ((OURS, DENSE, 10),)),
    Case("batch-1", "1024 neurons, 120 layers", SMALL, 20, 1, PAIR, ((OURS, DENSE, 8),)),
    Case("two-threads", "1024 neurons, 120 layers", SMALL, 20, 4096,
         (Run("2 threads", OURS, 2), Run("1 thread", OURS)), (("2 threads", "1 thread", 1.7),)),
    Case("graph-challenge", "120 layers, read back from shuffled text against generated", challenge,
         20, 4096, (Run("shuffled", OURS, network="shuffled"), Run("generated", OURS)),
         (("shuffled", "generated", 0.9),)),
    Case("stock-1024", f"1024 neurons, 120 layers; {WHOLE}", SMALL, 20, 4096, STOCK,
         (("stock-auto", "stock-dense", 5),)),
    Case("stock-4096", f"4096 neurons, 24 of 120 layers; {WHOLE}", LARGE, 3, 4096, STOCK,
         (("stock-auto", "stock-dense", 18),)),
    Case("compiled", "compiled operators, 1024 neurons, 120 layers", SMALL, 20, 4096,
         (Run(COMPILED, COMPILED), Run(OURS, OURS), Run(DENSE, DENSE)),
         ((COMPILED, DENSE, 28), (COMPILED, OURS, 2))),
    Case("compiled-two-threads", "compiled operators, 1024 neurons, 120 layers", SMALL, 20, 4096,
         (Run("2 threads", COMPILED, 2), Run("1 thread", COMPILED)),
         (("2 threads", "1 thread", 1.8),)),
)  # fmt: skip


def main() -> int:
    """Run the cases; return 0 if all targets are met, 1 if one is not, 2 for trouble."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [case.name for case in CASES]
    parser.add_argument("--case", action="append", choices=names, help="repeat it; else all")
    parser.add_argument("--rounds", type=int, default=11, help=f"at least {LEAST_ROUNDS}")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: few layers and rows, no targets"
    )
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    """Measure and print."""
    chosen = [case for case in CASES if not arguments.case or case.name in arguments.case]
    rounds = max(arguments.rounds, LEAST_ROUNDS)
    if arguments.quick:
        chosen = [replace(case, cycles=1, batch=4) for case in chosen]
        rounds = 3
    cases = [_measure(case, rounds, quick=arguments.quick) for case in chosen]
    met = all(ratio["met"] for case in cases for ratio in case["ratios"])
    return Measured({"rounds": rounds, "quick": arguments.quick}, cases, met)


def _measure(case: Case, rounds: int, *, quick: bool) -> dict[str, Any]:
    """Run and print one case; return it as JSON values."""
    print(f"{case.name}: {case.note}, batch {case.batch}", flush=True)
    with TemporaryDirectory(prefix="radixfmt-cpu-") as name:
        folder = Path(name)
        case.make(folder, case.cycles)
        jobs = [
            Job(
                run.engine,
                str(folder / f"{run.network}.rx.h5"),
                Settings(case.batch, run.threads, "cpu"),
                seed=0,
                outputs=str(folder / f"{run.label}.npy"),
            )
            for run in case.runs
        ]
        found = measured(jobs, repeats=rounds, deadline=math.inf)
    print(table(found))
    results = dict(zip((run.label for run in case.runs), found, strict=True))
    ratios = []
    for ours, other, target in case.targets:
        times = results[ours].speedup(results[other])
        met = quick or times >= target
        verdict = "a smoke test" if quick else f"target {target:g}: {'met' if met else 'MISSED'}"
        print(f"  {ours} is {times:.2f} times as fast as {other} ({verdict})")
        ratios.append({"of": ours, "than": other, "times": times, "target": target, "met": met})
    print(flush=True)
    return {
        "name": case.name,
        "note": case.note,
        "batch": case.batch,
        "ratios": ratios,
        "results": {label: result.as_json() for label, result in results.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
