"""`radixfmt convert`: any readable format to any writable one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import overwritable, spoken, weights_options

if TYPE_CHECKING:
    from radixfmt.cli.output import Output


@click.command(epilog="Example: radixfmt convert net.rx.h5 layer.mtx --layer 0")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--from", "source_format", metavar="FORMAT", help="By default told from IN.")
@click.option("--to", "target_format", metavar="FORMAT", help="By default told from OUT.")
@click.option("--layer", type=int, help="This layer alone, counted from 0.")
@click.option(
    "--storage",
    type=click.Choice(["procedural", "explicit"]),
    help="How a radixfmt file keeps generated patterns.",
)
@weights_options[0]
@weights_options[1]
@weights_options[2]
@overwritable
@spoken
def command(source: str, target: str, output: Output, **settings: Any) -> int:
    """Convert between formats; also repacks files, extracts a layer, gives weights.

    Formats: radixfmt (.rx.h5), graph-challenge (a folder of n<N>-l<k>.tsv), matrix-market (.mtx).
    """
    from radixfmt.converters import convert

    storage = settings.pop("storage")
    options = {} if storage is None else {"storage": storage}
    done = convert(source, target, **settings, **options)
    for loss in done.losses:
        output.note(f"not kept: {loss}" if " come from " not in loss else f"assumed: {loss}")
    output.answer(f"{done.output}\ncontent   {done.digests['content']}", done.as_json())
    return 0
