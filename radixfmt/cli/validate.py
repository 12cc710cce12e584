"""`radixfmt validate`: are these files what the specification asks for?"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from radixfmt.cli.options import limits_option, spoken
from radixfmt.cli.output import printable

if TYPE_CHECKING:
    from radixfmt.cli.output import Output
    from radixfmt.validation import Report

COLORS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command(epilog="Example: radixfmt validate net.rx.h5")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--strict", is_flag=True, help="Warnings count as errors, and so do checks left out.")
@click.option("--select", multiple=True, metavar="CODE", help="List only codes that begin so.")
@click.option("--ignore", multiple=True, metavar="CODE", help="List no codes that begin so.")
@click.option("--expand", is_flag=True, help="Make generated layers however large, to check them.")
@click.option(
    "--expect", multiple=True, metavar="DIGEST", help="Topology or content digest it has to have."
)
@limits_option(
    "What a file may use: memory=2**32 (bytes), wall=60, cpu=60 (seconds), expand=1e9 "
    "(edges), file, objects, layers, …"
)
@click.option("--explain", metavar="CODE", help="Say what a code means, and what to do about it.")
@spoken
def command(files: tuple[str, ...], explain: str | None, output: Output, **settings: Any) -> int:
    """Check files against the specification; exit 1 if one is not valid.

    Each file is read in a process of its own, with limits: a file that crashes it is not valid.
    """
    if explain is not None:
        if files:
            raise click.UsageError("--explain takes no files.", click.get_current_context())
        _explain(explain, output)
        return 0
    if not files:
        raise click.UsageError(
            "Missing argument 'FILE...', or --explain CODE.", click.get_current_context()
        )
    return _validate(files, output, **settings)


def _validate(
    files: tuple[str, ...], output: Output, *, limits: tuple[str, ...], **settings: Any
) -> int:
    from radixfmt.errors import PathError
    from radixfmt.limits import Limits
    from radixfmt.validation import Isolated, Options

    options = Options(limits=Limits.parse(limits), **settings)
    reports: list[Report] = []
    trouble: PathError | None = None
    with Isolated() as isolated:
        for file in files:
            try:
                reports.append(isolated.validate(file, options))
            except PathError as error:  # the other files still get their answer
                trouble = trouble or error
    text = "\n".join(as_text(report, output) for report in reports)
    record: dict[str, Any] = {"files": [report.as_json() for report in reports]}
    output.answer(text, record)
    if trouble is not None:
        raise trouble
    return 0 if all(report.ok for report in reports) else 1


def as_text(report: Report, output: Output) -> str:
    """Return a report for a person: a line per finding, what was skipped, then the verdict."""
    path = printable(report.path)
    lines = []
    advised: set[str] = set()
    for finding in report.findings:
        if finding.severity == "info" and output.verbosity < 1:
            continue
        label = output.style(finding.severity, COLORS[finding.severity])
        lines.append(f"{path}:{printable(str(finding))} [{label}]")
        if finding.advice not in advised:  # once is enough
            lines.append(f"  Hint: {printable(finding.advice)}")
            advised.add(finding.advice)
    lines += [
        f"{path}: check {printable(skipped.check)!r} skipped: {printable(skipped.why)}"
        for skipped in report.skipped
    ]
    verdict = output.style("valid", "green") if report.ok else output.style("not valid", "red")
    version = f" (radixfmt {printable(report.format_version)})" if report.format_version else ""
    if report.ok and report.skipped:
        verdict += ", as far as it was checked"
    hidden = ""
    if (
        not report.ok
        and not report.skipped
        and not any(finding.severity != "info" for finding in report.findings)
    ):
        hidden = "; --select and --ignore leave out why"
    return "\n".join([*lines, f"{path}: {verdict}{version}{hidden}"])


def _explain(code: str, output: Output) -> None:
    """Say what the catalogue says of a code.

    Raises:
        UnknownNameError: there is no such code.
    """
    from radixfmt.codes import CODES
    from radixfmt.errors import UnknownNameError

    name = code.upper()
    if name not in CODES:
        close = difflib.get_close_matches(name, CODES, n=1)
        raise UnknownNameError(
            f"unknown code {code!r}; expected one such as RX4004",
            hint=f"Did you mean {close[0]!r}?" if close else "codes are listed in spec/codes.yaml",
        )
    found = CODES[name]
    output.answer(
        f"{name} [{output.style(found.severity, COLORS[found.severity])}]\n"
        f"{found.requirement}\n"
        f"Remedy: {found.remedy}",
        {"code": name, **found._asdict()},
    )
