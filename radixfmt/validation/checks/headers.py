"""Layer headers: numbering, JSON, and whether the arrays they declare are there and fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator


@check("headers", needs=("container",))
def headers(view: View) -> Iterator[Finding]:
    """Yield what is wrong with each layer's header; a broken one does not hide the next."""
    file = view.open_file
    for i in range(file.count()):
        try:
            header = file.header(i)
            file.layer(i, header)
        except FormatError as error:
            if not isinstance(error.finding, Finding):
                raise
            yield error.finding
        else:
            view.headers.append(header)
