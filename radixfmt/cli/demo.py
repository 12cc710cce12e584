"""`radixfmt demo`: the whole way on built-in defaults, in well under a minute."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import spoken

if TYPE_CHECKING:
    from radixfmt.cli.output import Output

SYSTEMS, WIDTHS, BATCH, BUDGET = [[2] * 6] * 4, [16] * 25, 1024, 20.0
"""A RadiX-Net of the Graph Challenge's shape: 24 layers of 1024 neurons, 32 edges into each."""


@click.command(epilog="Example: radixfmt demo")
@spoken
def command(output: Output) -> int:
    """Generate, write, validate, export, run and benchmark a RadiX-Net."""
    import numpy as np

    from radixfmt.backends.ort import Session
    from radixfmt.backends.parity import TOLERANCE, check
    from radixfmt.backends.scipy import reference
    from radixfmt.benchmark import bench
    from radixfmt.benchmark.environment import environment
    from radixfmt.benchmark.table import table
    from radixfmt.benchmark.workload import samples
    from radixfmt.export import export, save
    from radixfmt.storage.reader import open  # noqa: A004  the public name is rx.open
    from radixfmt.storage.writer import write
    from radixfmt.topologies import generate
    from radixfmt.validation import validate

    network = generate("radix-net", systems=SYSTEMS, widths=WIDTHS, weights="he", activation="Relu")
    with TemporaryDirectory(prefix="radixfmt-demo-") as folder:
        path, model = Path(folder) / "net.rx.h5", Path(folder) / "net.onnx"
        digest = write(path, network)
        report = validate(path)
        output.note(f"generate  {network.nnz} edges in {len(network.layers)} layers")
        output.note(f"write     {path.stat().st_size / 1e6:.1f} MB, {digest[:20]}…")
        output.note(f"validate  {'valid' if report.ok else 'NOT VALID'}")
        with open(path) as stored:
            save(export(stored).model, model)
            output.note(f"export    {model.stat().st_size / 1e6:.1f} MB of standard ONNX")
            x = samples(stored, 64, 0)
            with Session(model) as session:
                found = check(session.run(x), reference(stored, x))
                output.note(f"run       64 samples on {session.provider}")
        results = bench(
            path,
            engines=_engines(),
            batch=BATCH,
            time_budget=BUDGET,
            progress=output.progress("benchmark"),
        )
    differences = [found.max_rel, *(result.parity.max_rel for result in results)]
    worst = float(np.max(differences))  # NaN if one is, unlike max
    held = all(difference <= TOLERANCE for difference in differences)
    record: dict[str, Any] = {
        "valid": report.ok,
        "content_digest": digest,
        "parity": {"max_rel": worst},
        "environment": environment(),
        "results": [result.as_json() for result in results],
    }
    output.answer(
        f"\n{table(results)}\n\n{'Parity held' if held else 'PARITY FAILED'}: the largest relative "
        f"difference from the float64 reference is {worst:.1e}.",
        record,
    )
    return 0 if report.ok and held else 1


def _engines() -> tuple[str, ...]:
    """Return the engines whose packages are installed."""
    from importlib.util import find_spec

    usual = ("ort-auto", "ort-dense", "ort-blocked", "scipy")
    return (*usual, "torch-csr") if find_spec("torch") else usual
