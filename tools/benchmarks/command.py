"""A benchmark as a command: what it is asked, the trouble it tells, the JSON it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from radixfmt.benchmark.environment import environment
from radixfmt.errors import RadixfmtError
from radixfmt.files import check_target, replacing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


class Measured(NamedTuple):
    """What a benchmark found.

    Attributes:
        settings: under which.
        cases: JSON values, one of each case.
        met: whether all targets are.
    """

    settings: dict[str, Any]
    cases: list[dict[str, Any]]
    met: bool = True


def answer(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], Measured]) -> int:
    """Run a benchmark with what the command line says, and write what it found if asked to.

    Args:
        parser: of the benchmark's own options.
        run: measures and prints.

    Returns:
        0 if all targets are met, 1 if one is not, 2 for trouble.
    """
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace that file")
    asked = parser.parse_args()
    try:
        if asked.output:
            check_target(asked.output, overwrite=asked.overwrite)
        found = run(asked)
        if asked.output:
            content = {
                "environment": environment(),
                "settings": found.settings,
                "cases": found.cases,
            }
            with replacing(asked.output, overwrite=asked.overwrite) as path:
                path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except RadixfmtError as error:
        print(f"{error}\n{error.hint or ''}".rstrip(), file=sys.stderr)
        return 2
    return 0 if found.met else 1
