"""What the measure `spectral` costs on layers of 65536 neurons with 32 edges each.

    python tools/benchmarks/spectral.py [--output results.json]

Each case runs in a process of its own, which makes the network, measures it and tells the seconds
the measure took and the process's peak of resident memory. The limits are one minute and 1 GB for
each layer; the command returns 1 if one is missed, or if a value has not been found.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import radixfmt as rx
from radixfmt.benchmark.environment import environment

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


def run(name: str) -> dict[str, Any]:
    """Measure one case in this process."""
    family, parameters, options = CASES[name]
    network = rx.generate(family, seed=1, **parameters)
    network = rx.chain(list(network.layers)[options.get("start", 0) :])  # made before the clock
    began = time.perf_counter()
    found = rx.measure(network, "spectral", layers=options.get("layers", "each"))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    entry = found["layers"][0] if found["layers"] else found["network"]
    return {"case": name, "seconds": seconds, "peak_bytes": peak, "found": entry}


def main() -> int:
    """Run every case; return 0 if all limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--only", choices=list(CASES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(run(arguments.only)))
        return 0
    results = []
    for name in CASES:
        words = [sys.executable, __file__, "--only", name]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        found = result["found"]
        kept = result["seconds"] < SECONDS and result["peak_bytes"] < BYTES
        result["kept"] = kept and found["gap_ratio"] is not None
        results.append(result)
        print(
            f"{name:<40} {result['seconds']:6.2f} s {result['peak_bytes'] / 1e6:6.0f} MB  "
            f"gap_ratio {found['gap_ratio']}, residual {found['residual']}, {found['method']}"
            f"{'' if result['kept'] else '  MISSED'}",
            flush=True,
        )
    if arguments.output:
        limits = {"seconds": SECONDS, "bytes": BYTES}
        content = {"environment": environment(), "limits": limits, "cases": results}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0 if all(result["kept"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
