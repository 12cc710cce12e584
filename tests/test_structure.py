"""The house rules a linter does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "radixfmt"
MODULES = sorted(PACKAGE.rglob("*.py"))
TABLES = {"codes.py"}  # data, one entry after another


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert path.name in TABLES or len(lines) <= 300


def test_only_the_command_line_prints():
    printing = [
        path
        for path in MODULES
        if "print(" in path.read_text(encoding="utf-8") and path.parent.name != "cli"
    ]
    assert printing == []
