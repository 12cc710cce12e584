"""`python -m radixfmt` and the console script."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code (0 yes, 1 no, 2 trouble, 130 interrupted)."""
    from radixfmt.cli import execute

    return execute(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    raise SystemExit(main())
