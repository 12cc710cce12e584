"""Batches of samples, `[rows, features]`: what `run` reads and writes.

`.npy` arrays, `.npz` (scipy sparse, or one array), `.mtx` matrices, and `.tsv` triples
`row column value` counted from 1, the Graph Challenge's form of images.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.matrix_market import read_matrix
from radixfmt.converters.triples import format_triples, read_triples
from radixfmt.errors import InputError, PathError
from radixfmt.files import a_path, replacing
from radixfmt.model.dtypes import FOREIGN_TYPES

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray


LARGEST_BATCH = 2**32
"""Values of one batch of samples: 16 GiB of float32."""


def read_samples(path: str | os.PathLike[str], features: int | None) -> NDArray[np.float32]:
    """Return the samples in a file as float32 `[rows, features]`; None takes any width.

    Raises:
        PathError: missing, not a file, or of a suffix that is not known.
        InputError: not readable as its suffix says, another width, not numbers, NaN or infinite.
    """
    source = a_path(path)
    if source.is_dir():
        raise PathError(f"{source}: expected a file of samples, got a folder")
    if not source.exists():
        raise PathError(f"{source}: no such file", hint="check the spelling")
    if not source.is_file():
        raise PathError(f"{source}: expected a regular file of samples, got a special file")
    read = _by_suffix(source, READERS)
    try:
        found = read(source, features)
    except (InputError, PathError):
        raise
    except MemoryError:
        raise InputError(f"{source}: declares more values than there is memory for") from None
    except Exception as error:  # noqa: BLE001  a parser's own errors on bytes it never expected
        raise InputError(f"{source}: cannot be read as {source.suffix}: {error}") from None
    if found.ndim != 2 or features not in (None, found.shape[1]):
        raise InputError(
            f"{source}: expected rows of {features or 'any number of'} values, got shape "
            f"{list(found.shape)}"
        )
    if found.dtype.kind not in "fiub":
        raise InputError(f"{source}: expected real numbers, got {found.dtype}")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite and is refused below
        samples = np.ascontiguousarray(found, np.float32)
    bad = np.argwhere(~np.isfinite(samples))
    if bad.size:
        row, column = bad[0]
        raise InputError(
            f"{source}: row {row}, column {column}: expected a finite float32, got "
            f"{found[row, column]} ({len(bad)} such places)"
        )
    return samples


def write_samples(
    path: str | os.PathLike[str], samples: NDArray[Any], *, overwrite: bool = False
) -> None:
    """Write `[rows, features]` values in the form the suffix names.

    Raises:
        PathError: a suffix that is not known, or the system refuses.
        TargetExistsError: the file exists and `overwrite` is false.
        UnsupportedError: a value that text does not hold, such as NaN.
    """
    write = check_suffix(path)
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
        write(stream, samples)


def check_suffix(path: str | os.PathLike[str]) -> Callable[[Any, NDArray[Any]], None]:
    """Return the writer for a path's suffix; call it before the work starts.

    Raises:
        PathError: no form of samples has that suffix.
    """
    writer: Callable[[Any, NDArray[Any]], None] = _by_suffix(Path(path), WRITERS)
    return writer


def write_categories(
    path: str | os.PathLike[str], rows: NDArray[np.integer[Any]], *, overwrite: bool = False
) -> None:
    """Write 0-based row numbers as the challenge's 1-based ids, one a line."""
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text("".join(f"{row + 1}\n" for row in rows.tolist()))


def read_categories(path: str | os.PathLike[str]) -> NDArray[np.int64]:
    """Return the 0-based rows that a category file names.

    Raises:
        InputError: a line that is not a positive integer.
    """
    rows = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip().isdecimal() or int(line) < 1:
            raise InputError(f"{path}: line {number}: expected an id from 1, got {line[:40]!r}")
        rows.append(int(line) - 1)
    return np.array(rows, np.int64)


def _by_suffix(path: Path, table: dict[str, Any]) -> Any:
    try:
        return table[path.suffix.lower()]
    except KeyError:
        raise PathError(
            f"{path}: expected a name that ends in {', '.join(table)}, got {path.suffix!r}"
        ) from None


def _read_npy(path: Path, _: int | None) -> NDArray[Any]:
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: expected a .npy array of numbers: {error}") from None
    if not isinstance(found, np.ndarray):
        raise InputError(f"{path}: expected a .npy array, got an archive")
    return found


def _check_width(path: Path, found: int, features: int | None) -> None:
    """Refuse another width before a sparse matrix is written out."""
    if features not in (None, found):
        raise InputError(f"{path}: expected rows of {features} values, got {found}")


def _check_size(path: Path, rows: int, features: int) -> None:
    """Refuse samples whose dense form no machine should be asked for by a few bytes."""
    if rows * features > LARGEST_BATCH:
        raise InputError(
            f"{path}: {rows} rows of {features} values; at most {LARGEST_BATCH} values are read",
            hint="split the samples into several files",
        )


def _read_npz(path: Path, features: int | None) -> NDArray[Any]:
    import scipy.sparse as sp

    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
            if "format" not in names:
                if len(names) != 1:
                    raise InputError(
                        f"{path}: expected a scipy sparse matrix or one array, got the arrays "
                        f"{', '.join(names)[:200]}"
                    )
                return np.asarray(archive[names[0]])
        matrix = sp.load_npz(path)
        _check_width(path, matrix.shape[1], features)
        _check_size(path, *matrix.shape)
        check = getattr(matrix, "check_format", None)
        if check is not None:
            check(full_check=True)  # scipy itself writes out of bounds on bad indices
        return np.asarray(matrix.toarray())
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected an .npz of numbers: {error}") from None


def _read_mtx(path: Path, features: int | None) -> NDArray[Any]:
    matrix = read_matrix(path)[0]
    _check_width(path, matrix.shape[1], features)
    _check_size(path, *matrix.shape)
    return matrix.toarray()


def _read_tsv(path: Path, features: int | None) -> NDArray[Any]:
    entries = read_triples(path)
    rows, columns = entries.coords
    width = features or (int(columns.max()) + 1 if columns.size else 0)
    if columns.size and columns.max() >= width:
        raise InputError(
            f"{path}: line {int(columns.argmax()) + 1}: expected a column from 1 to {width}, "
            f"got {columns.max() + 1}"
        )
    height = int(rows.max()) + 1 if rows.size else 0
    _check_size(path, height, width)
    cells = rows.astype(np.int64) * width + columns
    if np.unique(cells).size != cells.size:
        raise InputError(f"{path}: expected every entry once, got some twice")
    dense = np.zeros((height, width), np.float32)
    dense[rows, columns] = entries.data
    return dense


def _plain(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the samples in a type that matrices and text hold; of halves, the same values."""
    return samples.astype(np.float32) if samples.dtype.name in FOREIGN_TYPES else samples


def _write_npz(stream: Any, samples: NDArray[Any]) -> None:
    import scipy.sparse as sp

    sp.save_npz(stream, sp.csr_array(_plain(samples)))


def _write_mtx(stream: Any, samples: NDArray[Any]) -> None:
    import scipy.io
    import scipy.sparse as sp

    scipy.io.mmwrite(stream, sp.coo_array(_plain(samples)))


def _write_tsv(stream: Any, samples: NDArray[Any]) -> None:
    rows, columns = np.nonzero(samples)
    stream.write(format_triples(rows, columns, _plain(samples[rows, columns]), what="samples"))


READERS = {".npy": _read_npy, ".npz": _read_npz, ".mtx": _read_mtx, ".tsv": _read_tsv}
WRITERS = {".npy": np.save, ".npz": _write_npz, ".mtx": _write_mtx, ".tsv": _write_tsv}
