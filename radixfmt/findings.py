"""What a check says about a file: one `Finding` per trouble (spec: `codes`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from radixfmt.codes import CODES
from radixfmt.errors import FormatError

if TYPE_CHECKING:
    from radixfmt.codes import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about one place of a file.

    Attributes:
        code: one of `radixfmt.codes`, which tells its severity.
        message: what is wrong, for a person.
        path: HDF5 path of the object.
        pointer: JSON pointer inside that object, if it holds JSON.
        index: first bad position inside an array.
        count: how many positions are bad.
        expected: what the specification asks for.
        actual: what the file holds.
        hint: what to do about it, where that is more than the code's own remedy.
    """

    code: str
    message: str
    path: str = "/"
    pointer: str | None = None
    index: int | None = None
    count: int | None = None
    expected: str | None = None
    actual: str | None = None
    hint: str | None = None

    @property
    def severity(self) -> Severity:
        """What the code says: "error", "warning" or "info"."""
        return CODES[self.code].severity

    def as_json(self) -> dict[str, Any]:
        """Return the finding with the stable keys of `validate --json`."""
        found = {"code": self.code, "severity": self.severity} | asdict(self)
        return found | {"hint": self.advice}

    @property
    def advice(self) -> str:
        """What to do: the finding's own hint, else its code's remedy."""
        return self.hint or CODES[self.code].remedy

    def __str__(self) -> str:
        where = self.path + (f"#{self.pointer}" if self.pointer else "")
        if self.index is not None:
            where += f"[{self.index}]"
        text = f"{where}: {self.code} {self.message}"
        if self.expected is not None:
            text += f"; expected {self.expected}, got {self.actual}"
        if self.count is not None and self.count > 1:
            text += f" ({self.count} such places)"
        return text


def refuse(finding: Finding, *, file: str | None = None) -> FormatError:
    """Return the error a reader raises for `finding`; `file` names the file in the message."""
    prefix = f"{file}:" if file else ""
    error = FormatError(f"{prefix}{finding}", hint=finding.advice, code=finding.code)
    error.finding = finding
    return error


def locate(error: FormatError, *, path: str, file: str) -> FormatError:
    """Return `error` naming the file, and the object where it did not know it."""
    finding = error.finding
    if not isinstance(finding, Finding):
        return error
    return refuse(replace(finding, path=finding.path or path), file=file)
