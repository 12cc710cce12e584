"""Run the checks on one file, each after those it rests on."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from radixfmt.errors import FormatError, PathError
from radixfmt.findings import Finding
from radixfmt.validation.checks import View, check
from radixfmt.validation.report import Report, Skipped

if TYPE_CHECKING:
    import os
    from collections.abc import Collection


def validate(
    path: str | os.PathLike[str],
    *,
    strict: bool = False,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Report:
    """Check a file against the specification and report everything found.

    Args:
        path: the file.
        strict: warnings count as errors.
        select: report only codes that begin with one of these.
        ignore: leave out codes that begin with one of these.

    Raises:
        PathError: missing, a folder, or the system refuses. A file that is no radixfmt file is
            not an error here but the answer.
    """
    view = View(str(path))
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    failed: set[str] = set()
    order = TopologicalSorter({name: check.facts(name)["needs"] for name in check})
    try:
        for name in order.static_order():
            broken = sorted(failed & set(check.facts(name)["needs"]))
            if broken:
                failed.add(name)
                skipped.append(Skipped(name, f"it rests on {broken[0]!r}, which found errors"))
                continue
            found = _run(name, view)
            findings += found
            if any(finding.severity == "error" for finding in found):
                failed.add(name)
    finally:
        if view.file is not None:
            view.file.guard.close()
    version = None if view.file is None else view.file.version
    kept = tuple(
        finding
        for finding in findings
        if (not select or finding.code.startswith(tuple(select)))
        and not finding.code.startswith(tuple(ignore))
    )
    return Report(str(path), version, kept, tuple(skipped), strict)


def _run(name: str, view: View) -> list[Finding]:
    """Return what one check finds; what it cannot read is a finding too."""
    found: list[Finding] = []
    try:
        for finding in check[name](view):
            found.append(finding)  # noqa: PERF402  what was found before an error counts
    except PathError:
        raise
    except FormatError as error:
        refused = error.finding
        found.append(refused if isinstance(refused, Finding) else Finding(error.code, str(error)))
    except Exception as error:  # noqa: BLE001  a check that crashes must not pass
        found.append(Finding("RX0108", f"the check {name!r} failed on this file: {error!r}"[:500]))
    return found
