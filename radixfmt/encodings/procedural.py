"""`procedural`: a generator record in place of edges (spec §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.encodings import Encoded, pattern_encoding
from radixfmt.errors import ParameterError, UnknownNameError
from radixfmt.findings import Finding, refuse
from radixfmt.generators import from_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.encodings import StoredArray
    from radixfmt.model.pattern import Pattern


class Procedural:
    """Reads and writes patterns that a generator makes on demand."""

    arrays = ()

    def accepts(self, pattern: Pattern) -> bool:
        """Only a pattern with a generator record can be stored so."""
        return pattern.record is not None

    def encode(self, pattern: Pattern) -> Encoded:
        """Return the record."""
        return Encoded({}, dict(pattern.record or {}))

    def decode(
        self,
        shape: tuple[int, int],
        nnz: int,
        arrays: Mapping[str, StoredArray],  # noqa: ARG002  there are none
        facts: Mapping[str, Any],
    ) -> Pattern:
        """Return the pattern after checking the record against `shape` and `nnz`.

        Raises:
            FormatError: RX7001 unknown generator, RX7002 bad parameters, RX7003 the shape or the
                number of edges is not what the generator makes.
        """
        record = {key: facts.get(key) for key in ("generator", "parameters")}
        try:
            pattern = from_record(record)
        except UnknownNameError as error:
            raise refuse(Finding("RX7001", str(error), "", hint=error.hint)) from None
        except ParameterError as error:
            raise refuse(Finding("RX7002", str(error), "", hint=error.hint)) from None
        if pattern.shape != shape or pattern.nnz != nnz:
            raise refuse(
                Finding(
                    "RX7003",
                    "the generator does not make what is declared",
                    "",
                    pointer="/shape",
                    expected=f"shape {list(pattern.shape)} with {pattern.nnz} edges",
                    actual=f"{list(shape)} with {nnz}",
                )
            )
        return pattern


pattern_encoding("procedural")(Procedural())
