"""Run the checks on one file, each after those it rests on."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from radixfmt.codes import CODES
from radixfmt.errors import FormatError, PathError
from radixfmt.files import a_path
from radixfmt.findings import Finding
from radixfmt.limits import Limits
from radixfmt.validation.checks import View, check
from radixfmt.validation.options import Options
from radixfmt.validation.report import Report, Skipped

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_OF_ONE_CODE = 100
"""Findings of one code that a report lists: a hostile file can have millions."""


def validate(
    path: str | os.PathLike[str],
    *,
    strict: bool = False,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    expand: bool = False,
    expect: Collection[str] = (),
    limits: Limits | None = None,
    isolated: bool = False,
) -> Report:
    """Check a file against the specification and report everything found.

    A file with an old HDF5 superblock is always read in another process, as the HDF5 library can
    crash on hostile ones. For many files `validate_isolated` starts that process once.

    Args:
        path: the file.
        strict: warnings count as errors, and so does a check that was left out.
        select: list only findings whose code begins with one of these; all errors still count.
        ignore: leave out findings whose code begins with one of these; as `select`.
        expand: make every generated layer to check it, also beyond `limits.expand`.
        expect: digests `rx1:…` that have been cited: each has to be the topology or the content
            digest recomputed from this file; implies `expand`.
        limits: of what the file may use; `memory`, `cpu` and `wall` bind isolated reading only.
        isolated: read the file in another process that may crash, hang or run out of memory:
            that is the finding RX0199.

    Raises:
        PathError: missing, a folder, or the system refuses. A file that is no radixfmt file is
            not an error here but the answer.
        ParameterError: a code or a digest that cannot be one.
    """
    options = Options(
        strict, _texts(select), _texts(ignore), expand, _texts(expect), limits or Limits()
    )
    if isolated or _has_old_superblock(path, options.limits):
        from radixfmt.validation.isolated import validate_isolated

        (report,) = validate_isolated([path], options)
        return report
    return run_checks(path, options)


def run_checks(path: str | os.PathLike[str], options: Options, *, trusted: bool = False) -> Report:
    """Check a file in this process; arguments and errors as `validate`.

    Args:
        path: the file.
        options: what is asked.
        trusted: also open files on which the HDF5 library can crash; for a process that may.
    """
    a_path(path)
    view = View(
        os.fsdecode(path),
        limits=options.limits,
        expand=options.expands,
        expect=options.expect,
        trusted=trusted,
    )
    found = _Findings()
    skipped: list[Skipped] = []
    failed: set[str] = set()
    order = TopologicalSorter({name: check.facts(name)["needs"] for name in check})
    try:
        for name in order.static_order():
            option = check.facts(name).get("option")
            if option and not getattr(view, option):
                continue  # nobody asked
            broken = sorted(failed & set(check.facts(name)["needs"]))
            if broken:
                failed.add(name)
                skipped.append(Skipped(name, f"it rests on {broken[0]!r}, which found errors"))
            elif not _passes(name, view, found):
                failed.add(name)
    finally:
        if view.file is not None:
            view.file.guard.close()
    listed = tuple(finding for finding in found.listed() if _is_asked_for(finding, options))
    warned = any(finding.severity == "warning" for finding in listed)
    return Report(
        view.path,
        None if view.file is None else view.file.version,
        listed,
        (*skipped, *view.skipped),
        ok=not failed and not (options.strict and (warned or view.skipped)),
    )


@dataclass(slots=True)
class _Findings:
    """Findings as they come, with a bound on each code."""

    first: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        self.counts[finding.code] += 1
        if self.counts[finding.code] <= MOST_OF_ONE_CODE:
            self.first.append(finding)

    def listed(self) -> list[Finding]:
        """Return the findings; the last of a code that has more says how many."""
        listed = list(self.first)
        for code, count in self.counts.items():
            if count > MOST_OF_ONE_CODE:
                last = max(i for i, finding in enumerate(listed) if finding.code == code)
                more = f"{listed[last].message}; {count - MOST_OF_ONE_CODE} more {code} not listed"
                listed[last] = replace(listed[last], message=more)
        return listed


def _passes(name: str, view: View, found: _Findings) -> bool:
    """Run one check; return whether it ended and found no error."""
    passes = True
    try:
        for finding in check[name](view):
            passes = passes and finding.severity != "error"
            found.add(finding)
    except PathError:
        raise
    except FormatError as error:
        refused = error.finding
        code = error.code if error.code in CODES else "RX0108"
        found.add(refused if isinstance(refused, Finding) else Finding(code, str(error)))
        return False
    except MemoryError:
        found.add(Finding("RX0199", f"the check {name!r} ran out of memory"))
        return False
    except Exception as error:  # noqa: BLE001  a check that crashes must not pass
        found.add(Finding("RX0108", f"the check {name!r} failed on this file: {error!r}"[:500]))
        return False
    return passes


def _is_asked_for(finding: Finding, options: Options) -> bool:
    selected = not options.select or finding.code.startswith(options.select)
    return selected and not finding.code.startswith(options.ignore)


def _texts(given: Collection[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _has_old_superblock(path: str | os.PathLike[str], limits: Limits) -> bool:
    from radixfmt.storage.superblock import check_superblock

    try:
        check_superblock(path, trusted=False, limits=limits)
    except FormatError as error:
        return error.code == "RX0104"
    return False
