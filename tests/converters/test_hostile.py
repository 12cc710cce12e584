"""Files from strangers in other formats: handled, or refused with the place and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import InputError

COORDINATE = "%%MatrixMarket matrix coordinate "
ARRAY = "%%MatrixMarket matrix array "


def layer_of(source, tmp_path, **options):
    rx.convert(source, tmp_path / "out.rx.h5", **options)
    layer = rx.read(tmp_path / "out.rx.h5").layers[0]
    return layer, layer.pattern.to_scipy(layer.weights).toarray().tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (COORDINATE + "real symmetric\n2 2 2\n1 1 5\n2 1 7\n", [[5, 7], [7, 0]]),
        (COORDINATE + "real skew-symmetric\n2 2 1\n2 1 7\n", [[0, -7], [7, 0]]),
        (COORDINATE + "pattern symmetric\n2 2 1\n2 1\n", [[0, 1], [1, 0]]),
        (ARRAY + "real general\n2 2\n1\n0\n3\n4\n", [[1, 3], [0, 4]]),
        (ARRAY + "real symmetric\n2 2\n1\n2\n3\n", [[1, 2], [2, 3]]),
        (COORDINATE + "real general\n\n% note\n2 2 2\n\n1 1 5\n\n2 1 7\n\n", [[5, 0], [7, 0]]),
        ("%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 5\n", [[5]]),
        ("%%MatrixMarket MATRIX Coordinate REAL General\n1 1 1\n1 1 5\n", [[5]]),
        ((COORDINATE + "real general\n1 1 1\n1 1 5\n").replace("\n", "\r\n"), [[5]]),
        (COORDINATE + "real general\n1 1 1\n1 1 5e-1", [[0.5]]),
        (COORDINATE + "real general\n1 1 1\n1 1 1e300\n", [[1e300]]),
    ],
)
def test_124_headers_and_blank_lines_of_mtx_are_handled(text, expected, tmp_path):
    (tmp_path / "a.mtx").write_text(text, newline="")
    assert layer_of(tmp_path / "a.mtx", tmp_path)[1] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COORDINATE + "complex hermitian\n2 2 1\n2 1 7 1\n", "got complex"),
        (COORDINATE + "real symmetric\n2 2 2\n1 2 5\n2 1 7\n", "every entry once"),
        (COORDINATE + "real symmetric\n2 3 1\n2 3 5\n", "exceeds matrix dimension"),
        (COORDINATE + "real general\n2 2 1\n0 1 5\n", "Line 3: Row index out of bounds"),
        (COORDINATE + "real general\n2 2 1\n1.5 1 5\n", "Line 3: Invalid integer"),
        (COORDINATE + "real general\n2 2 1\n1 1 5\n1 2 5\n", "Line 4: Too many lines"),
        (COORDINATE + "real general\n-2 2 1\n1 1 5\n", "can't be negative"),
        (COORDINATE + "real general\n1000000000000 1 0\n", "more than the file can hold"),
        (COORDINATE + "integer general\n1 1 1\n1 1 99999999999999999999\n", "out of range"),
        (ARRAY + "pattern general\n1 1\n1\n", "may not be pattern"),
        (ARRAY + "real general\n2 2\n1\n", "Truncated"),
        ("%%MatrixMarket vector coordinate real general\n2 1\n1 1\n", "MatrixMarket file"),
    ],
)
def test_124_what_mtx_cannot_mean_is_refused(text, message, tmp_path):
    (tmp_path / "a.mtx").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        layer_of(tmp_path / "a.mtx", tmp_path)
    assert "a.mtx" in str(caught.value)


def test_124_nan_and_unsigned_integers_of_mtx(tmp_path):
    (tmp_path / "a.mtx").write_text(COORDINATE + "real general\n1 1 1\n1 1 nan\n")
    layer = layer_of(tmp_path / "a.mtx", tmp_path)[0]
    assert layer.dtype == np.float32
    assert np.isnan(layer.weights).all()
    text = "unsigned-integer general\n1 1 1\n1 1 18446744073709551615\n"
    (tmp_path / "b.mtx").write_text(COORDINATE + text)
    done = rx.convert(tmp_path / "b.mtx", tmp_path / "b.rx.h5")
    assert done.losses == ("integers beyond 2^53 were rounded to float64",)


@pytest.fixture
def folder(tmp_path):
    """A folder of one layer, whose text is to be written."""
    found = tmp_path / "gc"
    found.mkdir()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "1\t2\t0.5\r\n2\t1\t1\r\n",
        "1\t2\t5e-1\n2 1 1.0E+00\n",
        "2\t1\t1\n1\t2\t.5\n\n\n",
        "  1 2 0.5 \n2 1 1",
    ],
)
def test_125_line_ends_and_numbers_of_tsv_are_handled(text, folder, tmp_path):
    (folder / "n2-l1.tsv").write_text(text, newline="")
    assert layer_of(folder, tmp_path)[1] == [[0, 0.5], [1, 0]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1\t1\t1\n\n2\t1\t1\n", 2),
        ("1\t1\t1\n0\t1\t1\n", 2),
        ("1\t1\t1\n3\t1\t1\n", 2),
        ("1\t1\n", 1),
        ("1\t1\t1\n1\t2\t1\t1\n2\t2\n", 2),
        ("1\t1\t1\n1\t2\tnan\n", 2),
        ("1\t1\t1\n1\t2\t1e50\n", 2),
        ("1\t1\t1\n1\t-1\t1\n", 2),
        ("1.0\t1\t1\n", 1),
        ("1,1,1\n", 1),
        ("row\tcolumn\tvalue\n1\t1\t1\n", 1),
        ("\ufeff1\t1\t1\n", 1),
        ("99999999999999999999\t1\t1\n", 1),
    ],
)
def test_125_a_bad_line_of_tsv_is_named_by_its_number(text, line, folder, tmp_path):
    (folder / "n2-l1.tsv").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError, match=f"n2-l1.tsv: line {line}: expected"):
        layer_of(folder, tmp_path)


UNTOLD = r"expected a name that ends in .*\.mtx.*\.rx\.h5"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("model.safetensors", (2**63).to_bytes(8, "little") + b"{}", "expected a safetensors file"),
        ("model.pt", b"PK\x03\x04", UNTOLD),
        ("model.pt", b"\x80\x02c__builtin__\neval\n(S'1'\ntR.", UNTOLD),
    ],
)
def test_121_126_formats_that_are_not_read_are_refused_by_name(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(rx.RadixfmtError, match=message):
        layer_of(tmp_path / name, tmp_path)
    for form in ("npz", "radixfmt", "binsparse", "matrix-market"):
        with pytest.raises(rx.RadixfmtError, match=name):
            layer_of(tmp_path / name, tmp_path, source_format=form)
