"""Is a file what the specification asks for? All troubles at once, each with its place."""

from radixfmt.validation.isolated import Isolated, rewrite, validate_isolated
from radixfmt.validation.options import Options
from radixfmt.validation.report import Report, Skipped
from radixfmt.validation.validate import validate

__all__ = [
    "Isolated", "Options", "Report", "Skipped", "rewrite", "validate", "validate_isolated",
]  # fmt: skip
