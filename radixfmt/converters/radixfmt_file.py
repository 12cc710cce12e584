"""`radixfmt`: our own files, so that convert also repacks, migrates, extracts and re-weights them.

Older drafts are brought up, and files with an old superblock are rewritten by another process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from radixfmt.converters import converter
from radixfmt.converters.apart import opened
from radixfmt.errors import FormatError, InputError
from radixfmt.limits import DEFAULTS, Limits
from radixfmt.model.network import LazyLayers

if TYPE_CHECKING:
    from pathlib import Path

    from radixfmt.model.digest import NetworkDigests
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


class RadixfmtFile:
    """Reads lazily; writes as `rx.write`.

    An HDF5 file of another kind that holds a Binsparse matrix is read as one.
    """

    suffixes = (".rx.h5", ".h5", ".hdf5")
    read_options = ("limits",)
    options = ("storage", "small", "compat")

    def read(self, path: Path, *, limits: Limits = DEFAULTS) -> tuple[Network, list[str]]:
        """Return the lazy network, which the caller closes, and what a rewrite drops.

        Raises:
            FormatError: the file breaks the specification; RX0199 if reading it ended a process.
            InputError: a Binsparse matrix that cannot be a layer.
        """
        from radixfmt.storage.repack import open_for_repack

        try:
            return opened(path, "radixfmt", open_for_repack, limits)
        except FormatError as error:
            if error.code != "RX0201":
                raise
            try:
                return converter["binsparse"].read(path, limits=limits)
            except InputError as other:
                raise (error if other.code == "no-container" else other) from None

    def write(
        self, path: Path, network: Network, *, overwrite: bool, options: dict[str, Any]
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write the file.

        `options` may hold `storage`, `small` and `compat`, see `radixfmt.write`. A `storage` of
        "procedural" that was asked for also puts a generator's record in place of every explicit
        pattern that one makes.
        """
        from radixfmt.storage.layer_writer import Storage
        from radixfmt.storage.writer import write_network

        storage = Storage(
            options.get("storage", "procedural"),
            options.get("small", False),
            options.get("compat"),
        )
        if options.get("storage") == "procedural":
            network = replace(network, layers=_recognised(network), closer=None)
        return [], write_network(path, network, overwrite=overwrite, storage=storage)


def _recognised(network: Network) -> LazyLayers:
    """Return the layers with a generator's pattern wherever one has the same edges."""
    from radixfmt.generators import from_record, recognise

    layers = network.layers

    def make(i: int) -> Layer:
        layer = layers[i]
        record = recognise(layer.pattern, i) if layer.pattern.record is None else None
        return layer if record is None else layer.replace(pattern=from_record(record))

    return LazyLayers(network.headers, make, network.geometries)


converter("radixfmt")(RadixfmtFile())
