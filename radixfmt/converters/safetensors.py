"""`safetensors`: the dense state dict of a PyTorch module, without its graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from radixfmt.converters import converter
from radixfmt.converters.dense_state import state_of
from radixfmt.converters.safetensors_file import LARGEST_FILE, read_state, write_state
from radixfmt.converters.state_dict import chain_of, placed, unmasked
from radixfmt.files import a_path
from radixfmt.model.metadata import Metadata
from radixfmt.version import __version__

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from radixfmt.model.digest import NetworkDigests
    from radixfmt.model.network import Network


class Safetensors:
    """Reads a chain of Linear layers, or any state onto a network; writes dense weights.

    A module takes what is written with `load_state_dict(load_file(path), strict=False)`: dense
    tensors that are no parameters, such as shapes, stand beside them.
    """

    suffixes = (".safetensors",)
    read_options = ("like",)
    options = ()

    def read(
        self, path: Path, *, like: str | os.PathLike[str] | None = None
    ) -> tuple[Network, list[str]]:
        """Return the network of a state dict.

        Args:
            path: the file.
            like: a `.rx.h5` file whose graph and edges the weights go into; without it, the
                state is a chain of Linear layers.

        Raises:
            MissingDependencyError: safetensors is not installed.
            PathError: no such file.
            InputError: not a safetensors file, or weights that `like` does not take.
            UnsupportedError: no chain of Linear layers, or types that the format does not hold.
            FormatError: `like` breaks the specification.
        """
        from radixfmt.storage.reader import read

        state, losses = read_state(path)
        state, masks = unmasked(state)
        if like is None:
            network, assumed = chain_of(state, masks, file=str(path))
            network = replace(network, metadata=Metadata(name=path.name))
        else:
            network, assumed = placed(
                state, read(like, verify=True), like=a_path(like).name, file=str(path)
            )
        step = {"activity": "convert", "tool": f"radixfmt {__version__}", "source": path.name}
        provenance = (*network.metadata.provenance, step)
        network = replace(network, metadata=replace(network.metadata, provenance=provenance))
        return network, [*losses, *assumed]

    def write(
        self,
        path: Path,
        network: Network,
        *,
        overwrite: bool,
        options: dict[str, Any],  # noqa: ARG002  it has none
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write the dense weights, biases and tensors of `network`.

        Raises:
            MissingDependencyError: safetensors is not installed.
            UnsupportedError: a layer without weights, or more than `LARGEST_FILE` bytes of them.
        """
        state = state_of(network, LARGEST_FILE)
        write_state(path, state, overwrite=overwrite)
        return ["the graph", "which weights are edges", "the metadata"], None


converter("safetensors")(Safetensors())
