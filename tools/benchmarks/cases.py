"""Cases measured one by one, each in a process of its own, against limits of time and memory."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.environment import environment
from radixfmt.benchmark.memory import peak_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Result = dict[str, Any]


def measured(case: str, work: Callable[[], Mapping[str, Any]]) -> Result:
    """Return what `work` found, the seconds it took and the process's peak of memory."""
    began = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - began
    return {"case": case, "seconds": seconds, "peak_bytes": peak_bytes(), "found": found}


def run_all(
    script: str,
    about: str,
    cases: Collection[str],
    run: Callable[[str], Result],
    *,
    limits: Mapping[str, float],
    missed: Callable[[Result], bool],
    line: Callable[[Mapping[str, Any]], str],
) -> int:
    """Run every case, print a line for each, write JSON if asked; return 1 if one is missed.

    Args:
        script: the benchmark's file, which is called again for each case.
        about: what it measures, for --help.
        cases: their names.
        run: measures one, in the process made for it.
        limits: what is written beside the results.
        missed: whether a result breaks a limit that holds for it.
        line: what a person is told of what was found.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--only", choices=list(cases), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(run(arguments.only)))
        return 0
    results = []
    for name in cases:
        words = [sys.executable, script, "--only", name]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        result["kept"] = not missed(result)
        results.append(result)
        print(
            f"{name:<50} {result['seconds']:6.2f} s {result['peak_bytes'] / 1e6:6.0f} MB  "
            f"{line(result['found'])}{'' if result['kept'] else '  MISSED'}",
            flush=True,
        )
    if arguments.output:
        record = {"environment": environment(), "limits": dict(limits), "cases": results}
        arguments.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if all(result["kept"] for result in results) else 1
