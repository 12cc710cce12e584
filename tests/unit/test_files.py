"""Outputs appear whole or not at all, and nothing that exists is lost."""

from __future__ import annotations

import errno
import os
import re

import pytest

from radixfmt.errors import PathError, TargetExistsError
from radixfmt.files import replacing, replacing_folder


def write(path, text, *, overwrite=False, then=lambda: None):
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(text)
        then()


def fail():
    raise KeyError


def test_a_full_disk_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch):
    target = tmp_path / "a"
    target.write_text("old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PathError, match="a: cannot write: No space left"):
        write(target, "new", overwrite=True)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "old")]


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "a"
    with pytest.raises(TargetExistsError):
        write(target, "mine", then=lambda: target.write_text("theirs"))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "theirs")]


def test_an_error_inside_leaves_nothing(tmp_path):
    def folder():
        with replacing_folder(tmp_path / "b", overwrite=False, ours=re.compile("x")) as temporary:
            (temporary / "half").write_text("half")
            fail()

    with pytest.raises(KeyError):
        write(tmp_path / "a", "half", then=fail)
    with pytest.raises(KeyError):
        folder()
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_has_the_usual_permissions(tmp_path):
    with replacing(tmp_path / "a", overwrite=False) as temporary:
        temporary.write_text("x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="FIFOs are POSIX")
def test_special_files_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PathError, match="special file"):
        write(tmp_path / "pipe", "x", overwrite=True)
