"""`radixfmt validate`: are these files what the specification asks for?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import spoken
from radixfmt.cli.output import printable

if TYPE_CHECKING:
    from radixfmt.cli.output import Output
    from radixfmt.validation import Report

COLORS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command(epilog="Example: radixfmt validate net.rx.h5")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--select", multiple=True, metavar="CODE", help="Only codes that begin so.")
@click.option("--ignore", multiple=True, metavar="CODE", help="No codes that begin so.")
@spoken
def command(
    files: tuple[str, ...],
    strict: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    output: Output,
) -> int:
    """Check files against the specification; exit 1 if one is not valid."""
    from radixfmt.errors import PathError
    from radixfmt.validation import validate

    reports: list[Report] = []
    trouble: PathError | None = None
    for file in files:
        try:
            reports.append(validate(file, strict=strict, select=select, ignore=ignore))
        except PathError as error:  # the other files still get their answer
            trouble = trouble or error
    text = "\n".join(as_text(report, output) for report in reports)
    record: dict[str, Any] = {"files": [report.as_json() for report in reports]}
    output.answer(text, record)
    if trouble is not None:
        raise trouble
    return 0 if all(report.ok for report in reports) else 1


def as_text(report: Report, output: Output) -> str:
    """Return a report for a person: a line per finding, then the verdict."""
    lines = []
    for finding in report.findings:
        if finding.severity == "info" and output.verbosity < 1:
            continue
        label = output.style(finding.severity, COLORS[finding.severity])
        lines.append(f"{printable(f'{report.path}:{finding}')} [{label}]")
        if finding.hint:
            lines.append(f"  Hint: {finding.hint}")
    lines += [
        f"{report.path}: check {skipped.check!r} skipped: {skipped.why}"
        for skipped in report.skipped
    ]
    verdict = output.style("valid", "green") if report.ok else output.style("not valid", "red")
    version = f" (radixfmt {report.format_version})" if report.format_version else ""
    return "\n".join([*lines, f"{report.path}: {verdict}{version}"])
