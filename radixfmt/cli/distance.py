"""`radixfmt distance`: how far apart two topologies are, whatever order their neurons stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from radixfmt.cli.options import spoken

if TYPE_CHECKING:
    from radixfmt.cli.output import Output


@click.command(epilog="Example: radixfmt distance a.rx.h5 b.rx.h5")
@click.argument("a")
@click.argument("b")
@click.option(
    "--matching",
    type=click.Choice(["optimal", "greedy", "identity"]),
    default="optimal",
    show_default=True,
    help="How neurons are paired off; greedy is an upper bound, for layers of many neurons.",
)
@spoken
def command(a: str, b: str, matching: str, output: Output) -> int:
    """Tell the sparse topology distance (NNSTD) of two networks: 0 alike, 1 nothing in common.

    Liu et al., arXiv 2006.14085. Weights do not count, nor the order of hidden neurons.
    """
    from radixfmt.measures.nnstd import nnstd
    from radixfmt.storage.reader import open as open_file

    with open_file(a) as first, open_file(b) as second:
        found = nnstd(first, second, matching=matching)
    layers = zip(found.layers, found.lower_bounds, strict=True)
    lines = [f"nnstd     {found.distance:.6f}   {matching} matching, mean of {len(found.layers)}"]
    lines += [f"layer {i:<4}{d:.6f}   at least {low:.6f}" for i, (d, low) in enumerate(layers)]
    output.answer("\n".join(lines), found.as_json())
    return 0
