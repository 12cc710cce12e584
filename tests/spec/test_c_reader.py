"""The second reader, in C: it finds in every vector what the first one finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tools/readers"
VALID = ROOT / "spec/vectors/valid"
INVALID = ROOT / "spec/vectors/invalid"
NAMES = sorted(path.name[:-6] for path in VALID.glob("*.rx.h5"))
EXPECTED = json.loads((INVALID / "expected.json").read_text("utf-8"))["files"]
LEVELS = {"core"}
"""Whose vectors it has to refuse."""

SANITIZED = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
SECONDS = 90

MOST_LINES = 1000
"""Of all sources together, with comments and empty lines."""


def build(folder: Path, flags: str) -> Path:
    """Build the reader, or skip for want of what it takes."""
    for tool in ("make", "cc"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    settings = [f"OUT={folder}", f"CFLAGS={flags}", "CC=cc"]
    probe = folder / "probe.c"
    lines = ["#include <hdf5.h>", "#include <openssl/evp.h>", "#include <zlib.h>"]
    probe.write_text("\n".join([*lines, "int main(void) { return H5open() < 0; }", ""]))
    shutil.copy(SOURCES / "Makefile", folder)
    probe.rename(folder / "radixfmt_info.c")
    found = run(["make", "-C", str(folder), *settings])
    if found.returncode:
        pytest.skip(f"needs the headers of libhdf5, libcrypto and zlib, or {flags}")
    (folder / "radixfmt_info").unlink()
    made = run(["make", "-C", str(SOURCES), *settings, f"CFLAGS={flags} -Werror"])
    assert made.returncode == 0, made.stderr
    return folder / "radixfmt_info"


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # A reader that ends after one file gives no memory back.
    settings = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS, env=settings
    )


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    return build(tmp_path_factory.mktemp("reader"), "-O2")


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory):
    return build(tmp_path_factory.mktemp("sanitized"), SANITIZED)


def is_told(answer: subprocess.CompletedProcess[str]) -> bool:
    """Whether a refusal is one line that names a code and a place."""
    code, _, rest = answer.stderr.partition(" ")
    return answer.stdout == "" and code.startswith("RX") and ": " in rest and rest.count("\n") == 1


def test_the_reader_is_short_enough_to_be_read():
    lines = [
        line
        for path in SOURCES.iterdir()
        if path.suffix in (".c", ".h")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 118


@pytest.mark.parametrize("name", NAMES)
def test_it_finds_what_the_vectors_say(name, reader):
    expected = json.loads((VALID / f"{name}.json").read_text("utf-8"))
    answer = run([reader, VALID / f"{name}.rx.h5"])
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["info"] == expected["info"]
    assert found["digests"] == [layer["digests"] for layer in expected["layers"]]


@pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name]["level"] in LEVELS])
def test_it_refuses_what_every_reader_must(name, reader):
    answer = run([reader, INVALID / name])
    assert answer.returncode == 1, answer
    assert is_told(answer), answer.stderr


@pytest.mark.parametrize(
    "name", [name for name in EXPECTED if EXPECTED[name]["level"] not in LEVELS]
)
def test_it_survives_what_it_may_accept(name, reader):
    answer = run([reader, INVALID / name])
    assert answer.returncode == 0 or (answer.returncode == 1 and is_told(answer)), answer
    assert "RX0199" not in answer.stderr


def test_no_vector_makes_it_touch_memory_that_is_not_its_own(sanitized):
    for path in [*sorted(VALID.glob("*.rx.h5")), *(INVALID / name for name in EXPECTED)]:
        answer = run([sanitized, path])
        assert answer.returncode in (0, 1), (path.name, answer.stderr)
        assert answer.returncode == 0 or is_told(answer), (path.name, answer.stderr)


@pytest.mark.parametrize("words", [[], ["one", "two"]], ids=str)
def test_it_says_how_it_is_called(words, reader):
    answer = run([reader, *words])
    assert answer.returncode == 2
    assert "usage" in answer.stderr


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_what_is_no_file_is_refused(name, reader, tmp_path):
    (tmp_path / "folder").mkdir()
    answer = run([reader, tmp_path / name])
    assert answer.returncode == 1
    assert answer.stderr.startswith("RX0106 ")
