"""Files that crash, hang or exhaust their reader are answers about the file, not about us."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError, PathError, TargetExistsError
from radixfmt.limits import Limits
from radixfmt.validation import Isolated, Options, rewrite, validate_isolated

fcntl = pytest.importorskip("fcntl")

TROUBLE = '''
import fcntl, os, signal, sys, time
from pathlib import Path
from radixfmt.findings import Finding
from radixfmt.validation.checks import check

@check("trouble", needs=())
def trouble(view):
    """Do what the file's name says, as a hostile file makes a library do."""
    what = Path(view.path).name.partition(".")[0]
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "leave":
        os._exit(0)
    if what == "forge":
        print('{"report": {}}')
        os.system("echo forged; echo forged >&2")
    if what == "parent":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    if what == "hang":
        lock = open(view.path + ".lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)  # held until this process is gone
        Path(view.path + ".pid").write_text(str(os.getppid()))
        time.sleep(600)
    if what == "spin":
        while True:
            pass
    if what == "eat":
        held = []
        while True:
            held.append(bytearray(16 << 20))
    if what == "talk":
        for i in range(100_000):
            yield Finding("RX5003", "x" * 100, index=i)
    yield from ()
'''

TROUBLES = ("crash", "leave", "forge", "parent", "hang", "spin", "eat", "talk")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small):
    """Files on which the plugin below makes trouble, and one on which it does not."""
    folder = tmp_path_factory.mktemp("trouble")
    rx.write(folder / "good.rx.h5", small)
    for name in TROUBLES:
        (folder / f"{name}.rx.h5").write_bytes((folder / "good.rx.h5").read_bytes())
    return folder


@pytest.fixture(autouse=True)
def plugin(tmp_path_factory, monkeypatch):
    """Install, as pip lays it out, a distribution with a check that makes trouble."""
    home = tmp_path_factory.mktemp("plugin")
    (home / "radixfmt_trouble.py").write_text(TROUBLE)
    information = home / "radixfmt_trouble-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: t\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[radixfmt.validation.checks]\ntrouble = radixfmt_trouble\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(home))
    return home


@pytest.fixture(scope="module")
def isolated():
    with Isolated() as found:
        yield found


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock, be it alive in any state but dead."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("name", "limits", "said"),
    [
        ("crash", {}, "SIGSEGV"),
        ("leave", {}, "exit status 0"),
        ("parent", {}, "its parent died"),
        ("hang", {"wall": 1}, r"more than 1 s \(limit wall\)"),
        ("spin", {"cpu": 1}, r"more than 1 s of processor time \(limit cpu\)"),
        ("eat", {"memory": 256 << 20}, "memory"),
    ],
)
def test_trouble_is_a_finding_and_the_next_file_is_served(name, limits, said, folder, isolated):
    report = isolated.validate(folder / f"{name}.rx.h5", Options(limits=Limits(**limits)))
    found = [finding for finding in report.findings if finding.code == "RX0199"]
    assert len(found) == 1
    assert re.search(said, found[0].message)
    assert not report.ok
    assert isolated.validate(folder / "good.rx.h5").ok
    if name == "hang":
        assert not is_locked(folder / "hang.rx.h5.lock")


def test_what_a_library_prints_is_no_answer(folder, isolated):
    assert isolated.validate(folder / "forge.rx.h5").ok


def test_a_flood_of_findings_is_counted_and_not_kept(folder, isolated):
    report = isolated.validate(folder / "talk.rx.h5")
    kept = [finding for finding in report.findings if finding.code == "RX5003"]
    assert len(kept) == 100
    assert kept[-1].message.endswith("; 99900 more RX5003 not listed")
    assert report.ok


def test_a_worker_killed_between_two_requests_is_replaced(folder):
    with Isolated() as isolated:
        assert isolated.validate(folder / "good.rx.h5").ok
        first = isolated._worker._process
        os.kill(first.pid, signal.SIGKILL)
        assert isolated.validate(folder / "good.rx.h5").ok
        assert isolated._worker._process is not first
    assert first.returncode == -signal.SIGKILL  # no zombie


def test_many_files_are_one_process_and_in_order(folder, tmp_path):
    good, bad = (folder / "good.rx.h5").read_bytes(), b"no HDF5 at all"
    paths = [tmp_path / f"{i}.rx.h5" for i in range(50)]
    for i, path in enumerate(paths):
        path.write_bytes(bad if i % 7 == 3 else good)
    reports = list(validate_isolated(paths))
    assert [report.path for report in reports] == [str(path) for path in paths]
    assert [report.ok for report in reports] == [i % 7 != 3 for i in range(50)]


def test_both_ways_of_reading_say_the_same(folder, isolated):
    assert isolated.validate(folder / "good.rx.h5") == rx.validate(folder / "good.rx.h5")
    for read in (isolated.validate, rx.validate):
        with pytest.raises(PathError, match="missing.rx.h5: No such file") as caught:
            read(folder / "missing.rx.h5")
        assert caught.value.hint == "check the spelling"


def test_relative_and_strange_names(folder, isolated, tmp_path, monkeypatch):
    name = os.fsdecode(b"a\xff\n\xe2\x80\xae.rx.h5")
    (tmp_path / name).write_bytes((folder / "good.rx.h5").read_bytes())
    monkeypatch.chdir(tmp_path)  # after the worker may have started
    report = isolated.validate(name)
    assert (report.path, report.ok) == (name, True)


def test_nothing_is_imported_from_where_a_person_works(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numpy.py").write_text("raise SystemExit('a download was run')")
    assert next(validate_isolated([folder / "good.rx.h5"])).ok


def test_a_plugin_that_cannot_be_loaded_is_named(folder, plugin):
    (plugin / "radixfmt_trouble.py").write_text("import no_such_module")
    with pytest.raises(rx.RadixfmtError, match=r"plugin 'trouble'.*no_such_module"):
        next(validate_isolated([folder / "good.rx.h5"]))


def test_an_interrupt_leaves_no_process_behind(folder, tmp_path):
    path = tmp_path / "hang.rx.h5"
    path.write_bytes((folder / "good.rx.h5").read_bytes())
    lock, server = (path.with_name(path.name + suffix) for suffix in (".lock", ".pid"))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(Path(rx.__file__).parents[1])])
    }
    with subprocess.Popen(
        [sys.executable, "-m", "radixfmt", "validate", path],
        env=environment, stderr=subprocess.PIPE, text=True,
        # a background job ignores interrupts, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:  # fmt: skip
        wait_until(lambda: server.exists() and server.read_text())
        assert is_locked(lock)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.strip()) == (130, "Interrupted.")
    with pytest.raises(ProcessLookupError):
        os.kill(int(server.read_text()), 0)
    wait_until(lambda: not is_locked(lock))


def old_superblock(path, source):
    """Copy a file as plain h5py writes it: superblock version 0."""
    with h5py.File(source) as file, h5py.File(path, "w", libver=("earliest", "v108")) as copy:
        for name in file:
            file.copy(name, copy)
        for name in file.attrs:
            value = np.empty((), file.attrs.get_id(name).dtype)
            file.attrs.get_id(name).read(value)
            copy.attrs.create(name, value)
    assert path.read_bytes()[8] == 0
    return path


def test_an_old_superblock_is_read_apart_and_rewritten(folder, small, tmp_path, monkeypatch):
    old = old_superblock(tmp_path / "old.rx.h5", folder / "good.rx.h5")
    report = rx.validate(old)
    assert report.ok, report
    assert "RX0104" in {finding.code for finding in report.findings}
    assert not rx.validate(old, strict=True).ok

    rewrite(old, tmp_path / "new.rx.h5")
    assert (tmp_path / "new.rx.h5").read_bytes() == (folder / "good.rx.h5").read_bytes()
    with pytest.raises(TargetExistsError):
        rewrite(old, tmp_path / "new.rx.h5")
    rewrite(old, tmp_path / "new.rx.h5", overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"old.rx.h5", "new.rx.h5"}


def test_a_file_that_cannot_be_rewritten_leaves_nothing(folder, tmp_path):
    broken = old_superblock(tmp_path / "old.rx.h5", folder / "good.rx.h5")
    with h5py.File(broken, "r+") as file:
        del file["manifest"]
    with pytest.raises(FormatError, match="RX2001|RX3003") as caught:
        rewrite(broken, tmp_path / "new.rx.h5")
    assert caught.value.finding.path == "/manifest"
    with pytest.raises(FormatError, match="RX0199"):
        rewrite(folder / "good.rx.h5", tmp_path / "new.rx.h5", limits=Limits(wall=0))
    assert [path.name for path in tmp_path.iterdir()] == ["old.rx.h5"]
