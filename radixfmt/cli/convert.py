"""`radixfmt convert`: any readable format to any writable one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import (
    limits_option,
    metadata_options,
    overwritable,
    spoken,
    weights_options,
)

if TYPE_CHECKING:
    from radixfmt.cli.output import Output


OF_FORMATS = ("storage", "small", "compat", "external_data", "sparsity_threshold", "like")
"""Options that some formats have and others refuse."""


@click.command(epilog="Example: radixfmt convert net.rx.h5 layer.mtx --layer 0")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--from", "source_format", metavar="FORMAT", help="By default told from IN.")
@click.option("--to", "target_format", metavar="FORMAT", help="By default told from OUT.")
@click.option("--layer", type=int, help="This layer alone, counted from 0.")
@click.option(
    "--storage",
    type=click.Choice(["procedural", "explicit"]),
    help="Write every edge out, or a generator's record wherever one makes the same edges.",
)
@click.option(
    "--external-data", is_flag=True, help="ONNX in: read weights from other files in its folder."
)
@click.option(
    "--sparsity-threshold", type=float, metavar="SHARE",
    help="ONNX in: share of zeros from which a weight is stored sparse; 0.5 by default.",
)  # fmt: skip
@click.option(
    "--like", metavar="NET", help="safetensors in: a .rx.h5 file whose graph and edges it fills."
)
@limits_option(
    "radixfmt and Binsparse in: what the file may use: file=2**37 (bytes), expand=1e9 (edges "
    "checked), objects, layers, …; if it is read in a process of its own: memory, wall, cpu."
)
@click.option("--small", is_flag=True, help="Compress everything, weights too; slower.")
@click.option("--compat", type=click.Choice(["1.8"]), help="For readers with HDF5 1.8.")
@click.option(
    "--prune",
    type=float,
    metavar="SPARSITY",
    help="Drop edges until this share of a layer's cells, 0 to 1, has none.",
)
@click.option(
    "--prune-by",
    type=click.Choice(["magnitude", "random"]),
    default="magnitude",
    show_default=True,
    help="Drop the smallest weights, or any edges (see --seed).",
)
@click.option(
    "--prune-scope", type=click.Choice(["layer", "global"]), default="layer", show_default=True,
    help="Prune each layer for itself, or compare the edges of all.",
)  # fmt: skip
@weights_options[0]
@weights_options[1]
@weights_options[2]
@metadata_options
@overwritable
@spoken
def command(
    source: str, target: str, output: Output, *, limits: tuple[str, ...], **settings: Any
) -> int:
    """Convert between formats; also repacks, brings up old drafts, extracts, gives weights, prunes.

    Formats: radixfmt (.rx.h5), graph-challenge (a folder of n<N>-l<k>.tsv), matrix-market (.mtx),
    binsparse (.bsp.h5), npz (.npz, as scipy.sparse.save_npz), onnx (.onnx), safetensors
    (.safetensors, a state dict of dense weights).
    """
    from radixfmt.converters import convert
    from radixfmt.limits import Limits

    given = {name: settings.pop(name) for name in OF_FORMATS}
    options = {name: value for name, value in given.items() if value not in (None, False)}
    if limits:
        options["limits"] = Limits.parse(limits)
    done = convert(source, target, **settings, **options)
    for loss in done.losses:
        output.note(f"not kept: {loss}" if " come from " not in loss else f"assumed: {loss}")
    output.answer(f"{done.output}\ncontent   {done.digests['content']}", done.as_json())
    return 0
