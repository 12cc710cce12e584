"""What validation found in one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from radixfmt.codes import CODES
from radixfmt.errors import ParameterError
from radixfmt.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that did not run, or not on all of the file: a clean report never hides it."""

    check: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of `validate`.

    Attributes:
        path: the file.
        format_version: what the file says, or None where that could not be read.
        findings: in the order of the checks.
        skipped: checks that did not run, or not on all of the file.
        ok: whether the file is valid: no error was found and no check was skipped because another
            failed; if strict, no warning was found and no check was skipped at all. Errors count
            even if their code is ignored.
    """

    path: str
    format_version: str | None
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = ()
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return one entry of `files` in `validate --json`."""
        return {
            "path": self.path,
            "valid": self.ok,
            "format_version": self.format_version,
            "findings": [finding.as_json() for finding in self.findings],
            "skipped": [asdict(skipped) for skipped in self.skipped],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Report:
        """Return the report that `as_json` made `record` of.

        Raises:
            ParameterError: `record` is no such thing.
        """
        return cls(
            _member(record, "path", str),
            _member(record, "format_version", str, optional=True),
            tuple(finding_from_json(entry) for entry in _member(record, "findings", list)),
            tuple(
                Skipped(_member(entry, "check", str), _member(entry, "why", str))
                for entry in _member(record, "skipped", list)
            ),
            _member(record, "valid", bool),
        )


def finding_from_json(record: Mapping[str, Any]) -> Finding:
    """Return the finding that its `as_json` made `record` of.

    Raises:
        ParameterError: `record` is no such thing.
    """
    code = _member(record, "code", str)
    if code not in CODES:
        raise ParameterError(f"a finding's code: expected one of the catalogue, got {code[:20]!r}")
    facts = {
        field.name: _member(
            record,
            field.name,
            int if field.name in ("index", "count") else str,
            optional=field.name not in ("message", "path"),
        )
        for field in fields(Finding)
        if field.name != "code"
    }
    if facts["hint"] == CODES[code].remedy:  # `as_json` put it there
        facts["hint"] = None
    return Finding(code, **facts)


def _member(record: Any, name: str, kind: type, *, optional: bool = False) -> Any:
    value = record.get(name) if isinstance(record, dict) else None
    if type(value) is kind or (optional and value is None):  # a bool is no number here
        return value
    raise ParameterError(f"a report's {name!r}: expected {kind.__name__}, got {value!r:.40}")
