#!/usr/bin/env python
"""Make spec/codes.yaml, the catalogue of codes, from radixfmt/codes.py; --check compares only."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from radixfmt.codes import CODES

SPEC = Path(__file__).resolve().parents[2] / "spec"
TARGET = SPEC / "codes.yaml"
TEXT = SPEC / "radixfmt-1.0.md"

HEADER = """\
# The codes that a validator of radixfmt 1.0 reports. Each is one requirement of radixfmt-1.0.md,
# where it stands in brackets in the given section. An error makes a file invalid; a warning is a
# SHOULD that is not kept; the rest is information.
# Made from radixfmt/codes.py by tools/spec/make_codes.py: edit that file, not this one.
"""


def sections() -> dict[str, str]:
    """Return the number of the section of the specification that asks for each code."""
    found: dict[str, str] = {}
    section = ""
    for line in TEXT.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (\d+)\.", line):
            section = heading[1]
        for bracket in re.findall(r"\[(?:procedural )?(RX\d{4})", line):
            found.setdefault(bracket, section)
    return found


def catalogue() -> str:
    """Return the text of codes.yaml: a mapping of codes, every value a quoted string."""
    section = sections()
    entries = [
        f"{code}:\n"
        f"  severity: {entry.severity}\n"
        f"  section: {json.dumps(section[code])}\n"
        f"  requirement: {json.dumps(entry.requirement, ensure_ascii=False)}\n"
        f"  remedy: {json.dumps(entry.remedy, ensure_ascii=False)}\n"
        for code, entry in CODES.items()
    ]
    return HEADER + "".join(entries)


def main() -> int:
    """Write the file, or with --check say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if different")
    check = parser.parse_args().check
    text = catalogue()
    if not check:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET} is not what {Path(__file__).name} makes; run it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
