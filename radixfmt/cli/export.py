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
    from radixfmt.export.costs import Costs


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
@click.option(
    "--precision", type=click.Choice(["float32", "float16", "bfloat16"]), default="float32",
    show_default=True, help="What a CUDA model computes in; inputs and outputs stay float32.",
)  # fmt: skip
@click.option(
    "--allow-dense", is_flag=True,
    help="Let sparse initializers take over 1 GiB when onnxruntime has made them dense.",
)  # fmt: skip
@click.option(
    "--external-data", is_flag=True,
    help="Put the weights beside the model, in FILE.data; over 2 GB always are.",
)  # fmt: skip
@click.option(
    "--calibrate", "calibrated", metavar="FILE",
    help="Plan with what work costs on this machine: read from FILE, or measured and kept there.",
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
    precision: str,
    allow_dense: bool,
    external_data: bool,
    calibrated: str | None,
    explain: bool,
    no_parity: bool,
    overwrite: bool,
    output: Output,
) -> int:
    """Write a network as an ONNX model of standard operators."""
    from functools import partial

    from radixfmt.backends.evidence import UncheckedError, evidence
    from radixfmt.backends.precision import check_precision, narrowed
    from radixfmt.export import export, save
    from radixfmt.export.save import data_path, is_external
    from radixfmt.files import check_target
    from radixfmt.storage.reader import open  # noqa: A004  the public name is rx.open

    check_precision(precision, device)
    check_target(target, overwrite=overwrite)
    if external_data:
        check_target(data_path(target), overwrite=overwrite)
    with open(file, verify=True) as network:
        make = partial(
            export,
            lowering=lowering,
            target=device,
            layout=layout,
            allow_dense=allow_dense,
            costs=_costs(device, calibrated, output) if calibrated else None,
        )
        made = make(network, batch=batch)
        narrowed(made.model, precision)
        found = None
        if not no_parity:
            try:
                found = evidence(
                    network,
                    made.model,
                    lambda part: narrowed(make(part).model, precision),
                    layout=layout,
                    precision=precision,
                )
            except UncheckedError as error:
                output.note(f"parity not checked: {error}")
    record: dict[str, Any] = {
        "output": target,
        "bytes": save(made.model, target, overwrite=overwrite, external_data=external_data),
        "opset": made.model.opset_import[0].version,
        "parity": _record(found),
        "layers": [choice._asdict() for choice in made.layers],
    }
    if is_external(made.model, asked=external_data):
        record["external_data"] = str(data_path(target))
    output.answer("\n".join(_lines(record, found, explain=explain)), record)
    return 0


def _costs(target: str, path: str, output: Output) -> Costs:
    """Return the costs that a file holds, measured first where there is none."""
    from radixfmt.export.calibration import calibrate
    from radixfmt.export.calibration import save as save_costs
    from radixfmt.export.costs import costs_of
    from radixfmt.files import check_target

    if not Path(path).exists():
        check_target(path, overwrite=False)
        output.note(f"measuring what work costs on this machine, kept in {path}")
        save_costs(calibrate(target), target, path)
    return costs_of(target, path)


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
    beside = f" and {record['external_data']}" if "external_data" in record else ""
    lines = [
        (
            f"{record['output']}{beside}: {len(layers)} layers ({used}), {size(record['bytes'])}, "
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
