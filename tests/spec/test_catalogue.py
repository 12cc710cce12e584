"""One catalogue of codes: specification, code, YAML and vectors name the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from radixfmt.codes import CODES

ROOT = Path(__file__).resolve().parents[2]

RAISED_ELSEWHERE: dict[str, str] = {}
"""Codes that no source of the package raises, with the reason."""


def test_the_yaml_is_up_to_date():
    tool = ROOT / "tools/spec/make_codes.py"
    done = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_yaml_says_what_the_code_says():
    found = yaml.safe_load((ROOT / "spec/codes.yaml").read_text(encoding="utf-8"))
    assert list(found) == list(CODES)
    for code, entry in CODES.items():
        assert found[code] | entry._asdict() == found[code]
        assert re.search(rf"^## {found[code]['section']}\. ", specification(), re.MULTILINE)


def specification() -> str:
    return (ROOT / "spec/radixfmt-1.0.md").read_text(encoding="utf-8")


def test_the_specification_names_every_code_and_no_other():
    assert set(re.findall(r"RX\d{4}", specification())) == set(CODES)


def test_every_code_has_an_invalid_vector():
    expected = json.loads((ROOT / "spec/vectors/invalid/expected.json").read_text("utf-8"))
    assert {name[:6] for name in expected["files"]} == set(CODES)


def test_the_package_raises_every_code_and_no_other():
    sources = [path for path in (ROOT / "radixfmt").rglob("*.py") if path.name != "codes.py"]
    raised = {
        code
        for path in sources
        for code in re.findall(r"""["'](RX\d{4})["']""", path.read_text(encoding="utf-8"))
    }
    assert raised <= set(CODES)
    assert raised | set(RAISED_ELSEWHERE) == set(CODES)
    assert not raised & set(RAISED_ELSEWHERE)


@pytest.mark.parametrize("code", CODES)
def test_severity_follows_the_words_of_the_requirement(code):
    entry = CODES[code]
    words = {"error": "MUST", "warning": "SHOULD"}
    if entry.severity in words:
        assert words[entry.severity] in entry.requirement
    else:
        assert entry.severity == "info"
