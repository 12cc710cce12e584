"""What validation found in one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radixfmt.findings import Finding


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that could not run, so that a clean report never hides it."""

    check: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of `validate`.

    Attributes:
        path: the file.
        format_version: what the file says, or None where that could not be read.
        findings: in the order of the checks.
        skipped: checks that did not run.
        strict: whether warnings count as errors.
    """

    path: str
    format_version: str | None
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = ()
    strict: bool = False

    @property
    def ok(self) -> bool:
        """Whether all checks ran and reported no errors (if strict, no warnings either)."""
        bad = {"error", "warning"} if self.strict else {"error"}
        return not self.skipped and not any(f.severity in bad for f in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return one entry of `files` in `validate --json`."""
        return {
            "path": self.path,
            "valid": self.ok,
            "format_version": self.format_version,
            "findings": [finding.as_json() for finding in self.findings],
            "skipped": [asdict(skipped) for skipped in self.skipped],
        }
