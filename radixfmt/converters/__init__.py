"""Networks from and to other formats, one file each; any readable one converts to any writable.

A converter says what it loses: nothing is dropped, rounded or assumed in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from radixfmt.errors import ParameterError, PathError, UnsupportedError
from radixfmt.files import a_path, check_target
from radixfmt.initialization import weighted
from radixfmt.model.digest import digests
from radixfmt.model.metadata import described
from radixfmt.model.network import alone
from radixfmt.pruning import prune as pruned
from radixfmt.registry import Registry
from radixfmt.version import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from radixfmt.model.digest import NetworkDigests
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


class Converter(Protocol):
    """One format.

    Attributes:
        suffixes: file names that end so are of this format; () for a folder.
        read_options: what `read` takes beside the path, by name.
        options: what `write` takes beside the network.
        read: returns the network at a path, and what was assumed or rounded to get it.
    """

    suffixes: tuple[str, ...]
    read_options: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def read(self) -> Callable[..., tuple[Network, list[str]]]:
        """Return the method `read(path, **options)`."""

    def write(
        self, path: Path, network: Network, *, overwrite: bool, options: dict[str, Any]
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write `network`; return what the format could not hold, and digests if it made them."""


converter: Registry[Converter] = Registry("format", __name__)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `convert` did.

    Attributes:
        output: the path written.
        digests: of the network written: topology, content, metadata.
        losses: what the output does not hold, or what had to be assumed or rounded.
    """

    output: str
    digests: dict[str, str]
    losses: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the object of `convert --json`."""
        return {"output": self.output, "digests": self.digests, "losses": list(self.losses)}


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    layer: int | None = None,
    weights: str | None = None,
    bias: float | None = None,
    seed: int = 0,
    prune: float | None = None,
    prune_by: str = "magnitude",
    prune_scope: str = "layer",
    said: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Conversion:
    """Read a network in one format and write it in another.

    Args:
        source: file or folder to read.
        target: file or folder to write; nothing that exists is replaced unless `overwrite`.
        source_format: a registered format; by default told from the path.
        target_format: likewise.
        layer: take this layer alone, counted from 0.
        weights: give the layers these weights (`radixfmt.initialization.RULES`).
        bias: give every neuron this bias.
        seed: of random weights, and of pruning at random.
        prune: drop edges, after all else, down to this sparsity (`radixfmt.pruning.prune`).
        prune_by: "magnitude" or "random".
        prune_scope: "layer" or "global".
        said: what a person says of the network, see `radixfmt.model.metadata.described`.
        overwrite: whether the target may be replaced.
        **options: of the source's format (`external_data` and `sparsity_threshold` for ONNX,
            `like` for safetensors, `limits` for radixfmt and Binsparse) or the target's
            (`storage`, `small`, `compat` for radixfmt).

    Raises:
        UnknownNameError: no such format.
        PathError: a path is missing, or its format cannot be told.
        RadixfmtError: what reading or writing finds wrong.
    """
    origin, destination = a_path(source), a_path(target)
    if not origin.exists():
        raise PathError(f"{origin}: no such file or folder", hint="check the spelling")
    if not (origin.is_file() or origin.is_dir()):
        raise PathError(f"{origin}: expected a file or a folder, got a special file")
    out_of = source_format or detect(origin)
    reader = converter[out_of]
    into = target_format or detect(destination)
    writer = converter[into]
    reading = {name: options.pop(name) for name in reader.read_options if name in options}
    for option in options:
        if option not in writer.options:
            raise ParameterError(
                f"{into}: unknown option {option!r}; expected "
                f"{', '.join(writer.options) or 'none'} to write it, or "
                f"{', '.join(reader.read_options) or 'none'} to read {out_of}"
            )
    if writer.suffixes:  # a file; whoever writes a folder knows what may be in it
        check_target(destination, overwrite=overwrite)
    network, losses = reader.read(origin, **reading)
    with network:
        changed = _changed(network, layer=layer, weights=weights, bias=bias, seed=seed)
        if prune is not None:
            changed = replace(
                pruned(changed, prune, by=prune_by, scope=prune_scope, seed=seed), closer=None
            )
        changed = replace(changed, metadata=described(changed.metadata, **(said or {})))
        lost, found = writer.write(destination, changed, overwrite=overwrite, options=options)
        found = found or digests(changed)
    named = {"topology": found.topology, "content": found.content, "metadata": found.metadata}
    return Conversion(str(destination), named, (*losses, *lost))


def detect(path: Path) -> str:
    """Return the format that the path's suffix, or being a folder, tells.

    Raises:
        PathError: no registered format fits.
    """
    fits = {
        suffix: name
        for name, entry in converter.items()
        for suffix in entry.suffixes
        if path.name.lower().endswith(suffix)
    }
    if fits:
        return fits[max(fits, key=len)]
    for name, entry in converter.items():
        if not entry.suffixes and path.is_dir():
            return name
    known = ", ".join(suffix for entry in converter.values() for suffix in entry.suffixes)
    raise PathError(
        f"{path}: cannot tell its format; expected a name that ends in {known}, or a folder of "
        "Graph Challenge files",
        hint=f"name it with --from or --to: {', '.join(converter)}",
    )


def only_layer(network: Network, form: str) -> Layer:
    """Return the one linear layer of a network, for formats that hold one matrix.

    Raises:
        UnsupportedError: several layers, or a conv layer.
    """
    kinds = [kind for kind, _ in network.headers]
    if len(kinds) != 1:
        raise UnsupportedError(
            f"{form}: expected one linear layer, got {len(kinds)} layers",
            hint="choose one with --layer N (from 0)",
        )
    if kinds != ["linear"]:
        raise UnsupportedError(
            f"{form}: expected a linear layer, got a conv layer, which a matrix alone is not",
            hint="keep it as .rx.h5, or export it as .onnx",
        )
    return network.layers[0]


def _changed(
    network: Network, *, layer: int | None, weights: str | None, bias: float | None, seed: int
) -> Network:
    """Return the network asked for: one layer of it, with other weights, or as it is."""
    headers = network.headers
    done: dict[str, Any] = {}
    if layer is not None:
        if not 0 <= layer < len(headers):
            raise ParameterError(
                f"layer: expected 0 to {len(headers) - 1}, got {layer}; layers count from 0"
            )
        network = alone(network.layers[layer], network.metadata)
        done["layer"] = layer
    if weights is not None or bias is not None:
        changed = weighted(network, weights=weights, bias=bias, seed=seed)
        network = replace(changed, closer=None)
        done |= {"weights": weights, "bias": bias, "seed": seed}
    if not done:
        return network
    step = {"activity": "convert", "tool": f"radixfmt {__version__}"}
    step |= {key: value for key, value in done.items() if value is not None}
    metadata = replace(network.metadata, provenance=(*network.metadata.provenance, step))
    return replace(network, metadata=metadata)
