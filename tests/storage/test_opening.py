"""Files that are of another kind, have an old superblock, or change while they are opened.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from built_files import AT, build, data

import radixfmt as rx
from radixfmt.errors import FormatError
from radixfmt.limits import Limits
from radixfmt.storage import guard as guard_module
from radixfmt.storage.guard import Guard
from radixfmt.storage.superblock import check_superblock


@pytest.mark.parametrize(
    ("begin", "looks"),
    [
        (b"PK\x03\x04....", "zip"),
        (b"%%MatrixMarket matrix", "MatrixMarket"),
        (b"\x93NUMPY\x01\x00", ".npy"),
        (b"\x08\x0a\x12\x07pytorch", "ONNX"),
        ((16).to_bytes(8, "little") + b'{"a":{}}', "safetensors"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"1\t2\t0.0625\n", "table"),
        (b"Dear reader,\n", "text"),
        (b"PK\x03\x04" + bytes(508) + b"\x89HDF\r\n\x1a\n", "HDF5 file behind 512"),
    ],
)  # fmt: skip
def test_17_other_files_are_recognised(begin, looks, tmp_path):
    (tmp_path / "file").write_bytes(begin)
    with pytest.raises(FormatError) as caught:
        rx.open(tmp_path / "file")
    assert caught.value.code == "RX0101"
    assert looks in str(caught.value)


@pytest.mark.parametrize("at", [24, 40])
def test_8_old_superblocks_are_checked_even_when_trusted(at, tmp_path):
    path = build(tmp_path / "old.h5", lambda f: None, libver="earliest")
    guard = Guard(path, trusted=True)
    assert guard.old
    guard.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + (2**40).to_bytes(8, "little") + whole[at + 8 :])
    with pytest.raises(FormatError, match="RX0105" if at == 24 else "RX0102"):
        Guard(path, trusted=True)
    path.write_bytes(whole)
    with pytest.raises(FormatError, match="RX0106"):
        Guard(path, trusted=True, limits=Limits(file=100))


def test_15_a_file_that_shrinks_while_open_is_said_to(tmp_path):
    path = build(tmp_path / "cut.h5", data(data=np.arange(10**6)))
    guard = Guard(path)
    stored = guard.array(f"/{AT}")
    os.truncate(path, 4096)
    with pytest.raises(FormatError, match="RX0102"):
        stored.read()
    guard.close()


def exchanged(path, other):
    """Another file takes the name."""
    Path(shutil.copy(other, f"{path}.new")).replace(path)


def rewritten(path, other):
    """The same file gets other bytes."""
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("check_superblock", exchanged),
        ("check_superblock", rewritten),
        ("opened", exchanged),
        ("opened", rewritten),
    ],
)
def test_15_what_is_read_is_the_file_that_was_checked(step, change, tmp_path, monkeypatch):
    """It changes behind the check, or between the two openings: then the newer one is checked."""
    path = build(tmp_path / "a.h5", data(data=np.ones(9, "<u4")))
    other = build(tmp_path / "b.h5", data(data=np.full(999, 7, "<u4")))
    real, calls = getattr(guard_module, step), []

    def meanwhile(*args, **options):
        if step == "opened" and not calls:
            change(path, other)
        found = real(*args, **options)
        if step == "check_superblock" and not calls:
            change(path, other)
        calls.append(step)
        return found

    monkeypatch.setattr(guard_module, step, meanwhile)
    guard = Guard(path)
    assert guard.size == other.stat().st_size
    assert guard.array(f"/{AT}").read().tolist() == [7] * 999
    guard.close()


def test_15_a_file_that_never_rests_is_refused_and_let_go(tmp_path, monkeypatch):
    path = build(tmp_path / "a.h5", data(data=np.ones(9, "<u4")))
    files = [build(tmp_path / f"{n}.h5", data(data=np.ones(9 + n, "<u4"))) for n in range(2)]
    calls = []

    def meanwhile(*args, **options):
        found = check_superblock(*args, **options)
        calls.append(found)
        exchanged(path, files[len(calls) % 2])
        return found

    monkeypatch.setattr(guard_module, "check_superblock", meanwhile)
    with pytest.raises(FormatError, match="replaced again and again") as caught:
        Guard(path)
    assert caught.value.code == "RX0105"
    assert len(calls) == guard_module.ATTEMPTS
    held = [entry.readlink() for entry in Path("/proc/self/fd").glob("*") if entry.exists()]
    assert not [name for name in held if str(tmp_path) in str(name)]
