"""Compare all topology families on one size: 1024 → 1024 → 1024 neurons, 32 inputs each.

    python tools/examples/families.py [--folder FOLDER] [--picture families.png]

Writes a file of each family, prints one table (families whose rule does not allow 65,536 edges are
shown with their own count, and layers of other sizes have no distance), and draws the first layers.
The score is fitted for 20 steps, enough to rank and not to converge.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import radixfmt as rx
from radixfmt.__main__ import main as radixfmt
from radixfmt.plots import plot

N, DEGREE = 1024, 32
WIDTHS = [N, N, N]

FAMILIES: dict[str, dict[str, Any]] = {
    "radix-net": {"systems": [[32, 32]]},
    "graph-challenge": {"neurons": N, "layers": 2},
    "x-net-random": {"widths": WIDTHS, "degree": DEGREE},
    "x-net-cayley": {"widths": WIDTHS, "degree": DEGREE},
    "random-regular": {"widths": WIDTHS, "degree": DEGREE},
    "erdos-renyi": {"widths": WIDTHS, "density": DEGREE / N},
    "erk": {"widths": WIDTHS, "density": DEGREE / N},
    "small-world": {"widths": WIDTHS, "degree": DEGREE, "rewire": 0.1},
    "butterfly": {"neurons": N, "radix": 32},
    "monarch": {"factors": [32, 32]},
    "pixelfly": {"widths": WIDTHS, "block": 4, "factors": 7},
    "block-diagonal": {"widths": WIDTHS, "blocks": N // DEGREE},
    "block-sparse": {"widths": WIDTHS, "block": 8, "degree": 4},
    "low-rank": {"widths": [N, N], "rank": DEGREE},
    "hypercube": {"neurons": N, "layers": 2},
    "torus": {"sides": [32, 32], "layers": 2},
    "clos": {"m": 32, "n": 32, "r": 32},
    "dense": {"widths": WIDTHS},
}
"""How each family is asked for this size."""


def main() -> int:
    """Make, compare and draw the families."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", help="where to keep the files; by default they are not kept")
    parser.add_argument("--picture", help="a .png or .svg of the first layers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, parameters in FAMILIES.items():
            files.append(str(folder / f"{name}.rx.h5"))
            network = rx.generate(name, seed=1, **parameters)
            rx.write(files[-1], network, overwrite=True)
        measures = [f"--measure={name}" for name in ("density", "paths", "spectral", "score")]
        code = radixfmt(["measure", *files, *measures, "--set=steps=20", f"--reference={files[0]}"])
        if options.picture:
            networks = {Path(file).name.removesuffix(".rx.h5"): rx.open(file) for file in files}
            plot(networks, options.picture, layers=[0], columns=6, overwrite=True)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
