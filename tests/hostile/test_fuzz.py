"""The fuzzer notices what it is there to notice: a crash and a hang inside a check, a bad copy."""

from __future__ import annotations

import importlib
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

import radixfmt as rx
from radixfmt.validation.checks import check

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    return importlib.import_module("fuzz")


@pytest.fixture
def mutant(fuzz, tmp_path):
    original = fuzz.VECTORS / "bare.rx.h5"
    return Path(shutil.copy(original, tmp_path / "mutant.rx.h5")), original


def run(fuzz, seconds, tmp_path, monkeypatch):
    """Return the verdicts of a batch of one mutant, which is a copy of its original."""
    found = []

    class Found:
        put = found.append

    def copied(number, seed, path):
        original = fuzz.VECTORS / "bare.rx.h5"
        shutil.copy(original, path)
        return original

    monkeypatch.setattr(fuzz, "BATCH", 1)
    monkeypatch.setattr(fuzz, "mutant", copied)
    before = signal.getsignal(signal.SIGALRM)
    try:
        fuzz.run(0, 0, seconds, str(tmp_path), Found)
    finally:
        signal.signal(signal.SIGALRM, before)
    return [verdict for _, verdict in found if verdict != "begun"]


def test_a_copy_of_the_original_is_valid(fuzz, mutant):
    assert fuzz.judge(*mutant) == "valid"
    assert [p.name for p in mutant[0].parent.iterdir()] == ["mutant.rx.h5"]


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError()])
def test_a_check_that_crashes_is_bad(error, fuzz, tmp_path, monkeypatch):
    def crashes(view):
        raise error

    monkeypatch.setitem(check._entries, next(iter(check)), crashes)
    (verdict,) = run(fuzz, 60, tmp_path, monkeypatch)
    assert verdict.startswith("exception")
    assert "the check" in verdict


def test_a_check_that_hangs_is_bad(fuzz, tmp_path, monkeypatch):
    monkeypatch.setitem(check._entries, next(iter(check)), lambda view: time.sleep(600))
    assert run(fuzz, 1, tmp_path, monkeypatch) == ["hang"]


def test_a_valid_mutant_that_does_not_convert_is_bad(fuzz, mutant, monkeypatch):
    def refuses(*args, **options):
        raise rx.RadixfmtError("no")

    def forgets(source, target, **options):
        rx.write(target, rx.generate("radix-net", systems=[[2, 2]]))

    for convert in (refuses, forgets):
        monkeypatch.setattr(rx, "convert", convert)
        with pytest.raises(AssertionError, match="not converted to the same content"):
            fuzz.judge(*mutant)
