"""`radixfmt info`: what a file says of itself; no data is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import spoken
from radixfmt.cli.output import printable

if TYPE_CHECKING:
    from radixfmt.cli.output import Output
    from radixfmt.model.metadata import Metadata

SHOWN = 8
"""Layers listed unless -v asks for all."""


@click.command(epilog="Example: radixfmt info net.rx.h5")
@click.argument("file")
@click.option("--card", is_flag=True, help="Print a model card: Markdown with YAML front matter.")
@click.option("--bibtex", is_flag=True, help="Print BibTeX for the file and what it cites.")
@spoken
def command(file: str, card: bool, bibtex: bool, output: Output) -> int:
    """Say what a file holds, without reading its data."""
    from radixfmt.storage.file import File

    opened = File(file)
    try:
        record = describe(opened)
        metadata = opened.manifest.metadata
    finally:
        opened.guard.close()
    if card or bibtex:
        from radixfmt.cli.card import as_bibtex, as_card

        click.echo((as_card if card else as_bibtex)(record, metadata))
    else:
        output.answer(as_text(file, record, metadata, every=output.verbosity > 0), record)
    return 0


def describe(file: Any) -> dict[str, Any]:
    """Return the stable record of `info --json`."""
    headers = [file.header(i) for i in range(file.count())]
    cells = sum(header.shape[0] * header.shape[1] for header in headers)
    nnz = sum(header.nnz for header in headers)
    return {
        "format_version": file.version,
        "name": file.manifest.metadata.name,
        "topology_digest": file.digest("topology"),
        "content_digest": file.digest("content"),
        "metadata_digest": file.digest("metadata"),
        "nnz": nnz,
        "density": nnz / cells if cells else 0.0,
        "layers": [
            {
                "name": header.name,
                "kind": header.kind,
                "shape": list(header.shape),
                "nnz": header.nnz,
                "density": header.density,
                "dtype": header.dtype,
                "encoding": header.pattern["encoding"],
                "pattern_digest": header.digests.get("pattern"),
            }
            for header in headers
        ],
    }


def as_text(file: str, record: dict[str, Any], metadata: Metadata, *, every: bool) -> str:
    """Return the record for a person."""
    layers = record["layers"]
    lines = [
        f"{file}: {record['name'] or 'unnamed'}, radixfmt {record['format_version']}",
        f"{len(layers)} layers, {record['nnz']} edges, density {100 * record['density']:.4g} %",
        f"topology  {record['topology_digest']}",
        f"content   {record['content_digest']}",
        f"metadata  {record['metadata_digest']}",
    ]
    if metadata.description:
        lines.append(metadata.description)
    if metadata.license:
        lines.append(f"licence   {metadata.license}")
    for layer in layers if every or len(layers) <= SHOWN else layers[: SHOWN - 1]:
        n_in, n_out = layer["shape"]
        lines.append(
            f"  {layer['name']:<12} {layer['kind']:<7} {n_in:>7} → {n_out:<7} "
            f"{layer['nnz']:>10} edges  {layer['dtype'] or 'no weights':<10} {layer['encoding']}"
        )
    if not every and len(layers) > SHOWN:
        lines.append(f"  … {len(layers) - SHOWN + 1} more (-v shows all)")
    return "\n".join(map(printable, lines))
