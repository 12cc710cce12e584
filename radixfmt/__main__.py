"""`python -m radixfmt` and the console script."""

from __future__ import annotations

import signal
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code (0 yes, 1 no, 2 trouble, 130 interrupted)."""
    from radixfmt.cli import execute

    sys.set_int_max_str_digits(0)  # counts of paths are exact, and longer than Python prints
    return execute(sys.argv[1:] if argv is None else argv)


def script() -> int:
    """Run as a process of its own: a polite kill too leaves no temporary file behind."""
    for name in ("SIGTERM", "SIGHUP"):  # a scheduler's limit, a lost connection
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    return main()


if __name__ == "__main__":
    raise SystemExit(script())
