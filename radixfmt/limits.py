"""How much of a reader's machine a stranger's file may use (spec §9)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from radixfmt.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that a reader keeps; all may be raised with `--limits NAME=N`.

    Attributes:
        file: bytes of the file.
        objects: groups and datasets.
        layers: layer groups.
        attributes: attributes of one object.
        attribute: bytes of one attribute.
        manifest: bytes of the manifest.
        expand: edges of generated layers that `validate` makes to check them, all together.
        memory: bytes that a validating process may map beyond what it starts with.
        cpu: seconds of processor time of a validating process.
        wall: seconds that a validating process may take.
    """

    file: int = 64 << 30
    objects: int = 1_000_000
    layers: int = 100_000
    attributes: int = 64
    attribute: int = 64 << 10
    manifest: int = 16 << 20
    expand: int = 1 << 26
    memory: int = 4 << 30
    cpu: int = 600
    wall: int = 600

    @classmethod
    def parse(cls, settings: Iterable[str]) -> Limits:
        """Return the limits with `NAME=N` settings applied; N may be written `2**31` or `1e9`.

        Raises:
            ParameterError: an unknown name, or no whole number of at least 0.
        """
        known = [field.name for field in fields(cls)]
        changed: dict[str, int] = {}
        for setting in settings:
            name, equals, value = setting.partition("=")
            if name not in known or not equals:
                raise ParameterError(
                    f"limit {setting!r}: expected NAME=N with a name out of {', '.join(known)}"
                )
            changed[name] = _count(setting, value)
        return replace(cls(), **changed)


DEFAULTS = Limits()

EXPANSION = 1100
"""Deflate cannot shrink data by more than about 1032:1, so no honest file declares more."""


def _count(setting: str, text: str) -> int:
    base, power, exponent = text.partition("**")
    try:
        number = float(base) ** min(int(exponent), 63) if power else float(text)
        if number == int(number) and 0 <= number < 2**63:
            return int(number) if power or not text.isdigit() else int(text)
    except (ValueError, OverflowError):
        pass
    raise ParameterError(f"limit {setting!r}: expected a whole number from 0 to 2^63")
