"""Our own files as the source of a rewrite: drafts too, and what a rewrite would drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.limits import DEFAULTS, Limits
from radixfmt.storage.manifest import PATH
from radixfmt.storage.reader import Reader
from radixfmt.storage.structure import walk
from radixfmt.storage.verify import verified

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from radixfmt.model.network import Network

UNNAMED = "RX1051"


def open_for_repack(
    path: str | os.PathLike[str], *, trusted: bool = False, limits: Limits = DEFAULTS
) -> tuple[Network, list[str]]:
    """Return the lazy network of a file of this version or a draft, and what it does not hold.

    Args:
        path: the file.
        trusted: also open what the HDF5 library can crash on, see `radixfmt.storage.open`.
        limits: of what the file may use.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: the file breaks the specification, or its content its digests.
    """
    file = Reader(path, trusted=trusted, drafts=True, limits=limits)
    try:
        return verified(file, file.network()), list(_dropped(file))
    except BaseException:
        file.guard.close()
        raise


def _dropped(file: Reader) -> Iterator[str]:
    """Yield what the file holds and a network does not, by place."""
    for pointer in file.manifest.unknown:
        yield f"{PATH}#{pointer}: a member that this version does not name"
    for i in range(file.count()):
        for pointer in file.header(i).unknown:
            yield f"/layers/{i:06d}#{pointer}: a member that this version does not name"
    for finding in walk(file.guard):
        if finding.code == UNNAMED:
            yield f"{finding.path}: {finding.message}"
