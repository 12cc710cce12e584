"""Superblock, version and manifest: can the file be opened at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.storage.manifest import FORMAT_VERSION
from radixfmt.storage.reader import Reader
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator


@check("container", needs=())
def container(view: View) -> Iterator[Finding]:
    """Open the file; what the reader refuses is the finding."""
    try:
        view.file = Reader(view.path, trusted=view.trusted, limits=view.limits)
    except FormatError as error:
        version = getattr(error.finding, "actual", None) or ""
        if error.code == "RX0202" and "-draft." in version:
            yield Finding("RX0205", f"written by a draft of the format, {version}")
        raise
    if view.file.guard.old:
        yield Finding(
            "RX0104",
            "an old HDF5 superblock, on which the HDF5 library can crash",
            expected="version 2 or 3",
            actual="version 0 or 1",
        )
    if _minor(view.file.version) > _minor(FORMAT_VERSION):
        yield Finding(
            "RX0207",
            "a newer version: what it adds was not checked",
            expected=FORMAT_VERSION,
            actual=view.file.version,
        )


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
