"""Mutated models of the compiled operators; and the fuzzer notices a wrong answer and a hang."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from radixfmt import native

pytestmark = pytest.mark.skipif(native.library() is None, reason=native.MISSING)

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    return importlib.import_module("fuzz_native")


def test_mutants_are_refused_or_right():
    words = [sys.executable, TOOLS / "fuzz_native.py", "--mutants", "300", "--seed", "7"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'right'" in done.stdout


def test_a_wrong_answer_is_noticed(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "oracle", lambda model, x, told=fuzz.oracle: told(model, x) + 1)
    with pytest.raises(AssertionError, match="Not equal"):
        [fuzz.verdict(7, number, limited=False) for number in range(100)]


def test_a_process_that_sleeps_hangs(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "LOOKS", 2)
    assert fuzz._run([sys.executable, "-c", "import time; time.sleep(600)"])[1] == "hung"
