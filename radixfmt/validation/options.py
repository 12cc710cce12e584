"""What may be asked of a validation."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from radixfmt.codes import CODES
from radixfmt.errors import ParameterError
from radixfmt.limits import Limits
from radixfmt.model.forms import DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Options:
    """Options of `validate`; each is described there.

    Raises:
        ParameterError: a code that no code of the catalogue begins with, or a malformed digest.
    """

    strict: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    expand: bool = False
    expect: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for prefix in (*self.select, *self.ignore):
            if not prefix or not any(code.startswith(prefix) for code in CODES):
                close = difflib.get_close_matches(prefix.upper(), CODES, n=1)
                raise ParameterError(
                    f"code {prefix!r}: expected the beginning of a code, as RX4 or RX4004",
                    hint=f"Did you mean {close[0]!r}?" if close else None,
                )
        for digest in self.expect:
            if not DIGEST.fullmatch(digest):
                raise ParameterError(
                    f"expected digest {digest!r:.90}: it has to be rx1: or rx1r: and 64 "
                    "lower-case hex digits",
                    hint="copy it whole; radixfmt info FILE prints those of a file",
                )

    @property
    def expands(self) -> bool:
        """Whether generated layers are made however large: digests to compare rest on them."""
        return self.expand or bool(self.expect)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Options:
        """Return the options that `as_json` made `record` of."""
        lists = {name: tuple(record[name]) for name in ("select", "ignore", "expect")}
        return cls(**{**record, **lists, "limits": Limits(**record["limits"])})

    def as_json(self) -> dict[str, Any]:
        """Return the options as plain JSON."""
        return asdict(self)
