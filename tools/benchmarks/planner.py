"""Whether `auto` is as fast as the best single lowering: over all patterns and batch sizes.

For every pattern and batch, `auto` is planned for that batch and set beside each lowering that
the planner may choose, used for all layers: onnxruntime sessions of one thread, in turns; a ratio
is the median over rounds of pairs. Where a session's weights come to lie in memory moves its speed
by some percent for as long as it lives, so each model gets several sessions, one after another.
Seconds are the thread's own, which waiting for a busy machine does not lengthen. Where `auto` made
the very same graph, the ratio is 1. A lowering that is five times slower in its first runs is not
timed further.

With --open, all models leave the batch open, and the same model runs at each batch. What is best
at one of them may be far behind at another: there `auto` is held against the rival that falls
behind the best of each batch least.
With --costs, `auto` is planned with those constants and all else with the built-in ones, `auto`
too, which is then one more rival: calibrated constants must not plan worse.

    python tools/benchmarks/planner.py --output tools/benchmarks/results/NAME.json
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from command import Measured, answer
from planner_patterns import PATTERNS

from radixfmt.export import export
from radixfmt.export.costs import costs_of
from radixfmt.export.lowerings import lowering
from radixfmt.export.planner import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from radixfmt.export.costs import Costs
    from radixfmt.export.exported import Exported
    from radixfmt.model.network import Network

BATCHES = (1, 64, 1024)
OPEN_BATCHES = (1, 128, 1024)
LIMIT = 1.1
"""How many times as long as the best rival `auto` may take."""

BUILT_IN = "built in"
"""The rival that `auto` with the built-in constants is."""

HOPELESS = 5.0
LARGEST = 1 << 28
"""Edges times batch from which no row is gathered for each edge: that takes over 1 GiB."""

SESSIONS = 3
"""Sessions of each model, which share the rounds."""

QUICK = ("uniform 1 %", "radix-net 16 x 64, shuffled", "dense 64")
SAMPLE_SECONDS = 3e-3
"""Seconds of one sample at least: shorter runs are repeated."""


def main() -> int:
    """Measure; return 0 if `auto` keeps the limit everywhere, 1 if not, 2 for trouble."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small smoke test")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--open", action="store_true", help="models of open batch")
    parser.add_argument("--batch", type=int, action="append", help=f"in place of {BATCHES}")
    parser.add_argument("--costs", help="plan with these constants, from `export --calibrate`")
    parser.add_argument("--only", action="append", choices=list(PATTERNS), metavar="PATTERN")
    return answer(parser, _run)


def _run(arguments: argparse.Namespace) -> Measured:
    names = arguments.only or (QUICK if arguments.quick else list(PATTERNS))
    rounds = 3 if arguments.quick else arguments.rounds
    batches = arguments.batch or (OPEN_BATCHES if arguments.open else BATCHES)
    costs = costs_of("cpu", arguments.costs) if arguments.costs else None
    print(f"{'pattern':<34} {'batch':>5}  {'auto':<18} {'best rival':<12} {'ratio':>6}", flush=True)
    cases = []
    for name in names:
        network = PATTERNS[name]()
        planned = _planned(network, None, costs, max(batches)) if arguments.open else None
        found = []
        for batch in batches:
            plans = planned or _planned(network, batch, costs, batch)
            case = {"pattern": name, "batch": batch} | _case(network, plans, batch, rounds)
            found.append(case)
            print(_line(case), flush=True)
        if arguments.open:
            _compromise(found)
        cases += found
    missed = [case for case in cases if not case["met"]]
    print(f"{len(cases) - len(missed)} of {len(cases)} within {LIMIT}x of the best rival")
    settings = {
        "rounds": rounds,
        "threads": 1,
        "limit": LIMIT,
        "open": arguments.open,
        "costs": asdict(costs) if costs else "built in",
    }
    return Measured(settings, cases, not missed)


def _planned(
    network: Network, batch: int | None, costs: Costs | None, most: int
) -> dict[str, Exported]:
    """Return `auto` and its rivals; for `most` rows at once, none that gathers too many."""
    singles = [name for name in lowering if lowering.facts(name).get(AUTO)]
    if _edges(network) * most > LARGEST:
        singles.remove("gather")
    plans = {AUTO: export(network, batch=batch, costs=costs)}
    plans |= {name: export(network, lowering=name, batch=batch) for name in singles}
    return plans | ({BUILT_IN: export(network, batch=batch)} if costs else {})


def _case(
    network: Network, plans: Mapping[str, Exported], batch: int, rounds: int
) -> dict[str, Any]:
    """Return how `auto` compares with the other plans at one batch, as JSON values."""
    used = sorted({choice.lowering for choice in plans[AUTO].layers})
    graphs = {
        name: plan.model.graph.SerializeToString(deterministic=True) for name, plan in plans.items()
    }
    same = [name for name, graph in graphs.items() if name != AUTO and graph == graphs[AUTO]]
    x = np.random.default_rng(1).standard_normal((batch, network.headers[0][1][0]), np.float32)
    models = {name: plan.model for name, plan in plans.items() if name not in same}
    seconds = _alternated(models, x, rounds)
    ratios = dict.fromkeys(same, 1.0) | {
        name: float(np.median(seconds[AUTO] / taken))
        for name, taken in seconds.items()
        if name != AUTO
    }
    best = max(ratios, key=ratios.__getitem__)
    return {
        "edges": _edges(network),
        "auto": used,
        "best": best,
        "ratio": ratios[best],
        "ratios": ratios,
        "same": same,
        "seconds": {name: float(np.median(taken)) for name, taken in seconds.items()},
        "met": ratios[best] <= LIMIT and (used != ["dense"] or "dense" in same),
    }


def _compromise(cases: list[dict[str, Any]]) -> None:
    """Say whether one plan for all these batches is as good a compromise as the best rival."""
    fastest = [max(1.0, case["ratio"]) for case in cases]
    rivals = set.intersection(*(set(case["ratios"]) for case in cases))
    worst = {
        name: max(best / case["ratios"][name] for best, case in zip(fastest, cases, strict=True))
        for name in rivals
    }
    best = min(worst, key=worst.__getitem__)
    met = max(fastest) <= LIMIT * worst[best]
    for case in cases:
        case["met"] = met
    print(
        f"{'':<34} {'all':>5}  at worst {max(fastest):.2f}x of the best, {best} {worst[best]:.2f}x"
        f"{'' if met else ' MISSED'}",
        flush=True,
    )


def _edges(network: Network) -> int:
    """Return the edges of the largest layer."""
    return max(layer.pattern.nnz for layer in network.layers)


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
    models: Mapping[str, Any], x: np.ndarray[Any, Any], rounds: int
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the seconds of each model, in turns; of hopeless ones, of their first run only."""
    going, lasting = list(models), []
    taken: dict[str, list[float]] = {}
    for sitting in range(SESSIONS):
        runs = {name: _runner(models[name], x) for name in going}
        lasting.append(runs)  # else the next ones may get the same memory
        once = {name: min(_timed(run, 1) for _ in range(3)) for name, run in runs.items()}
        if not sitting:
            going = [name for name in models if once[name] <= HOPELESS * once[AUTO]]
            taken = {name: [] if name in going else [once[name]] for name in models}
        number = {name: max(1, int(SAMPLE_SECONDS / once[name])) for name in going}
        for _ in range(sitting, rounds, SESSIONS):
            for name in going:
                taken[name].append(_timed(runs[name], number[name]))
    return {name: np.array(seconds) for name, seconds in taken.items()}


def _timed(run: Callable[[], Any], number: int) -> float:
    """Return the seconds of a run that follows upon one of its own, not upon another model's."""
    run()
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
