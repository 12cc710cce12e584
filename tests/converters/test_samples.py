from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from radixfmt.converters.samples import (
    read_categories,
    read_samples,
    write_categories,
    write_samples,
)
from radixfmt.errors import InputError, PathError

HEAD = "%%MatrixMarket matrix coordinate real general\n"
NPY = b"\x93NUMPY\x01\x00\x10\x00"
SAMPLES = np.array([[0, 1.5, 0], [2, 0, -3], [0, 0, 0.1]], np.float32)


@pytest.mark.parametrize("suffix", ["npy", "npz", "mtx", "tsv"])
def test_every_form_comes_back(suffix, tmp_path):
    write_samples(tmp_path / f"x.{suffix}", SAMPLES)
    assert read_samples(tmp_path / f"x.{suffix}", 3).tolist() == SAMPLES.tolist()
    with pytest.raises(InputError, match="expected"):
        read_samples(tmp_path / f"x.{suffix}", 2)


def test_real_images_are_read(data):
    folder = data / "graph_challenge"
    images = read_samples(folder / "sparse-images-1024_subset.mtx", 1024)
    assert images.shape == (1200, 1024)
    assert images.sum() == 122713
    assert len(read_categories(folder / "neuron1024-l120-categories.tsv")) == 1812


def test_categories_count_from_one(tmp_path):
    write_categories(tmp_path / "c.tsv", np.array([0, 41]))
    assert (tmp_path / "c.tsv").read_text() == "1\n42\n"
    assert read_categories(tmp_path / "c.tsv").tolist() == [0, 41]
    (tmp_path / "c.tsv").write_text("1\nx\n")
    with pytest.raises(InputError, match="line 2"):
        read_categories(tmp_path / "c.tsv")


def bad_index(path):
    matrix = sp.csr_array(SAMPLES)
    np.savez(
        path, format=b"csr", shape=(3, 3), data=matrix.data,
        indices=matrix.indices + 10_000_000, indptr=matrix.indptr, _is_array=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("nan.npy", lambda p: np.save(p, SAMPLES * np.nan), "row 0, column 0: expected a finite"),
        ("big.npy", lambda p: np.save(p, np.full((1, 3), 1e300)), "finite float32"),
        ("text.npy", lambda p: p.write_text("hi"), "expected a .npy array"),
        ("pickle.npy", lambda p: np.save(p, np.array([{}], object)), "expected a .npy array"),
        ("words.npy", lambda p: np.save(p, np.array([["a", "b", "c"]])), "expected real numbers"),
        ("complex.npy", lambda p: np.save(p, SAMPLES * 1j), "expected real numbers"),
        ("rank.npy", lambda p: np.save(p, SAMPLES[0]), "got shape"),
        ("text.npz", lambda p: p.write_text("hi"), "expected an .npz"),
        ("two.npz", lambda p: np.savez(p, a=SAMPLES, b=SAMPLES), "one array"),
        ("index.npz", bad_index, "expected an .npz"),
        ("text.mtx", lambda p: p.write_text("hi"), "expected a MatrixMarket"),
        ("four.tsv", lambda p: p.write_text("1 1 1 9\n"), "line 1"),
        ("hex.tsv", lambda p: p.write_text("1 1 0x10\n"), "line 1"),
        ("comma.tsv", lambda p: p.write_text("1 1 1,5\n"), "line 1"),
        ("huge.tsv", lambda p: p.write_text("1 1 1\n1 2 1e300\n"), "line 2: expected a finite"),
        ("twice.tsv", lambda p: p.write_text("1 1 1\n1 1 2\n"), "every entry once"),
        ("tall.tsv", lambda p: p.write_text("2147483647 1 1\n"), "at most"),
        ("tall.mtx", lambda p: p.write_text(HEAD + "999999999999 3 0\n"), "more than the file"),
        ("full.mtx", lambda p: p.write_text(HEAD + "3 3 99999999999\n"), "more than the file"),
        ("header.npy", lambda p: p.write_bytes(NPY + b"{'descr': '<f4',"), "header.npy"),
        ("zero.tsv", lambda p: p.write_text("0\t1\t1\n"), "line 1"),
        ("wide.tsv", lambda p: p.write_text("1\t1\t1\n1\t7\t1\n"), "line 2"),
    ],
)
def test_bad_samples_are_refused_with_their_place(name, make, message, tmp_path):
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        read_samples(path, 3)
    assert name in str(caught.value)


def test_paths_that_cannot_be_samples(tmp_path):
    for path, message in (
        (tmp_path, "got a folder"), (tmp_path / "no.npy", "no such file"),
    ):  # fmt: skip
        with pytest.raises(PathError, match=message):
            read_samples(path, 3)
    (tmp_path / "x.csv").write_text("1,2,3")
    with pytest.raises(PathError, match="ends in .npy"):
        read_samples(tmp_path / "x.csv", 3)


@pytest.mark.parametrize("suffix", ["npy", "npz", "mtx", "tsv"])
def test_halves_and_negative_zeros_come_back(suffix, tmp_path):
    halves = np.array([[0.1, -2], [0, 65504]], np.float16)
    write_samples(tmp_path / f"x.{suffix}", halves)
    found = read_samples(tmp_path / f"x.{suffix}", 2)
    assert found.tolist() == halves.astype(np.float32).tolist()
