"""How verbs speak: answers on stdout, all else on stderr, JSON when asked."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRESS_AFTER = 1.0
"""Seconds of work before a progress bar appears."""

EXACT = 2**53
"""Integers above this are decimal strings in JSON, as many readers hold only doubles."""


@dataclass(frozen=True, slots=True)
class Output:
    """One invocation's way of speaking.

    Attributes:
        as_json: one JSON object in place of text.
        verbosity: -1 and below quiet, 0 usual, 1 and above more.
        color: "auto", "always" or "never".
    """

    as_json: bool = False
    verbosity: int = 0
    color: str = "auto"

    def answer(self, text: str, record: dict[str, Any]) -> None:
        """Print the answer, as text or as JSON."""
        if self.as_json:
            click.echo(json.dumps(plain(record), ensure_ascii=False))
        elif text:
            click.echo(text, color=self.colored)

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        if self.verbosity >= 0 and not self.as_json:
            click.echo(printable(text), err=True)

    def style(self, text: str, color: str) -> str:
        """Return `text` in a colour, where colour is wanted."""
        return click.style(text, fg=color) if self.colored else text

    @property
    def colored(self) -> bool:
        """Whether answers are coloured; a non-empty NO_COLOR wins over `auto`."""
        if self.color == "auto":
            return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        return self.color == "always"

    def progress(self, label: str) -> Callable[[int, int], None]:
        """Return a function (done, total) that draws a bar on a terminal, for long work only."""
        shown = (
            sys.stderr is not None
            and sys.stderr.isatty()
            and self.verbosity >= 0
            and not self.as_json
        )
        began = time.monotonic()
        width = 30

        def draw(done: int, total: int) -> None:
            if not shown or time.monotonic() - began < PROGRESS_AFTER:
                return
            filled = width * done // max(total, 1)
            bar = "#" * filled + "-" * (width - filled)
            end = "\n" if done >= total else ""
            click.echo(f"\r{label} [{bar}] {done}/{total}{end}", err=True, nl=False)

        return draw


def printable(text: str, keep: str = "") -> str:
    """Return `text` with what could steer a terminal spelled out: controls, bidi, half characters.

    Names in a stranger's file must not forge lines of ours.
    """
    return "".join(
        char if char in keep or char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )


def plain(value: Any) -> Any:
    """Return `value` with integers that doubles cannot hold as strings."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return str(value)
    return value


def size(count: float) -> str:
    """Return a number of bytes in a unit people read."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
