"""`binsparse`: one layer as a Binsparse 0.1 file; entry (i, j) is the edge from i to j."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.converters import converter, only_layer
from radixfmt.converters.apart import opened
from radixfmt.limits import DEFAULTS, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from radixfmt.model.digest import NetworkDigests
    from radixfmt.model.network import Network


class Binsparse:
    """Reads matrices in all formats of Binsparse 0.1; writes CSC.

    The value 1 of type bint8 for all entries is a topology. A triangle of a symmetric matrix is
    expanded. Cells of dense matrices are edges, all of them.
    """

    suffixes = (".bsp.h5",)
    read_options = ("limits",)
    options = ()

    def read(self, path: Path, *, limits: Limits = DEFAULTS) -> tuple[Network, list[str]]:
        """Return the layer as a network of one.

        Raises:
            InputError: no Binsparse file, or a matrix that cannot be a layer.
            FormatError: an HDF5 file that is not read; RX0199 if reading it ended a process.
        """
        from radixfmt.storage.container import open_container

        return opened(path, "binsparse", open_container, limits)

    def write(
        self,
        path: Path,
        network: Network,
        *,
        overwrite: bool,
        options: dict[str, Any],  # noqa: ARG002  this format has none
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write the one layer of `network`.

        Raises:
            UnsupportedError: several layers, or a conv layer.
        """
        from radixfmt.storage.container_writer import write_container

        layer = only_layer(network, "binsparse")
        losses = write_container(path, layer, overwrite=overwrite)
        return ["names and metadata", "the graph: activations", *losses], None


converter("binsparse")(Binsparse())
