"""What NNSTD costs on one layer of 4096 neurons, and what its bounds give.

    python tools/benchmarks/nnstd.py [--output results.json]

Each case runs in a process of its own, which makes both networks, pairs them off and tells the
seconds and the process's peak of resident memory. The limits, 20 seconds and 2 GB, hold for random
layers of 32 inputs per neuron; structured pairs, whose costs are tied, are told separately.
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

SECONDS, BYTES = 20, 2 * 10**9
N = 4096
RANDOM: dict[str, Any] = {"widths": [N, N], "degree": 32}
RADIX: dict[str, Any] = {"systems": [[16, 16, 16]]}

Net = tuple[str, dict[str, Any], int]
CASES: dict[str, tuple[Net, Net, str]] = {
    "random, optimal": (("random-regular", RANDOM, 1), ("random-regular", RANDOM, 2), "optimal"),
    "random, greedy": (("random-regular", RANDOM, 1), ("random-regular", RANDOM, 2), "greedy"),
    "tied: RadiX-Net and butterfly, 3 layers, optimal": (
        ("radix-net", RADIX, 0), ("butterfly", {"neurons": N, "radix": 16}, 0), "optimal",
    ),
    "tied: RadiX-Net and butterfly, 3 layers, greedy": (
        ("radix-net", RADIX, 0), ("butterfly", {"neurons": N, "radix": 16}, 0), "greedy",
    ),
}  # fmt: skip


def run(name: str) -> dict[str, Any]:
    """Measure one case in this process."""
    *pair, matching = CASES[name]
    a, b = (rx.generate(family, seed=seed, **parameters) for family, parameters, seed in pair)  # type: ignore[misc]
    began = time.perf_counter()
    found = rx.nnstd(a, b, matching=matching)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"case": name, "seconds": seconds, "peak_bytes": peak, "found": found.as_json()}


def main() -> int:
    """Run every case; return 0 if the limits are kept where they hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
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
        tied = name.startswith("tied")
        result["kept"] = tied or (result["seconds"] < SECONDS and result["peak_bytes"] < BYTES)
        results.append(result)
        found = result["found"]
        print(
            f"{name:<50} {result['seconds']:6.2f} s {result['peak_bytes'] / 1e6:6.0f} MB  "
            f"nnstd {found['nnstd']:.4f}, at least {found['lower_bounds'][0]:.4f} in layer 0"
            f"{'' if result['kept'] else '  MISSED'}",
            flush=True,
        )
    if arguments.output:
        limits = {"seconds": SECONDS, "bytes": BYTES}
        record = {"environment": environment(), "limits": limits, "cases": results}
        arguments.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if all(result["kept"] for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
