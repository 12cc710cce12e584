"""How long `import radixfmt` and `radixfmt --help` take, beside an empty Python.

python tools/benchmarks/start_up.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "empty Python": ["-c", "pass"],
    "import radixfmt": ["-c", "import radixfmt"],
    "radixfmt --help": ["-m", "radixfmt", "--help"],
    "radixfmt generate --list": ["-m", "radixfmt", "generate", "--list"],
}
RUNS = 15


def main() -> None:
    """Run the commands in turns and print the shortest and the median of each, in ms."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, words in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
            taken[name].append(1e3 * (time.perf_counter() - began))
    for name, values in taken.items():
        print(f"{name:<26} min {min(values):4.0f}  median {statistics.median(values):4.0f} ms")


if __name__ == "__main__":
    main()
