"""The README's commands are run and their outputs compared; `...` stands for what varies."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_tour_runs_and_says_what_the_readme_shows(radixfmt):
    checker = doctest.OutputChecker()
    shown = 0
    for block in blocks("console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            answer = radixfmt(*shlex.split(command)[1:])
            assert answer.code == 0, answer.err
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert checker.check_output(expected, answer.out, flags), f"{command}\n{answer.out}"
            shown += 1
    assert shown >= 5


def test_the_python_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    test = doctest.DocTestParser().get_doctest(example, {}, "README", "README.md", 0)
    assert test.examples
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test).failed == 0


@pytest.mark.parametrize("path", re.findall(r"\]\((?!https?:|#)([^)#]+)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


def test_the_two_commands_are_there_and_ci_runs_one_of_them():
    for command in ("tools/demo", "tools/test"):
        assert command in README
        assert (ROOT / command).stat().st_mode & 0o100
    assert "exec tools/test" in (ROOT / ".ci" / "run").read_text()
