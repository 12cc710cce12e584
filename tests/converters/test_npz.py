"""Matrices that scipy saves go in and come out; what is no such matrix is refused, not run."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import radixfmt as rx
from radixfmt.errors import InputError, UnsupportedError

DTYPES = ["float32", "float64", "int8", "int64", "uint8", "bool", "uint16"]


@given(
    hnp.arrays(
        st.sampled_from(DTYPES),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.sampled_from([0, 0, 1]),
    ),
    st.sampled_from(["csr", "csc", "coo", "bsr", "dia"]),
    st.booleans(),
)
def test_what_scipy_saves_comes_back(tmp_path_factory, matrix, kind, compressed):
    folder = tmp_path_factory.mktemp("x")
    given_matrix = sp.coo_array(matrix).asformat(kind)
    sp.save_npz(folder / "a.npz", given_matrix, compressed=compressed)
    rx.convert(folder / "a.npz", folder / "a.rx.h5")
    layer = rx.read(folder / "a.rx.h5").layers[0]
    back = layer.pattern.to_scipy(layer.weights)
    assert back.toarray().tolist() == matrix.astype(back.dtype).tolist()
    edges = given_matrix.tocsc() if kind == "bsr" else sp.csc_array(matrix)
    assert layer.pattern.nnz == edges.nnz  # a cell of a stored block is an edge
    if matrix.dtype == bool:
        assert (layer.weights is None) == bool(edges.data.all())

    rx.convert(folder / "a.rx.h5", folder / "b.npz", small=compressed)
    assert (sp.load_npz(folder / "b.npz") != back).nnz == 0
    rx.convert(folder / "b.npz", folder / "b.rx.h5")
    again = rx.read(folder / "b.rx.h5").layers[0]
    assert again.pattern.indices.tolist() == layer.pattern.indices.tolist()
    assert again.dtype == layer.dtype


def test_weights_in_any_order_stay_with_their_edges(tmp_path):
    matrix = sp.coo_array(([3.0, 1, 2], ([2, 0, 1], [0, 0, 2])), shape=(3, 3))
    sp.save_npz(tmp_path / "a.npz", matrix)
    rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert layer.pattern.to_scipy(layer.weights).toarray().tolist() == matrix.toarray().tolist()


def test_same_network_same_bytes_and_one_layer_is_chosen(tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", small)
    with pytest.raises(UnsupportedError) as caught:
        rx.convert(tmp_path / "a.rx.h5", tmp_path / "a.npz")
    assert "--layer" in caught.value.hint
    for name in "bc":
        rx.convert(tmp_path / "a.rx.h5", tmp_path / f"{name}.npz", layer=1)
    assert (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()


GOOD = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 4]),
    "indptr": np.array([0, 2, 3], "i4"),
    "indices": np.array([0, 1, 3], "i4"),
    "data": np.ones(3, "f4"),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": np.array([0, 1, 2**30], "i4")}, "a column from 0 to 3, got 1073741824"),
        ({"indices": np.array([0, -1, 3], "i4")}, "a column from 0 to 3, got -1"),
        ({"indices": np.array([1, 1, 3], "i4")}, "row 0, column 1 twice"),
        ({"indices": np.array([0.0, 1, 3])}, "columns as integers"),
        ({"indices": np.zeros((3, 1), "i4")}, "values of shape .3,. for .3, 1. indices"),
        ({"indptr": np.array([0, 2, 2**31 - 1], "i4")}, "RX4003"),
        ({"indptr": np.array([0, 9, 3], "i4")}, "RX4002"),
        ({"indptr": np.array([0, 3], "i4")}, "RX3005"),
        ({"data": np.ones(2, "f4")}, "values of shape .2,. for .3,. indices"),
        ({"data": np.ones(3, "c8")}, "got complex64"),
        ({"data": np.array([1, None, 2], object)}, "Python objects, which are never loaded"),
        ({"data": np.array(["a", "b", "c"])}, "expected values of type"),
        ({"data": np.zeros(3, [("a", "f4")])}, "its array 'data' of"),
        ({"shape": np.array([2])}, "two sizes"),
        ({"shape": np.array([2, -4])}, "expected sizes from 0"),
        ({"shape": np.array([2, 2**40])}, "expected sizes from 0"),
        ({"format": np.array(b"lil")}, "expected format csc"),
        ({"format": None}, "it has no array 'format', but"),
        ({"format": np.array(b"dia")}, "it has no array 'offsets'"),
        ({"format": np.array(b"bsr")}, "blocks of shape"),
        ({"format": np.array(b"coo"), "coords": np.zeros((3, 3), "i4")}, "`coords` are of shape"),
    ],
)
def test_what_cannot_be_a_layer_is_refused(change, message, tmp_path):
    arrays = {name: array for name, array in (GOOD | change).items() if array is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(rx.RadixfmtError, match=message) as caught:
        rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")
    assert "a.npz" in str(caught.value)


def test_the_other_byte_order_is_read(tmp_path):
    swapped = {"data": np.arange(3, dtype=">f4"), "indices": np.array([0, 1, 3], ">i4")}
    np.savez(tmp_path / "a.npz", **(GOOD | swapped))
    rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    expected = [[0, 1, 0, 0], [0, 0, 0, 2]]
    assert layer.pattern.to_scipy(layer.weights).toarray().tolist() == expected


def header(text):
    """Return a .npy file of no data with this header."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00\xff\xff",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}\n"),
        header("{'descr': '|S0', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1000000000000)}\n"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': ()}\n"),
        header("__import__('os').abort()\n"),
        header("(" * 9000 + "\n"),
    ],
)
def test_an_array_that_lies_is_refused(data, tmp_path):
    np.savez(tmp_path / "a.npz", **{name: GOOD[name] for name in GOOD if name != "data"})
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("data.npy", data)
    with pytest.raises(InputError, match="its array 'data'"):
        rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.model.entries.MODEST", 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("format.npy", bytes(1 << 22))
    with pytest.raises(InputError, match="declares 4194304 bytes; at most 1048576"):
        rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")


class Planted:
    def __reduce__(self):
        return open, ("planted", "w")


@pytest.mark.parametrize("name", ["a.npz", "a.pt"])
def test_pickles_are_never_loaded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Planted()))
        archive.writestr("format.npy", pickle.dumps(Planted()))
    with pytest.raises(rx.RadixfmtError, match=r"unreadable|expected a name that ends in .*\.npz"):
        rx.convert(name, "a.rx.h5")
    assert not (tmp_path / "planted").exists()


def blocks(path, side, *, compressed, kind="bsr"):
    """Save `side` by `side` zeros as int8: one block, one byte an entry, almost none compressed."""
    cells = np.zeros((side, side), "i1")
    arrays = {
        "bsr": {"data": cells[None], "indices": [0], "indptr": [0, 1]},
        "dia": {"data": cells, "offsets": np.arange(side)},
        "coo": {"data": cells.ravel(), "row": cells.ravel(), "col": cells.ravel()},
        "csr": {"data": cells[0], "indices": cells.ravel(), "indptr": np.arange(side + 1) * side},
    }
    save = np.savez_compressed if compressed else np.savez
    save(path, format=np.array(kind.encode()), shape=(side, side), **arrays[kind])


def test_a_small_file_of_many_entries_is_refused_before_they_are_made(tmp_path):
    blocks(tmp_path / "a.npz", 8192, compressed=True)
    assert (tmp_path / "a.npz").stat().st_size < 1 << 17
    with pytest.raises(InputError, match="holds 67108864 entries; at most 33554432"):
        rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("bsr", "holds 65536 entries; at most 32768"),
        ("dia", "holds 65536 entries"),
        ("coo", "holds 65536 entries"),
        ("csr", "values of shape .256,. for .65536,. indices"),
    ],
)
def test_entries_are_bounded_in_every_form(kind, message, tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.model.entries.MODEST", 1 << 19)
    blocks(tmp_path / "a.npz", 256, compressed=True, kind=kind)
    with pytest.raises(InputError, match=message):
        rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")


def test_a_file_of_a_byte_for_each_entry_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.model.entries.MODEST", 1 << 16)
    blocks(tmp_path / "a.npz", 256, compressed=False)
    rx.convert(tmp_path / "a.npz", tmp_path / "a.rx.h5")
    assert rx.read(tmp_path / "a.rx.h5").layers[0].pattern.nnz == 65536
