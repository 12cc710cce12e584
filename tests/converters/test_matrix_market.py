from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import radixfmt as rx
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.model.dtypes import dtype_of

HEAD = "%%MatrixMarket matrix coordinate "


@given(
    hnp.arrays(
        st.sampled_from(["float32", "float64"]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.sampled_from([0, 0, 1, -0.5, 0.1, 1e-30, 3e8]),
    )
)
def test_weights_come_back_exactly(tmp_path_factory, matrix):
    folder = tmp_path_factory.mktemp("x")
    pattern = rx.Pattern.from_scipy(sp.csc_array(matrix))
    weights = sp.csc_array(matrix).data
    rx.write(folder / "a.rx.h5", rx.chain([rx.Layer("a", pattern, weights)]))
    rx.convert(folder / "a.rx.h5", folder / "a.mtx")
    rx.convert(folder / "a.mtx", folder / "b.rx.h5")
    layer = rx.read(folder / "b.rx.h5").layers[0]
    assert layer.pattern.indices.tolist() == pattern.indices.tolist()
    assert layer.weights.tolist() == weights.tolist()


def test_a_pattern_file_is_a_topology(tmp_path):
    (tmp_path / "a.mtx").write_text(HEAD + "pattern general\n2 3 2\n1 3\n2 1\n")
    rx.convert(tmp_path / "a.mtx", tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert layer.weights is None
    assert layer.pattern.shape == (2, 3)
    rx.convert(tmp_path / "a.rx.h5", tmp_path / "b.mtx")
    assert "pattern" in (tmp_path / "b.mtx").read_text()


def test_symmetric_files_are_expanded(tmp_path):
    (tmp_path / "a.mtx").write_text(HEAD + "real symmetric\n2 2 2\n1 1 5\n2 1 7\n")
    rx.convert(tmp_path / "a.mtx", tmp_path / "a.rx.h5")
    layer = rx.read(tmp_path / "a.rx.h5").layers[0]
    assert layer.pattern.to_scipy(layer.weights).toarray().tolist() == [[5, 7], [7, 0]]


def test_zeros_of_dense_files_are_reported(tmp_path):
    scipy.io.mmwrite(tmp_path / "a.mtx", np.array([[1.0, 0], [0, 2]]))
    done = rx.convert(tmp_path / "a.mtx", tmp_path / "a.rx.h5")
    assert done.losses == ("zeros of the dense file became absent edges",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello\n", "expected a MatrixMarket file"),
        ("", "expected a MatrixMarket file"),
        (HEAD + "real general\n2 2 1\n3 1 1\n", "expected a MatrixMarket file"),
        (HEAD + "real general\n2 2 2\n1 1 1\n", "expected a MatrixMarket file"),
        (HEAD + "real general\n2 2 2\n1 1 1\n1 1 1\n", "every entry once"),
        (HEAD + "complex general\n1 1 1\n1 1 1 1\n", "got complex"),
    ],
)
def test_bad_files_are_refused(content, message, tmp_path):
    (tmp_path / "a.mtx").write_text(content)
    with pytest.raises(InputError, match=message):
        rx.convert(tmp_path / "a.mtx", tmp_path / "a.rx.h5")


def test_one_layer_must_be_chosen_and_can_be(tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", small)
    with pytest.raises(UnsupportedError) as caught:
        rx.convert(tmp_path / "a.rx.h5", tmp_path / "a.mtx")
    assert "--layer" in caught.value.hint
    rx.convert(tmp_path / "a.rx.h5", tmp_path / "a.mtx", layer=2)
    expected = small.layers[2].pattern.to_scipy(small.layers[2].weights)
    assert (scipy.io.mmread(tmp_path / "a.mtx").tocsc() != expected).nnz == 0


def test_integers_keep_their_value(tmp_path):
    (tmp_path / "a.mtx").write_text(HEAD + "integer general\n2 2 1\n1 1 16777217\n")
    done = rx.convert(tmp_path / "a.mtx", tmp_path / "a.rx.h5")
    assert done.losses == ()
    assert rx.read(tmp_path / "a.rx.h5").layers[0].weights.tolist() == [16777217]
    (tmp_path / "b.mtx").write_text(HEAD + "integer general\n2 2 1\n1 1 9007199254740993\n")
    assert "rounded" in rx.convert(tmp_path / "b.mtx", tmp_path / "b.rx.h5").losses[0]


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("suffix", ["mtx", "npz", "bsp.h5"])
def test_halves_go_out_as_the_same_float32_everywhere(name, suffix, tmp_path):
    weights = np.array([0.1, -1e-3, 3], dtype_of(name))
    layer = rx.Layer("a", rx.Pattern.explicit((3, 2), [0, 2, 3], [0, 2, 1]), weights)
    rx.write(tmp_path / "a.rx.h5", rx.chain([layer]))
    done = rx.convert(tmp_path / "a.rx.h5", tmp_path / f"a.{suffix}")
    assert f"weight type {name} (the same values are written as float32)" in done.losses
    rx.convert(tmp_path / f"a.{suffix}", tmp_path / "b.rx.h5")
    back = rx.read(tmp_path / "b.rx.h5").layers[0].weights
    assert back.dtype == np.float32
    assert back.tolist() == weights.astype(np.float32).tolist()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9))
def test_integers_are_written_exactly(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("x")
    pattern = rx.Pattern.explicit((len(numbers), 1), [0, len(numbers)], range(len(numbers)))
    rx.write(folder / "a.rx.h5", rx.chain([rx.Layer("a", pattern, np.array(numbers, "i8"))]))
    done = rx.convert(folder / "a.rx.h5", folder / "a.mtx")
    assert "weight type int64 (read back as a float)" in done.losses
    assert scipy.io.mmread(folder / "a.mtx").tocsc().data.tolist() == numbers
