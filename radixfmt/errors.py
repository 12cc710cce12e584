"""Every error this package raises on purpose.

A message reads *where: what; expected, got*; `hint` is what to do next, best a command to run;
`code` is a stable word (or the RX code of a finding) for programs.
"""

from __future__ import annotations


class RadixfmtError(Exception):
    """Base of all errors of this package."""

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if code is not None:
            self.code = code


class ParameterError(RadixfmtError, ValueError):
    """An argument has a value that cannot be used."""

    code = "parameter"


class InputError(RadixfmtError, ValueError):
    """Data handed in (samples, a text file) is not what was asked for."""

    code = "input"


class FormatError(RadixfmtError, ValueError):
    """A file breaks the specification; `code` is the RX code of what broke first.

    `finding` is the same as a record, where there is one.
    """

    code = "format"
    finding: object = None


class UnsupportedError(RadixfmtError):
    """The request is sound, but this encoding, lowering or device cannot serve it."""

    code = "unsupported"


class UnknownNameError(RadixfmtError, LookupError):
    """A registry does not hold the name asked for."""

    code = "unknown-name"


class MissingDependencyError(RadixfmtError, ImportError):
    """An optional package is needed and not installed, or installed wrongly."""

    code = "missing-dependency"


class DeviceError(RadixfmtError, RuntimeError):
    """The device asked for is not there or was not used."""

    code = "device"


class TargetExistsError(RadixfmtError, FileExistsError):
    """The output exists and nobody said that it may be replaced."""

    code = "exists"


class PathError(RadixfmtError, OSError):
    """A path is missing, of the wrong kind, or the system refuses it."""

    code = "path"


class ParityError(RadixfmtError, ArithmeticError):
    """A model's outputs differ from the float64 reference by more than the tolerance."""

    code = "parity"
