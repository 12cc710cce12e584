"""Outputs that appear whole or not at all, and never in place of something by surprise."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from radixfmt.errors import PathError, TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Return `path` if a file may be written there; call it before the work starts.

    Raises:
        TargetExistsError: it exists and `overwrite` is false.
        PathError: it is a folder or a special file, or its folder is missing or not writable.
    """
    target = Path(path)
    if target.is_dir():
        raise PathError(f"{target}: expected a file to write, got a folder")
    if target.exists() and not target.is_file():
        raise PathError(f"{target}: expected a regular file to write, got a special file")
    if target.exists() and not overwrite:
        raise _exists(target)
    if not target.parent.is_dir():
        raise PathError(f"{target}: its folder does not exist", hint=f"mkdir -p {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise PathError(f"{target}: its folder is not writable")
    return target


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it goes.

    The bytes reach the disk before the name changes, so that after a crash there is the old file
    or the whole new one.

    Raises:
        TargetExistsError: as `check_target`, also when the target appears meanwhile.
        PathError: as `check_target`, or the system refuses (a full disk, say).
    """
    target = check_target(path, overwrite=overwrite)
    temporary = _beside(target)
    try:
        yield temporary
        _sync(temporary)
        if overwrite:
            temporary.replace(target)
        else:
            _claim(temporary, target)
        _sync(target.parent)
    except OSError as error:
        if isinstance(error, PathError | TargetExistsError):
            raise
        raise PathError(f"{target}: cannot write: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield a new folder beside `path` that becomes `path` on success.

    Args:
        path: absent, or an empty folder; with `overwrite` also a folder whose names are all
            among the ones written, so that nothing else is lost.
        overwrite: whether such files may be replaced.

    Raises:
        TargetExistsError: `path` holds something that would be lost.
        PathError: `path` is no folder, or the system refuses.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise PathError(f"{target}: expected a folder to write, got a file")
    if not overwrite and target.is_dir() and any(target.iterdir()):
        raise _exists(target)
    if not target.absolute().parent.is_dir():
        raise PathError(f"{target}: its folder does not exist", hint=f"mkdir -p {target.parent}")
    temporary = _beside(target)
    try:
        temporary.mkdir()
        yield temporary
        if target.is_dir():
            others = {p.name for p in target.iterdir()} - {p.name for p in temporary.iterdir()}
            if others:
                raise TargetExistsError(
                    f"{target}: holds {min(others)!r}, which this would remove",
                    hint="choose another folder",
                )
            old = _beside(target)
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.rename(target)
        _sync(target.absolute().parent)
    except OSError as error:
        if isinstance(error, PathError | TargetExistsError):
            raise
        raise PathError(f"{target}: cannot write: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exists(target: Path) -> TargetExistsError:
    return TargetExistsError(
        f"{target}: exists already", hint="add --overwrite (overwrite=True) to replace it"
    )


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


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
