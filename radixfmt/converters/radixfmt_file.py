"""`radixfmt`: our own files, so that convert also repacks, extracts and re-weights them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.converters import converter

if TYPE_CHECKING:
    from pathlib import Path

    from radixfmt.model.digest import NetworkDigests
    from radixfmt.model.network import Network


class RadixfmtFile:
    """Reads lazily; writes as `rx.write`."""

    suffixes = (".rx.h5", ".h5", ".hdf5")
    options = ("storage",)

    def read(self, path: Path) -> tuple[Network, list[str]]:
        """Return the lazy network; the caller closes it."""
        from radixfmt.storage import open  # noqa: A004  the public name is rx.open

        return open(path), []

    def write(
        self, path: Path, network: Network, *, overwrite: bool, options: dict[str, Any]
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write the file; `options` may hold `storage`."""
        from radixfmt.storage.writer import write_network

        storage = options.get("storage", "procedural")
        return [], write_network(path, network, overwrite=overwrite, storage=storage)


converter("radixfmt")(RadixfmtFile())
