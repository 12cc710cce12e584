"""`procedural`: a generator record in place of edges (spec §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.encodings import Encoded, Member, pattern_encoding
from radixfmt.errors import ParameterError, UnknownNameError
from radixfmt.findings import Finding, refuse
from radixfmt.generators import arrays_of, from_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import StoredArray
    from radixfmt.model.pattern import Pattern


class Procedural:
    """Reads and writes patterns that a generator makes on demand."""

    def accepts(self, pattern: Pattern) -> bool:
        """Only a pattern with a generator record can be stored so."""
        return pattern.record is not None

    def encode(self, pattern: Pattern) -> Encoded:
        """Return the record and the arrays that it cites."""
        members = {
            name: Member(array.dtype, array.size, (array,), compress=True)
            for name, array in pattern.arrays.items()
        }
        return Encoded(members, dict(pattern.record or {}))

    def arrays_of(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Those that the record cites."""
        return arrays_of(facts)

    def decode(
        self,
        shape: tuple[int, int],
        nnz: int,
        arrays: Mapping[str, StoredArray],
        facts: Mapping[str, Any],
    ) -> Pattern:
        """Return the pattern after checking the record against `shape` and `nnz`.

        Raises:
            FormatError: RX7001 unknown generator, RX7002 bad parameters, RX7003 the shape or the
                number of edges is not what the generator makes, RX7005 a layer beyond the limits;
                RX3007 or RX3012 an array of the wrong type or length.
        """
        try:
            pattern = from_record(facts, arrays)
        except UnknownNameError as error:
            raise refuse(
                Finding("RX7001", str(error), "", pointer="/pattern/generator", hint=error.hint)
            ) from None
        except ParameterError as error:
            code = "RX7005" if error.code == "limit" else "RX7002"
            raise refuse(
                Finding(code, str(error), "", pointer="/pattern/parameters", hint=error.hint)
            ) from None
        if pattern.shape != shape or pattern.nnz != nnz:
            raise refuse(
                Finding(
                    "RX7003",
                    "the generator does not make what is declared",
                    "",
                    pointer="/shape" if pattern.shape != shape else "/nnz",
                    expected=f"shape {list(pattern.shape)} with {pattern.nnz} edges",
                    actual=f"{list(shape)} with {nnz}",
                )
            )
        return pattern


pattern_encoding("procedural")(Procedural())
