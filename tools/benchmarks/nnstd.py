"""What NNSTD costs on one layer of 4096 neurons, and what its bounds give.

    python tools/benchmarks/nnstd.py [--output results.json]

Each case runs in a process of its own, which makes both networks, pairs them off and tells the
seconds and the process's peak of resident memory. The limits, 20 seconds and 2 GB, hold for random
layers of 32 inputs per neuron; structured pairs, whose costs are tied, are told separately.
"""

from __future__ import annotations

from typing import Any

from cases import Result, measured, run_all

import radixfmt as rx

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


def run(name: str) -> Result:
    """Measure one case in this process."""
    *pair, matching = CASES[name]
    a, b = (rx.generate(family, seed=seed, **parameters) for family, parameters, seed in pair)  # type: ignore[misc]
    return measured(name, lambda: rx.nnstd(a, b, matching=matching).as_json())


def missed(result: Result) -> bool:
    """Return whether a random pair took too long or too much."""
    dear = result["seconds"] >= SECONDS or result["peak_bytes"] >= BYTES
    return dear and not result["case"].startswith("tied")


def line(found: Any) -> str:
    """Return the distance and its bound."""
    return f"nnstd {found['nnstd']:.4f}, at least {found['lower_bounds'][0]:.4f} in layer 0"


if __name__ == "__main__":
    limits = {"seconds": SECONDS, "bytes": BYTES}
    about = (__doc__ or "").splitlines()[0]
    raise SystemExit(run_all(__file__, about, CASES, run, limits=limits, missed=missed, line=line))
