"""What the measure `spectral` costs on layers of 65536 neurons with 32 edges each.

    python tools/benchmarks/spectral.py [--output results.json]

Each case runs in a process of its own, which makes the network, measures it and tells the seconds
the measure took and the process's peak of resident memory. The limits are one minute and 1 GB for
each layer; the command returns 1 if one is missed, or if a value has not been found.
"""

from __future__ import annotations

from typing import Any

from cases import Result, measured, run_all

import radixfmt as rx

SECONDS, BYTES = 60, 10**9
N, DEGREE = 65536, 32
SHAPE = {"widths": [N, N]}

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "random-regular layer": ("random-regular", SHAPE | {"degree": DEGREE}, {}),
    "Erdős-Rényi layer": ("erdos-renyi", SHAPE | {"density": DEGREE / N}, {}),
    "Graph Challenge layer 1": ("graph-challenge", {"neurons": N, "layers": 1}, {}),
    "Graph Challenge layer 13, permuted": (
        "graph-challenge", {"neurons": N, "layers": 13}, {"start": 12},
    ),
    "Graph Challenge product of 120 layers": (
        "graph-challenge", {"neurons": N, "layers": 120}, {"layers": "none"},
    ),
}  # fmt: skip
"""Family, its parameters, the measure's options; the seed is 1."""


def run(name: str) -> Result:
    """Measure one case in this process."""
    family, parameters, options = CASES[name]
    network = rx.generate(family, seed=1, **parameters)
    network = rx.chain(list(network.layers)[options.get("start", 0) :])  # made before the clock

    def work() -> Any:
        found = rx.measure(network, "spectral", layers=options.get("layers", "each"))
        return found["layers"][0] if found["layers"] else found["network"]

    return measured(name, work)


def missed(result: Result) -> bool:
    """Return whether a case took too long or too much, or found nothing."""
    dear = result["seconds"] >= SECONDS or result["peak_bytes"] >= BYTES
    return dear or result["found"]["gap_ratio"] is None


def line(found: Any) -> str:
    """Return the gap, how exact it is, and how it was found."""
    return f"gap_ratio {found['gap_ratio']}, residual {found['residual']}, {found['method']}"


if __name__ == "__main__":
    limits = {"seconds": SECONDS, "bytes": BYTES}
    about = (__doc__ or "").splitlines()[0]
    raise SystemExit(run_all(__file__, about, CASES, run, limits=limits, missed=missed, line=line))
