"""HDF5 files that the library could crash on, read by way of another process."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from radixfmt.errors import FormatError
from radixfmt.limits import DEFAULTS, Limits
from radixfmt.storage.library_array import REPAIRABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.model.network import Network

READ_APART = ("RX0104", "RX1031", "RX1042", *REPAIRABLE)
"""Codes of what is not read from a stranger here, but is where a crash ends nothing else."""


def opened(
    path: Path,
    source_format: str,
    open_here: Callable[..., tuple[Network, list[str]]],
    limits: Limits,
) -> tuple[Network, list[str]]:
    """Return what `open_here` makes of a file, by way of another process if it has to be.

    Another process then writes it anew into a folder that goes when the network is closed.

    Args:
        path: the file.
        source_format: as `radixfmt.validation.rewrite` takes it.
        open_here: `open_here(path, limits=limits)` returns the network and what was not kept.
        limits: of what the file may use; `memory`, `cpu` and `wall` bind the other process.

    Raises:
        FormatError: what the reader refuses; RX0199 if the other process died.
        RadixfmtError: what else `open_here` raises.
    """
    try:
        return open_here(path, limits=limits)
    except FormatError as error:
        if error.code not in READ_APART:
            raise
    from radixfmt.storage.reader import open  # noqa: A004  the public name is rx.open
    from radixfmt.validation import rewrite

    folder = TemporaryDirectory(prefix="radixfmt-")
    try:
        rewritten = Path(folder.name) / "rewritten.rx.h5"
        losses = rewrite(path, rewritten, source_format=source_format, limits=limits)
        # the new file may be larger than the old one was, and is as little to be trusted
        most = Limits(*map(max, astuple(limits), astuple(DEFAULTS)))
        network = open(rewritten, limits=most)
    except BaseException:
        folder.cleanup()
        raise

    def close() -> None:
        network.close()
        folder.cleanup()

    return replace(network, closer=close), losses
