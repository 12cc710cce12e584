"""Outputs appear whole or not at all, and nothing that exists is lost."""

from __future__ import annotations

import errno
import os
import re

import pytest

import radixfmt as rx
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


def test_overwriting_keeps_permissions_and_links(tmp_path):
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    real.parent.mkdir()
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to("folder/real")
    with pytest.raises(TargetExistsError, match="link: exists already"):
        write(link, "new")
    write(link, "new", overwrite=True)
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("new", 0o600)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["folder", "link", "real"]


def test_overwriting_keeps_the_permissions_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir(mode=0o700)
    with replacing_folder(tmp_path / "a", overwrite=True, ours=re.compile("x")) as temporary:
        (temporary / "x").write_text("new")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "x").read_text() == "new"


def test_a_link_to_nothing_names_what_will_be_written(tmp_path):
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "real").read_text() == "new"
    (tmp_path / "lost").symlink_to("absent/real")
    with pytest.raises(PathError, match="lost: its folder does not exist"):
        write(tmp_path / "lost", "new")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(TargetExistsError):
        write(tmp_path / "circle", "new")


@pytest.mark.parametrize("length", [251, 255])
def test_the_longest_names_are_written(length, tmp_path):
    name = "n" * (length - len(".rx.h5")) + ".rx.h5"
    rx.write(tmp_path / name, rx.generate("radix-net", systems=[[2, 2]]))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with pytest.raises(PathError, match="File name too long"):
        rx.write(tmp_path / f"n{'n' * 255}", rx.generate("radix-net", systems=[[2, 2]]))


def test_a_folder_too_deep_for_the_temporary_is_an_error_of_ours(tmp_path, monkeypatch):
    """The target's own path is just short enough for the system; the temporary's is not."""
    place = tmp_path
    most = os.pathconf(tmp_path, "PC_PATH_MAX") - 1  # of bytes, without the NUL
    while most - len(str(place)) > 300:
        place /= "d" * 200
    place /= "d" * (most - len(str(place)) - len("//a"))
    place.mkdir(parents=True)
    assert len(str(place / "a")) == most
    with pytest.raises(PathError, match="cannot write: File name too long"):
        rx.write(place / "a", rx.generate("radix-net", systems=[[2, 2]]))
