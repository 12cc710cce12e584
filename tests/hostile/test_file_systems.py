"""129: file systems that allow little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import radixfmt as rx

NO_LOCKS = """
#include <errno.h>
int flock(int fd, int operation) { errno = ERRNO; return -1; }
"""


@pytest.mark.skipif(sys.platform != "linux", reason="replaces a function of the C library")
@pytest.mark.parametrize("errno", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_129_a_file_system_without_locks(errno, bases, tmp_path):
    """NFS and others say so each in its way; a file that is only read needs no lock."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to stand in for the file system")
    source, library = tmp_path / "flock.c", tmp_path / "flock.so"
    source.write_text(NO_LOCKS.replace("ERRNO", errno))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    program = (
        "import sys, radixfmt as rx\n"
        "assert rx.validate(sys.argv[1]).ok\n"
        "print(len(rx.read(sys.argv[1]).layers))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, bases["explicit"]],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr


def test_129_a_read_only_folder(bases, judge, small, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "net.rx.h5"
    path.write_bytes(bases["explicit"].read_bytes())
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        judge(path, set())
        if os.geteuid():  # root writes everywhere
            with pytest.raises(rx.RadixfmtError, match="not writable"):
                rx.write(folder / "new.rx.h5", small)
        assert [entry.name for entry in folder.iterdir()] == ["net.rx.h5"]
    finally:
        folder.chmod(0o755)
