"""Whether `auto` is as fast as the best single lowering: over all patterns and batch sizes.

For every pattern and batch, `auto` is planned for that batch and set beside each lowering that
the planner may choose, used for all layers: one onnxruntime session each, one thread, in turns;
a ratio is the median over rounds of pairs. Seconds are the thread's own, which waiting for a
busy machine does not lengthen. Where `auto` made the very same graph, the ratio is 1.
A lowering that is five times slower in its first runs is not timed further.

    python tools/benchmarks/planner.py --output tools/benchmarks/results/NAME.json
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from command import Measured, answer
from planner_patterns import PATTERNS

from radixfmt.export import export
from radixfmt.export.lowerings import lowering
from radixfmt.export.planner import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.model.network import Network

BATCHES = (1, 64, 1024)
LIMIT = 1.1
"""How many times as long as the best single lowering `auto` may take."""

HOPELESS = 5.0
LARGEST = 1 << 28
"""Edges times batch from which no row is gathered for each edge: that takes over 1 GiB."""

QUICK = ("uniform 1 %", "radix-net 16 x 64, shuffled", "dense 64")
SAMPLE_SECONDS = 3e-3
"""Seconds of one sample at least: shorter runs are repeated."""


def main() -> int:
    """Measure; return 0 if `auto` keeps the limit everywhere, 1 if not, 2 for trouble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small smoke test")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--batch", type=int, action="append", help=f"in place of {BATCHES}")
    parser.add_argument("--only", action="append", choices=list(PATTERNS), metavar="PATTERN")
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    names = arguments.only or (QUICK if arguments.quick else list(PATTERNS))
    rounds = 3 if arguments.quick else arguments.rounds
    print(
        f"{'pattern':<34} {'batch':>5}  {'auto':<18} {'best single':<12} {'ratio':>6}", flush=True
    )
    cases = []
    for name in names:
        network = PATTERNS[name]()
        for batch in arguments.batch or BATCHES:
            case = _case(name, network, batch, rounds)
            cases.append(case)
            print(_line(case), flush=True)
    missed = [case for case in cases if not case["met"]]
    print(f"{len(cases) - len(missed)} of {len(cases)} within {LIMIT}x of the best single lowering")
    return Measured({"rounds": rounds, "threads": 1, "limit": LIMIT}, cases, not missed)


def _case(pattern: str, network: Network, batch: int, rounds: int) -> dict[str, Any]:
    """Return how `auto` compares for one pattern and batch, as JSON values."""
    auto = export(network, batch=batch)
    used = sorted({choice.lowering for choice in auto.layers})
    singles = [name for name in lowering if lowering.facts(name).get(AUTO)]
    edges = max(layer.pattern.nnz for layer in network.layers)
    if edges * batch > LARGEST:
        singles.remove("gather")
    models = {name: export(network, lowering=name, batch=batch).model for name in singles}
    graph = auto.model.graph.SerializeToString(deterministic=True)
    same = [
        name
        for name, model in models.items()
        if model.graph.SerializeToString(deterministic=True) == graph
    ]
    x = np.random.default_rng(1).standard_normal((batch, network.headers[0][1][0]), np.float32)
    runs = {AUTO: _runner(auto.model, x)}
    runs |= {name: _runner(model, x) for name, model in models.items() if name not in same}
    seconds = _alternated(runs, rounds)
    ratios = dict.fromkeys(same, 1.0) | {
        name: float(np.median(seconds[AUTO][: len(taken)] / taken))
        for name, taken in seconds.items()
        if name != AUTO
    }
    best = max(ratios, key=ratios.__getitem__)
    return {
        "pattern": pattern,
        "batch": batch,
        "edges": edges,
        "auto": used,
        "best": best,
        "ratio": ratios[best],
        "ratios": ratios,
        "same": same,
        "seconds": {name: float(np.median(taken)) for name, taken in seconds.items()},
        "met": ratios[best] <= LIMIT and (used != ["dense"] or "dense" in same),
    }


def _runner(model: Any, x: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """Return what runs the model once on one thread, with the options of `Session`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, feeds)


def _alternated(
    runs: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the seconds of each run, in turns; hopeless ones are left after their first."""
    once = {name: min(_timed(run, 1) for _ in range(3)) for name, run in runs.items()}
    number = {name: max(1, int(SAMPLE_SECONDS / seconds)) for name, seconds in once.items()}
    going = [name for name in runs if once[name] <= HOPELESS * once[AUTO]]
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name in going:
            taken[name].append(_timed(runs[name], number[name]))
    return {name: np.array(taken[name] or [once[name]]) for name in runs}


def _timed(run: Callable[[], Any], number: int) -> float:
    began = time.thread_time()
    for _ in range(number):
        run()
    return (time.thread_time() - began) / number


def _line(case: dict[str, Any]) -> str:
    others = ", ".join(
        f"{name} {1 / ratio:.2f}x" for name, ratio in case["ratios"].items() if ratio != 1
    )
    return (
        f"{case['pattern']:<34} {case['batch']:>5}  {'+'.join(case['auto']):<18} "
        f"{case['best']:<12} {case['ratio']:6.2f}{'' if case['met'] else ' MISSED'}  {others}"
    )


if __name__ == "__main__":
    sys.exit(main())
