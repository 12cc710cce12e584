"""Is a file what the specification asks for? All troubles at once, each with its place."""

from radixfmt.validation.report import Report, Skipped
from radixfmt.validation.validate import validate

__all__ = ["Report", "Skipped", "validate"]
