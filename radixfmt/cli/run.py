"""`radixfmt run`: samples through a network, and what comes out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from radixfmt.backends.precision import FLOAT32, PRECISIONS
from radixfmt.cli.options import device_option, overwritable, spoken, threads_option
from radixfmt.export.lowerings import lowering as lowerings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.cli.output import Output


@click.command(epilog="Example: radixfmt run net.rx.h5 --input samples.npy --output result.npy")
@click.argument("file")
@click.option(
    "--input", "source", required=True, metavar="FILE",
    help="Samples [rows, n_in]: .npy, scipy .npz, .mtx, or .tsv triples counted from 1.",
)  # fmt: skip
@click.option("--output", "target", metavar="FILE", help="Results, in the form its suffix names.")
@click.option(
    "--categories", metavar="FILE",
    help="Numbers, from 1, of the samples that stay alive: some output is not 0.",
)  # fmt: skip
@click.option(
    "--backend", type=click.Choice(["ort", "scipy"]), default="ort", show_default=True,
    help="onnxruntime, or the float64 reference.",
)  # fmt: skip
@click.option(
    "--lowering", default="auto", show_default=True, metavar="NAME",
    help=f"How onnxruntime gets the layers: auto, {', '.join(lowerings)}.",
)  # fmt: skip
@device_option
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default=FLOAT32, show_default=True,
    help="Of the arithmetic; others than float32 are for CUDA.",
)  # fmt: skip
@threads_option
@overwritable
@spoken
def command(
    file: str,
    source: str,
    target: str | None,
    categories: str | None,
    backend: str,
    overwrite: bool,
    output: Output,
    **settings: Any,
) -> int:
    """Run samples through a network (.rx.h5) or an ONNX model.

    The provider named in the answer is what the runtime says it used.
    """
    import numpy as np

    from radixfmt.converters.samples import check_suffix, write_categories, write_samples
    from radixfmt.files import check_target

    if target is None and categories is None:
        raise click.UsageError("expected --output or --categories, got neither")
    if target is not None and target == categories:
        raise click.UsageError(f"--output and --categories: expected two files, got {target} twice")
    for path in (target, categories):
        if path is not None:
            check_target(path, overwrite=overwrite)
    if target is not None:
        check_suffix(target)
    run = _reference if backend == "scipy" else _session
    y, seconds, provider = run(file, source, **settings)
    record: dict[str, Any] = {
        "output": target,
        "rows": len(y),
        "seconds": seconds,
        "provider": provider,
    }
    lines = [f"{len(y)} rows in {seconds:.3f} s on {provider}"]
    if target is not None:
        write_samples(target, y, overwrite=overwrite)
        lines.append(f"results: {target}")
    if categories is not None:
        alive = np.flatnonzero(y.any(axis=tuple(range(1, y.ndim))))
        write_categories(categories, alive, overwrite=overwrite)
        record["categories"] = [int(row) + 1 for row in alive]
        lines.append(f"categories: {len(alive)} of {len(y)} rows stay alive: {categories}")
    output.answer("\n".join(lines), record)
    return 0


def _session(file: str, source: str, **settings: Any) -> tuple[NDArray[Any], float, str]:
    from radixfmt.backends.ort import Session
    from radixfmt.converters.samples import read_samples

    with Session(file, **settings) as session:
        x = read_samples(source, session.features)
        began = time.perf_counter()
        # a feature-major model takes and gives samples in columns; files hold them in rows
        y = session.run(x.T).T if session.layout == "feature-major" else session.run(x)
        return y, time.perf_counter() - began, session.provider


def _reference(file: str, source: str, **settings: Any) -> tuple[NDArray[Any], float, str]:
    """Run the float64 reference; it has one way of running and one place."""
    from radixfmt.backends.scipy import reference, width
    from radixfmt.converters.samples import read_samples
    from radixfmt.storage.reader import open  # noqa: A004  the public name is rx.open

    usually = {"device": ("auto", "cpu"), "lowering": ("auto",), "precision": (FLOAT32,)}
    for name, usual in usually.items():
        if settings[name] not in usual:
            raise click.UsageError(f"--{name} is for --backend ort, got {settings[name]!r}")
    with open(file, verify=True) as network:
        x = read_samples(source, width(network))
        began = time.perf_counter()
        y = reference(network, x)
        return y, time.perf_counter() - began, "scipy float64"
