"""`radixfmt export`: a network as an ONNX model, checked against the float64 reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import overwritable, spoken, target_option
from radixfmt.cli.output import size
from radixfmt.export.lowerings import lowering as lowerings

if TYPE_CHECKING:
    from radixfmt.backends.evidence import Evidence
    from radixfmt.cli.output import Output


@click.command(epilog="Example: radixfmt export net.rx.h5 -o net.onnx")
@click.argument("file")
@target_option("The ONNX model to write.")
@click.option(
    "--lowering", default="auto", show_default=True, metavar="NAME",
    help=f"auto (per layer), or one for all: {', '.join(lowerings)}.",
)  # fmt: skip
@click.option(
    "--target", "device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
    help="What the model will run on.",
)  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), help="Fix the batch; open by default.")
@click.option(
    "--layout", type=click.Choice(["batch-major", "feature-major"]), default="batch-major",
    show_default=True, help="[B, n] tensors, or [n, B] for callers that hold them so.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="Say why each layer was lowered as it was.")
@click.option("--no-parity", is_flag=True, help="Do not run the model against the reference.")
@overwritable
@spoken
def command(
    file: str,
    target: str,
    lowering: str,
    device: str,
    batch: int | None,
    layout: str,
    explain: bool,
    no_parity: bool,
    overwrite: bool,
    output: Output,
) -> int:
    """Write a network as an ONNX model of standard operators."""
    from functools import partial

    from radixfmt.backends.evidence import UncheckedError, evidence
    from radixfmt.export import export, save
    from radixfmt.files import check_target
    from radixfmt.storage.reader import open  # noqa: A004  the public name is rx.open

    check_target(target, overwrite=overwrite)
    with open(file, verify=True) as network:
        make = partial(export, lowering=lowering, target=device, layout=layout)
        made = make(network, batch=batch)
        found = None
        if not no_parity:
            try:
                found = evidence(network, made.model, lambda part: make(part).model, layout=layout)
            except UncheckedError as error:
                output.note(f"parity not checked: {error}")
    save(made.model, target, overwrite=overwrite)
    record: dict[str, Any] = {
        "output": target,
        "bytes": Path(target).stat().st_size,
        "opset": made.model.opset_import[0].version,
        "parity": _record(found),
        "layers": [choice._asdict() for choice in made.layers],
    }
    output.answer("\n".join(_lines(record, found, explain=explain)), record)
    return 0


def _record(found: Evidence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "max_abs": found.max_abs,
        "max_rel": found.max_rel,
        "informative": found.weakness is None,
    }


def _lines(record: dict[str, Any], found: Evidence | None, *, explain: bool) -> list[str]:
    layers = record["layers"]
    kinds: dict[str, int] = {}
    for layer in layers:
        kinds[layer["lowering"]] = kinds.get(layer["lowering"], 0) + 1
    used = ", ".join(f"{count} {name}" for name, count in kinds.items())
    lines = [
        (
            f"{record['output']}: {len(layers)} layers ({used}), {size(record['bytes'])}, "
            f"opset {record['opset']}"
        )
    ]
    if found is not None:
        lines.append(f"parity with float64: largest relative difference {found.max_rel:.1e}")
        if found.weakness is not None:
            more = f"; layers 0 to {found.prefix - 1} were compared too" if found.prefix else ""
            lines.append(f"parity is weak here: {found.weakness}{more}")
    if explain:
        lines += [f"  {item['name']}: {item['lowering']}: {item['why']}" for item in layers]
    return lines
