"""Text lines `row column value`, 1-based: the Graph Challenge's form of layers and images.

scipy's MatrixMarket parser reads them, given the header they lack; it is fast and names the line
of an error.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import InputError, PathError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    import scipy.sparse as sp
    from numpy.typing import NDArray

UNBOUNDED = 2**31 - 1

NUMERIC = b"0123456789+-.eE \t\r\n"
"""All that a line of three numbers can be made of."""


def read_triples(path: Path, shape: tuple[int, int] | None = None) -> sp.coo_array:
    """Return the entries of a triples file in the order they stand, float64.

    Args:
        path: the file.
        shape: bounds of row and column; without it any id up to 2^31 - 1 is taken.

    Raises:
        InputError: a line that is not `row column value` or lies outside `shape`; names the line.
    """
    import scipy.io
    import scipy.sparse as sp

    try:
        data = path.read_bytes().rstrip()
    except OSError as error:
        raise PathError(f"{path}: {error.strerror or error}") from None
    lines = data.count(b"\n") + 1 if data else 0
    if data.translate(None, NUMERIC) or _words(data) != 3 * lines:
        raise _bad_line(path, data, shape, "not three numbers on every line")
    rows, columns = shape or (UNBOUNDED, UNBOUNDED)
    header = f"%%MatrixMarket matrix coordinate real general\n{rows} {columns} {lines}\n"
    try:
        found = scipy.io.mmread(BytesIO(header.encode() + data + b"\n"), spmatrix=False)
    except (ValueError, OverflowError) as error:
        raise _bad_line(path, data, shape, str(error)) from None
    entries = sp.coo_array(found)
    with np.errstate(over="ignore"):
        bad = np.flatnonzero(~np.isfinite(entries.data.astype(np.float32)))
    if bad.size:
        raise InputError(
            f"{path}: line {bad[0] + 1}: expected a finite float32, got {entries.data[bad[0]]}"
        )
    return entries


def _words(data: bytes) -> int:
    """Return the number of words, as `len(data.split())` but without making them."""
    blank = np.frombuffer(data, np.uint8) <= ord(" ")
    starts = np.count_nonzero(blank[:-1] & ~blank[1:])
    return int(starts) + (blank.size > 0 and not blank[0])


def format_triples(
    rows: NDArray[np.integer[Any]],
    columns: NDArray[np.integer[Any]],
    values: NDArray[Any],
    *,
    what: str,
) -> bytes:
    """Return 0-based entries as 1-based lines, in the order given.

    Values are written as the challenge's files were, `%d` if whole, else `%e`; where seven digits
    would change one, all get as many as their type needs.

    Args:
        rows: `[entries]`.
        columns: `[entries]`.
        values: `[entries]`, integers, float32 or float64.
        what: whose values they are, for messages.

    Raises:
        UnsupportedError: a value that no reader of such lines takes: not finite as float32.
    """
    if not len(rows):
        return b""
    row_text = _texts(rows.max() + 1)
    column_text = _texts(columns.max() + 1)
    # by their bits, or -0 would become 0
    bits, which = np.unique(values.view(f"u{values.itemsize}"), return_inverse=True)
    distinct = bits.view(values.dtype)
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(distinct.astype(np.float32))
    if bad.any():
        at = int(bad[which].argmax())
        raise UnsupportedError(
            f"{what}: row {rows[at]}, column {columns[at]}: expected a finite float32, got "
            f"{values[at]}; no reader of such lines takes another",
            hint="other formats hold it: matrix-market, say, or .npy for samples",
        )
    tokens = np.empty((len(rows), 3), object)
    tokens[:, 0] = row_text[rows]
    tokens[:, 1] = column_text[columns]
    tokens[:, 2] = _value_texts(distinct)[which]
    return b"".join(tokens.reshape(-1).tolist())


def _texts(count: int) -> NDArray[Any]:
    return np.array([b"%d\t" % i for i in range(1, int(count) + 1)], object)


def _value_texts(values: NDArray[Any]) -> NDArray[Any]:
    """Return the text of each value: `%d` if whole, else one precision for all of them."""
    if values.dtype.kind != "f":
        return np.array(_format("%d", values), object)
    for form in ("%e", "%.8e", "%.16e"):  # the last is exact for every float64
        if _exact(_format(form, values[:64]), values[:64]):
            texts = _format(form, values)
            if _exact(texts, values):
                break
    found = np.array(texts, object)
    negative_zero = (values == 0) & np.signbit(values)
    whole = np.flatnonzero((values == np.trunc(values)) & (np.abs(values) < 1e15) & ~negative_zero)
    found[whole] = [b"%d\n" % value for value in values[whole].tolist()]
    return found


def _format(form: str, values: NDArray[Any]) -> list[bytes]:
    """Return many numbers as lines; one long format string is much faster than many short."""
    text = ((form + "\n") * len(values)) % tuple(values.tolist())
    return text.encode().splitlines(keepends=True)


def _exact(texts: list[bytes], values: NDArray[Any]) -> bool:
    """Return whether the texts read back as the same values of their type."""
    return bool((np.array(texts).astype(np.float64).astype(values.dtype) == values).all())


def _bad_line(path: Path, data: bytes, shape: tuple[int, int] | None, problem: str) -> InputError:
    """Return the error for the first line that does not fit."""
    limits = [f"1 to {size}" for size in shape] if shape else ["1 or more"] * 2
    expected = f"row ({limits[0]}), column ({limits[1]}), value"
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not _fits(line, shape):
            text = line[:60].decode("utf-8", "replace")
            return InputError(f"{path}: line {number}: expected {expected}, got {text!r}")
    return InputError(f"{path}: expected lines of {expected}; the parser says: {problem}")


def _fits(line: bytes, shape: tuple[int, int] | None) -> bool:
    match = re.fullmatch(rb"\s*(\d+)\s+(\d+)\s+(\S+)\s*", line)
    if match is None or line.translate(None, NUMERIC):
        return False
    try:
        float(match[3])
    except ValueError:
        return False
    bounds = shape or (UNBOUNDED, UNBOUNDED)
    return all(1 <= int(match[i + 1]) <= bounds[i] for i in range(2))
