#!/usr/bin/env python
"""Make spec/generators/vectors.json, the test vectors of the generators; --check compares only."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.generators import from_record
from radixfmt.generators.permuted import permuted
from radixfmt.model.digest import pattern_digest

if TYPE_CHECKING:
    from radixfmt import Pattern

TARGET = Path(__file__).resolve().parents[2] / "spec" / "generators" / "vectors.json"


def record(name: str, **parameters: Any) -> dict[str, Any]:
    """Return a generator record."""
    return {"generator": f"{name}/1", "parameters": parameters}


def radix_net(systems: list[list[int]], widths: list[int], direction: int, index: int) -> Pattern:
    """Return a layer of a RadiX-Net."""
    return from_record(
        record("radix-net", systems=systems, widths=widths, direction=direction, index=index)
    )


def patterns() -> list[Pattern]:
    """Return the patterns, the least first for each generator."""
    small = [[2, 3]], [1, 1, 1]
    wide = [[2, 3], [3, 2]], [1, 2, 2, 3, 1]
    found = [radix_net(*small, direction, index) for direction in (-1, 1) for index in (0, 1)]
    found += [radix_net(*wide, -1, 2), radix_net(*wide, 1, 1)]
    found += [radix_net([[4, 3, 2], [6]], [1, 2, 1, 1, 3], -1, 3)]
    found += [radix_net([[2**18, 2**16]], [1, 1, 1], -1, 1)]  # a recipe
    found += [
        from_record(record("graph-challenge", neurons=neurons, layer=layer))
        for neurons, layer in (
            (1024, 1), (1024, 6), (1024, 7), (1024, 8), (1024, 120), (4096, 9), (16384, 480),
            (65536, 13), (65536, 1920),
        )
    ]  # fmt: skip
    found += [
        from_record(record("dense", inputs=3, outputs=2)),
        from_record(record("dense", inputs=2**24, outputs=2**20)),
        from_record(record("identity", size=5)),
        from_record(record("identity", size=2**40)),
    ]
    rotate, swap = np.roll(np.arange(6), -2), np.array([1, 0, 2, 3, 5, 4])
    found += [
        permuted(found[0], in_perm=rotate),
        permuted(found[0], out_perm=swap),
        permuted(found[0], rotate, swap),
    ]
    return found


def vector(pattern: Pattern) -> dict[str, Any]:
    """Return the test vector of a pattern."""
    n_out = pattern.shape[1]
    chosen = range(n_out) if n_out <= 6 else (0, 1, n_out // 3, n_out - 1)
    columns = {str(j): pattern.columns(j, j + 1).indices for j in chosen}
    return {
        "record": pattern.record,
        **(
            {"arrays": {k: v.tolist() for k, v in pattern.arrays.items()}} if pattern.arrays else {}
        ),
        "shape": list(pattern.shape),
        "nnz": pattern.nnz,
        "columns": {j: indices.tolist() for j, indices in columns.items() if indices.size <= 64},
        "pattern_digest": pattern_digest(pattern),
    }


def main() -> int:
    """Write the file, or with --check say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if different")
    check = parser.parse_args().check
    lines = [json.dumps(vector(pattern)) for pattern in patterns()]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    if not check:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET} is not what {Path(__file__).name} makes; run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
