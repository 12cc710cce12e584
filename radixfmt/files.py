"""Outputs that appear whole or not at all, and never in place of something by surprise."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, Any

from radixfmt.errors import PathError, TargetExistsError

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""How the system says that a path which can be used names nothing."""


def check_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Return the file that `path` means, links followed, if it may be written.

    Call it before the work starts.

    Raises:
        TargetExistsError: it exists and `overwrite` is false.
        PathError: it is a folder or a special file, or its folder is missing or not writable.
    """
    target = _followed(path)
    if target.is_dir():
        raise PathError(f"{path}: expected a file to write, got a folder")
    if target.exists() and not target.is_file():
        raise PathError(f"{path}: expected a regular file to write, got a special file")
    if target.exists() and not overwrite:
        raise _exists(path)
    if not target.parent.is_dir():
        raise PathError(f"{path}: its folder does not exist", hint=f"mkdir -p {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise PathError(f"{path}: its folder is not writable")
    return target


def a_path(path: str | bytes | os.PathLike[Any]) -> Path:
    """Return `path` as the system can use it.

    Raises:
        PathError: empty, with a NUL inside, too long, no path at all, or in a folder that may not
            be looked into.
    """
    try:
        name = os.fsdecode(path)
        if not name:
            raise PathError("expected a path, got an empty text")
        os.stat(name)  # noqa: PTH116  the system's own opinion of the name
    except (TypeError, ValueError) as error:
        raise PathError(f"{path!r}: expected a path: {error}") from None
    except OSError as error:
        if isinstance(error, PathError) or error.errno not in ABSENT:
            raise PathError(f"{str(path)[:80]}: {error.strerror or error}") from None
    return Path(name)


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it goes.

    The bytes reach the disk before the name changes, so that after a crash there is the old file
    or the whole new one. A link stays and its target is replaced; permissions stay too.

    Raises:
        TargetExistsError: as `check_target`, also when the target appears meanwhile.
        PathError: as `check_target`, or the system refuses (a full disk, say).
    """
    target = check_target(path, overwrite=overwrite)
    temporary = _beside(target)
    try:
        yield temporary
        if overwrite:
            _keep_mode(target, temporary)
            _sync(temporary)
            temporary.replace(target)
        else:
            _sync(temporary)
            _claim(temporary, target)
        _sync(target.parent)
    except OSError as error:
        if isinstance(error, PathError | TargetExistsError):
            raise
        raise PathError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # what the system refused before is the error to tell
            temporary.unlink()


def check_folder(path: str | os.PathLike[str], *, overwrite: bool, ours: re.Pattern[str]) -> Path:
    """Return the folder `path` means, if it may be written; call it before the work starts.

    Args:
        path: absent, or an empty folder; with `overwrite` also one that holds nothing but files
            whose names match `ours`.
        overwrite: whether such files may be replaced.
        ours: names that will be written.

    Raises:
        TargetExistsError: `path` holds something that would be lost.
        PathError: `path` is no folder, its own folder does not exist, or the system refuses.
    """
    target = _followed(path)
    if target.exists() and not target.is_dir():
        raise PathError(f"{path}: expected a folder to write, got a file")
    if not target.parent.is_dir():
        raise PathError(f"{path}: its folder does not exist", hint=f"mkdir -p {target.parent}")
    try:
        held = sorted(target.iterdir()) if target.is_dir() else []
    except OSError as error:
        raise PathError(f"{path}: {error.strerror or error}") from None
    if held and not overwrite:
        raise _exists(path)
    for entry in held:
        if entry.is_symlink() or not entry.is_file() or not ours.fullmatch(entry.name):
            raise TargetExistsError(
                f"{path}: holds {entry.name!r}, which this would remove",
                hint="choose another folder",
            )
    return target


@contextmanager
def replacing_folder(
    path: str | os.PathLike[str], *, overwrite: bool, ours: re.Pattern[str]
) -> Iterator[Path]:
    """Yield a new folder beside `path` that becomes `path` on success; arguments as `check_folder`.

    Raises:
        TargetExistsError: `path` holds something that would be lost, now or when the work is done.
        PathError: `path` is no folder, or the system refuses.
    """
    target = check_folder(path, overwrite=overwrite, ours=ours)
    temporary, old = _beside(target), _beside(target)
    try:
        temporary.mkdir()
        yield temporary
        check_folder(path, overwrite=overwrite, ours=ours)
        if target.is_dir():
            _keep_mode(target, temporary)
            target.rename(old)
        try:
            temporary.rename(target)
        except OSError:
            if old.is_dir():
                old.rename(target)
            raise
        _remove(old)
        _sync(target.parent)
    except OSError as error:
        if isinstance(error, PathError | TargetExistsError):
            raise
        raise PathError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        _remove(temporary)


def _followed(path: str | os.PathLike[str]) -> Path:
    """Return what a path means where it is a link; links in a circle mean themselves."""
    return Path(os.path.realpath(a_path(path)))


def _exists(path: str | os.PathLike[str]) -> TargetExistsError:
    return TargetExistsError(
        f"{path}: exists already", hint="add --overwrite (overwrite=True) to replace it"
    )


def _beside(target: Path) -> Path:
    """Return a free name in the same folder, short whatever the target is called."""
    return target.with_name(f".{os.urandom(8).hex()}.tmp")


def _keep_mode(old: Path, new: Path) -> None:
    """Give `new` the permissions of `old`, if that exists."""
    if old.exists() and S_IMODE(old.stat().st_mode) != S_IMODE(new.stat().st_mode):
        new.chmod(S_IMODE(old.stat().st_mode))


def _claim(temporary: Path, target: Path) -> None:
    """Give `temporary` the name `target` unless that has been taken meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a file system without hard links: the early check has to do
        temporary.replace(target)


def _sync(path: Path) -> None:
    with suppress(PermissionError):  # some systems do not open folders
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(folder: Path) -> None:
    import shutil  # loads three compressors

    shutil.rmtree(folder, ignore_errors=True)
