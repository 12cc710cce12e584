"""`radixfmt plot`: pictures of networks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from radixfmt.cli.generate import IntegerList
from radixfmt.cli.measure import titles
from radixfmt.cli.options import overwritable, spoken, target_option

if TYPE_CHECKING:
    from radixfmt.cli.output import Output


@click.command(epilog="Example: radixfmt plot net.rx.h5 -o net.png")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--kind",
    default="spy",
    show_default=True,
    help="spy (where edges are), degree, spectrum (singular values) or density.",
)
@click.option("--layers", type=IntegerList(), help="Counted from 0; by default the first four.")
@click.option("--columns", type=int, help="Panels in a row; by default a row for each network.")
@target_option("The picture to write, .png or .svg.")
@overwritable
@spoken
def command(
    files: tuple[str, ...],
    kind: str,
    layers: list[int] | None,
    columns: int | None,
    target: str,
    overwrite: bool,
    output: Output,
) -> int:
    """Draw layers of one or more networks."""
    from radixfmt.plots import plot
    from radixfmt.storage.reader import open as open_file

    with ExitStack() as stack:
        networks = {
            title: stack.enter_context(open_file(file))
            for title, file in zip(titles(files), files, strict=True)
        }
        plot(networks, target, kind=kind, layers=layers, columns=columns, overwrite=overwrite)
    size = Path(target).stat().st_size
    output.answer(f"{target}: {kind} of {', '.join(networks)}", {"output": target, "bytes": size})
    return 0
