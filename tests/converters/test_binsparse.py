"""Files of the Binsparse package go in, and come out as it reads them."""

from __future__ import annotations

import json
import tempfile

import binsparse as bsp
import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from binsparse.conversions.scipy import to_scipy

import radixfmt as rx
from radixfmt.errors import FormatError, InputError, UnsupportedError

ASSUMED = "inputs come from the rows of the matrix, outputs from its columns"


def write_file(path, form, shape, values, *, old=False, extra=None, **arrays):
    """Write a Binsparse file of any form; `values` is (data_types entry, array).

    An `old` one is as the package writes it: superblock 0, an attribute of variable length.
    """
    kind, data = values
    with h5py.File(path, "w", libver=None if old else ("v108", "v108")) as file:
        types = {"values": kind}
        file["values"] = data
        for name, array in arrays.items():
            file[name] = array
            types[name] = array.dtype.name
        count = arrays["indices_1"].size if "indices_1" in arrays else int(np.prod(shape))
        header = {
            "version": "0.1.0",
            "format": form,
            "shape": list(shape),
            "number_of_stored_values": count,
            "data_types": types,
        }
        text = json.dumps({"binsparse": header | (extra or {})}, indent=2)
        file.attrs["binsparse"] = text if old else np.bytes_(text)
    return path


def arrays_of(form, matrix):
    """Return the arrays of a matrix in one form, and its values in that order."""
    by_column = form in ("CSC", "DCSC", "COOC", "DMATC")
    if form.startswith("DMAT"):
        return {}, matrix.toarray().ravel("F" if by_column else "C")
    held = matrix.tocsc() if by_column else matrix.tocsr()
    held.sort_indices()
    lines = np.diff(held.indptr)
    minor, pointers = held.indices.astype("u8"), held.indptr.astype("u8")
    if form.startswith("COO"):
        major = np.repeat(np.arange(lines.size), lines).astype("u4")
        return {"indices_0": major, "indices_1": minor}, held.data
    if form.startswith("D"):
        filled = np.flatnonzero(lines)
        pointers = np.append(pointers[filled], pointers[-1:])
        return {
            "indices_0": filled, "pointers_to_1": pointers, "indices_1": minor
        }, held.data  # fmt: skip
    return {"pointers_to_1": pointers, "indices_1": minor}, held.data


@pytest.fixture
def matrix():
    found = sp.random_array((7, 5), density=0.3, rng=1, dtype=np.float32)
    found.data[3] = 0
    return found.tocsr()


@pytest.mark.parametrize(
    "form",
    ["CSR", "CSC", "DCSR", "DCSC", "COO", "COOR", "COOC", "DMAT", "DMATR", "DMATC"],
)
def test_every_form_of_matrix_is_read(form, matrix, tmp_path):
    arrays, data = arrays_of(form, matrix)
    values = ("float32", data)
    source = write_file(tmp_path / "a.bsp.h5", form, matrix.shape, values, **arrays)
    done = rx.convert(source, tmp_path / "a.rx.h5")
    assert rx.validate(tmp_path / "a.rx.h5").ok
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert layer.dtype == np.float32
    assert layer.pattern.to_scipy(layer.weights).toarray().tolist() == matrix.toarray().tolist()
    dense = form.startswith("D") and not form.startswith("DC")
    assert layer.pattern.nnz == (35 if dense else matrix.nnz)
    assert done.losses[0] == ASSUMED
    assert (len(done.losses) == 2) == dense


@pytest.mark.parametrize("scipy_form", ["csr", "csc", "coo"])
def test_files_of_the_package_go_in_under_any_hdf5_name(scipy_form, matrix, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    tensor = bsp.conversions.scipy.from_scipy(matrix.asformat(scipy_form))
    bsp.io.save_binsparse(tensor, tmp_path / "a.h5")
    rx.convert(tmp_path / "a.h5", tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert (layer.pattern.to_scipy(layer.weights) != matrix.tocsc()).nnz == 0
    assert layer.pattern.nnz == matrix.nnz
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("kind", "data", "weights", "loss"),
    [
        ("iso[bint8]", np.ones(1, "u1"), None, None),
        ("bint8", np.ones(3, "i1"), None, None),
        ("bint8", np.array([1, 0, 1], "u1"), [1, 0, 1], "type bool (the values are the uint8"),
        ("iso[float64]", np.array([0.1]), [0.1], None),
        ("uint16", np.array([1, 2, 65535], "u2"), [1, 2, 65535], "type uint16"),
        ("int8", np.array([-128, 0, 127], "i1"), [-128, 0, 127], None),
    ],
)
def test_values_keep_what_they_mean(kind, data, weights, loss, tmp_path):
    source = write_file(
        tmp_path / "a.bsp.h5",
        "CSR",
        (2, 4),
        (kind, data),
        pointers_to_1=np.array([0, 2, 3]),
        indices_1=np.array([0, 1, 3], "u2"),
    )
    done = rx.convert(source, tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert (None if layer.weights is None else layer.weights.tolist()) == weights
    assert (len(done.losses) > 1) == (loss is not None)
    assert loss is None or done.losses[1].startswith(loss)


@pytest.mark.parametrize(
    ("structure", "expected"),
    [("symmetric_lower", [[1, 5], [5, 0]]), ("skew_symmetric_lower", [[1, -5], [5, 0]])],
)
def test_a_triangle_is_expanded(structure, expected, tmp_path):
    source = write_file(
        tmp_path / "a.bsp.h5",
        "CSR",
        (2, 2),
        ("float32", np.array([1, 5], "f4")),
        extra={"structure": structure},
        pointers_to_1=np.array([0, 1, 2], "u8"),
        indices_1=np.array([0, 0], "u4"),
    )
    rx.convert(source, tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert layer.pattern.to_scipy(layer.weights).toarray().tolist() == expected


GOOD = {
    "form": "CSR",
    "shape": (2, 4),
    "values": ("float32", np.ones(3, "f4")),
    "pointers_to_1": np.array([0, 2, 3], "u8"),
    "indices_1": np.array([0, 1, 3], "u4"),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices_1": np.array([0, 1, 4], "u4")}, "a column from 0 to 3, got 4"),
        ({"indices_1": np.array([0, -1, 3])}, "a column from 0 to 3, got -1"),
        ({"indices_1": np.array([1, 1, 3], "u8")}, "row 0, column 1 twice"),
        ({"indices_1": np.array([0, 1, 3], "f4")}, "expected a list of columns as integers"),
        ({"pointers_to_1": np.array([0, 5, 3], "u8")}, "RX4002"),
        ({"pointers_to_1": np.array([0, 3], "u8")}, "RX3005"),
        ({"pointers_to_1": np.array([0, 2, 2**63], "u8")}, "RX4003"),
        ({"values": ("complex[float32]", np.ones(6, "f4"))}, "expected real values"),
        ({"values": ("float32", np.ones(2, "f4"))}, "values: expected 3 elements"),
        ({"values": ("int8", np.ones(3, "f4"))}, "expected type 'int8', got float32"),
        ({"form": "CVEC"}, "expected a matrix, got a vector"),
        ({"form": "custom"}, "expected format CSR"),
        ({"shape": (2, 2**41)}, "RX3008"),
        ({"shape": (2, 2**40)}, "expected sizes from 0 to"),
        ({"extra": {"version": "9.9.9"}}, "expected Binsparse 0.1"),
        ({"extra": {"number_of_stored_values": -1}}, "expected -1 elements"),
        ({"extra": {"structure": "hermitian_upper"}}, "expected a square matrix of structure"),
        ({"extra": {"index_base": 1}}, "count from 0"),
        ({"extra": {"fill": True}, "fill_value": np.full(1, 7, "f4")}, "the fill value 7"),
    ],
)
def test_what_cannot_be_a_layer_is_refused(change, message, tmp_path):
    source = write_file(tmp_path / "a.bsp.h5", **(GOOD | change))
    with pytest.raises(rx.RadixfmtError, match=message) as caught:
        rx.convert(source, tmp_path / "a.rx.h5")
    assert "a.bsp.h5" in str(caught.value)
    assert not (tmp_path / "a.rx.h5").exists()


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"pointers_to_1": np.array([0, 5, 3], "u8")}, FormatError, "RX4002"),
        ({"form": "CVEC"}, InputError, "got a vector"),
    ],
)
def test_refusals_are_the_same_from_another_process(change, kind, message, tmp_path):
    source = write_file(tmp_path / "a.h5", old=True, **(GOOD | change))
    with pytest.raises(kind, match=message):
        rx.convert(source, tmp_path / "a.rx.h5")


def test_an_hdf5_file_of_another_kind_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(FormatError, match="RX0201"):
        rx.convert(tmp_path / "a.h5", tmp_path / "a.rx.h5")
    with pytest.raises(InputError, match="without the attribute `binsparse`"):
        rx.convert(tmp_path / "a.h5", tmp_path / "a.rx.h5", source_format="binsparse")


def test_a_lost_process_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    source = write_file(tmp_path / "a.bsp.h5", old=True, **GOOD)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(FormatError, match="RX0199"):
        rx.convert(source, tmp_path / "a.rx.h5", limits=rx.Limits(wall=0))
    assert [path.name for path in tmp_path.iterdir()] == ["a.bsp.h5"]


def test_what_stands_beside_the_matrix_is_reported(tmp_path):
    source = write_file(tmp_path / "a.bsp.h5", **GOOD)
    with h5py.File(source, "r+") as file:
        whole = json.loads(file.attrs["binsparse"]) | {"author": "A."}
        file.attrs["binsparse"] = json.dumps(whole)
        file["notes"] = 1
    losses = rx.convert(source, tmp_path / "a.rx.h5").losses
    assert losses[1:] == ("other attributes: author", "other objects: notes")


def test_a_layer_comes_out_as_the_package_reads_it(tmp_path, small):
    rx.write(tmp_path / "net.rx.h5", small)
    with pytest.raises(UnsupportedError) as caught:
        rx.convert(tmp_path / "net.rx.h5", tmp_path / "a.bsp.h5")
    assert "--layer" in caught.value.hint
    done = rx.convert(tmp_path / "net.rx.h5", tmp_path / "a.bsp.h5", layer=3)
    assert done.losses == ("names and metadata", "the graph: activations", "biases")
    expected = small.layers[3].pattern.to_scipy(small.layers[3].weights)
    assert (to_scipy(bsp.io.load_binsparse(tmp_path / "a.bsp.h5")) != expected).nnz == 0
    with h5py.File(tmp_path / "a.bsp.h5") as file:
        assert h5py.h5a.open(file.id, b"binsparse").get_type().is_variable_str() == 0
        assert all(file[name].chunks is None for name in file)
    rx.convert(tmp_path / "a.bsp.h5", tmp_path / "b.rx.h5")
    back = rx.read(tmp_path / "b.rx.h5").layers[0]
    assert back.weights.tolist() == small.layers[3].weights.tolist()


@pytest.mark.parametrize("weights", ["topology", "iso", "float16", "bfloat16", "quantized", "none"])
def test_every_kind_of_weights_comes_out(weights, tmp_path):
    pattern = rx.Pattern.from_scipy(sp.csc_array(np.tri(3, 4) if weights != "none" else [[0]]))
    given = {
        "topology": None,
        "iso": 0.5,
        "float16": np.arange(6, dtype=np.float16) / 8,
        "bfloat16": np.arange(6).astype(rx.model.dtypes.dtype_of("bfloat16")),
        "quantized": rx.Quantized(np.arange(6, dtype="i1"), np.ones(1, "f4"), np.ones(1, "i1")),
        "none": np.zeros(0, "f4"),
    }[weights]
    layer = rx.Layer("a", pattern, given)
    rx.write(tmp_path / "a.rx.h5", rx.chain([layer]))
    losses = rx.convert(tmp_path / "a.rx.h5", tmp_path / "a.bsp.h5").losses
    assert (len(losses) == 3) == (weights in ("float16", "bfloat16", "quantized"))
    tensor = bsp.io.load_binsparse(tmp_path / "a.bsp.h5")
    expected = pattern.to_scipy(None if layer.weights is None else layer.weights.astype("f8"))
    assert to_scipy(tensor).toarray().astype("f8").tolist() == expected.toarray().tolist()
    rx.convert(tmp_path / "a.bsp.h5", tmp_path / "b.rx.h5")
    assert (rx.read(tmp_path / "b.rx.h5").layers[0].weights is None) == (weights == "topology")


@pytest.mark.parametrize("form", ["DCSR", "DCSC"])
@pytest.mark.parametrize(
    ("name", "array"),
    [("indices_0", np.uint64(1)), ("pointers_to_1", np.uint64(1)), ("indices_1", np.uint64(1))],
)
def test_a_scalar_is_no_list(form, name, array, matrix, tmp_path):
    arrays, data = arrays_of(form, matrix)
    path = write_file(tmp_path / "a.bsp.h5", form, (7, 5), ("float32", data), **arrays)
    with h5py.File(path, "r+", libver=("v108", "v108")) as file:
        del file[name]
        file[name] = array.astype(arrays[name].dtype)
    with pytest.raises(InputError, match=rf"{name}: expected .*, got shape \(\)"):
        rx.convert(path, tmp_path / "a.rx.h5")


@pytest.mark.parametrize(
    ("form", "kind", "refused"),
    [("CSR", "iso[int8]", True), ("DMATR", "int8", True), ("DMATR", "iso[int8]", False)],
)
def test_entries_are_bounded_and_not_only_bytes(form, kind, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.model.entries.MODEST", 1 << 16)
    size = 256
    values = np.ones(1 if "iso" in kind else size * size, "i1")
    path = write_file(tmp_path / "a.bsp.h5", form, (size, size), (kind, values))
    with h5py.File(path, "r+", libver=("v108", "v108")) as file:
        header = json.loads(file.attrs["binsparse"])
        if form == "CSR":
            header["binsparse"]["data_types"] |= {"indices_1": "uint8", "pointers_to_1": "int64"}
            every = np.tile(np.arange(size, dtype="u1"), size)
            file.create_dataset("indices_1", data=every, compression=9)
            file["pointers_to_1"] = np.arange(size + 1) * size
        elif refused:
            del file["values"]
            file.create_dataset("values", data=values, compression=9)
        file.attrs["binsparse"] = np.bytes_(json.dumps(header))
    h5py.File(path).close()
    if refused:
        with pytest.raises(InputError, match="declares 65536 entries; at most"):
            rx.convert(path, tmp_path / "a.rx.h5")
    else:
        rx.convert(path, tmp_path / "a.rx.h5")
        assert rx.read(tmp_path / "a.rx.h5").layers[0].pattern.nnz == size * size
