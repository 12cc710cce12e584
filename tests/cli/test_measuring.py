"""`radixfmt measure`, `distance` and `plot`: values in full, tables, pictures, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx
from radixfmt.plots import plot, plot_kind


@pytest.fixture
def files(radixfmt):
    rx.write("radix.rx.h5", rx.generate("radix-net", systems=[[4, 4]]))
    rx.write("fly.rx.h5", rx.generate("butterfly", neurons=16, radix=4))
    rx.write("long.rx.h5", rx.generate("radix-net", systems=[[2, 2, 2]]))
    return radixfmt


def test_one_file_is_told_in_full(files):
    done = files("measure", "radix.rx.h5")
    assert done.code == 0, done.err
    for line in (
        "symmetric              yes",
        "network.gap_ratio      1",
        "edges                  128",
    ):
        assert line in done.out
    assert "score:" not in done.out  # unless it is named
    found = files("measure", "radix.rx.h5", "--measure", "paths", "--json").json["measures"]
    assert list(found) == ["paths"]
    assert found["paths"]["total"] == 256


def test_many_files_are_one_table(files):
    words = ["radix.rx.h5", "fly.rx.h5", "long.rx.h5", "--measure", "paths", "--measure", "density"]
    done = files("measure", *words, "--reference", "radix.rx.h5")
    assert done.code == 0, done.err
    header, *rows = done.out.splitlines()
    assert header.split() == ["evenness", "connected", "edges", "density", "nnstd"]
    assert rows[0].split() == ["radix", "1", "1", "128", "0.25", "0"]
    assert rows[1].split()[:4] == ["fly", "1", "1", "128"]
    assert rows[2].split()[-1] == "-"  # layers of another shape have no distance
    listed = files("measure", *words, "--reference", "radix.rx.h5", "--json").json["files"]
    assert [entry["path"] for entry in listed] == words[:3]
    assert "as many layers" in listed[2]["measures"]["nnstd"]["why"]


def test_a_measure_that_one_file_cannot_have_leaves_the_table_standing(files):
    words = ["radix.rx.h5", "long.rx.h5", "--measure", "paths", "--set", "stop=3"]
    done = files("measure", *words)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].split() == ["radix", "-", "-"]
    alone = files("measure", "radix.rx.h5", "--measure", "paths", "--set", "stop=3")
    assert alone.code == 2
    assert "0 <= start < stop <= 2, got 0 and 3" in alone.err


def test_counts_that_doubles_cannot_hold_are_exact_texts(files):
    files("generate", "graph-challenge", "--neurons", 1024, "--layers", 4000, "-o", "gc.rx.h5")
    done = files("measure", "gc.rx.h5", "--measure", "paths", "--json")
    assert done.code == 0, done.err
    assert int(done.json["measures"]["paths"]["min"]) == 2 ** (5 * 4000 - 10)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--measure", "path"], "Did you mean 'paths'"),
        (["--measure", "score", "--set", "stps=3"], "Did you mean 'steps'"),
        (["--set", "start"], "OPTION=VALUE"),
        (["--set", "start=1", "--set", "start=0"], "each once"),
        (["--measure", "score", "--set", "steps=x"], "steps: expected an integer"),
    ],
)
def test_misspelt_options(words, message, files):
    done = files("measure", "radix.rx.h5", *words)
    assert done.code == 2
    assert message in done.err
    assert "defect" not in done.err


def test_two_files_of_one_name_are_told_apart(files, tmp_path):
    (tmp_path / "other").mkdir()
    rx.write("other/fly.rx.h5", rx.generate("butterfly", neurons=16, radix=2))
    done = files("measure", "fly.rx.h5", "other/fly.rx.h5", "--measure", "density")
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == [
        "fly.rx.h5", "other/fly.rx.h5",
    ]  # fmt: skip


def test_distance(files):
    done = files("distance", "radix.rx.h5", "fly.rx.h5", "--json")
    expected = rx.nnstd(rx.read("radix.rx.h5"), rx.read("fly.rx.h5"))
    assert done.json["nnstd"] == expected.distance
    assert done.json["layers"] == list(expected.layers)
    refused = files("distance", "radix.rx.h5", "long.rx.h5")
    assert refused.code == 2
    assert "as many layers" in refused.err


@pytest.mark.parametrize("kind", list(plot_kind))
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_pictures_are_drawn_twice_alike_and_never_over_another(kind, suffix, files, tmp_path):
    words = ["plot", "radix.rx.h5", "fly.rx.h5", "--kind", kind, "--columns", "3"]
    for name in ("a", "b"):
        done = files(*words, "-o", f"{name}.{suffix}")
        assert done.code == 0, done.err
    first = (tmp_path / f"a.{suffix}").read_bytes()
    assert first[:4] == (b"\x89PNG" if suffix == "png" else b"<?xm")
    assert first == (tmp_path / f"b.{suffix}").read_bytes()
    again = files(*words, "-o", f"a.{suffix}")
    assert again.code == 2
    assert "--overwrite" in again.err


def test_spy_shows_each_edge_in_its_place(tmp_path):
    from radixfmt.plots.spy import binned

    rng = np.random.default_rng(0)
    matrix = rng.random((600, 300)) < 0.1
    pattern = rx.Pattern.from_scipy(sp.csc_array(matrix))
    share = binned(pattern)
    assert share.shape == (256, 256)
    rows, columns = np.arange(600) * 256 // 600, np.arange(300) * 256 // 300
    for i, j in ((0, 0), (100, 7), (255, 255)):
        assert share[i, j] == matrix[np.ix_(rows == i, columns == j)].mean()
    full = rx.Pattern.from_scipy(sp.csc_array(np.eye(5)))
    np.testing.assert_array_equal(binned(full), np.eye(5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "spi"}, "Did you mean 'spy'"),
        ({"target": "a.pdf"}, ".png or .svg"),
        ({"layers": [2]}, "layers from 0 to 1, got 2"),
        ({"layers": []}, "at least one"),
        ({"layers": [0.5]}, "got 0.5"),
        ({"columns": 0}, "at least 1"),
    ],
)
def test_pictures_that_cannot_be_drawn(options, message, tmp_path):
    network = rx.generate("radix-net", systems=[[4, 4]])
    settings = {"target": str(tmp_path / "a.png")} | options
    with pytest.raises(rx.RadixfmtError) as error:
        plot({"net": network}, settings.pop("target"), **settings)
    assert message in f"{error.value} {error.value.hint}"
    assert list(tmp_path.iterdir()) == []


def test_a_layer_too_large_to_draw_is_refused_at_once(tmp_path):
    huge = rx.generate("radix-net", systems=[[2] * 37])
    for kind in plot_kind:
        with pytest.raises(rx.RadixfmtError, match="too large to draw|take too long"):
            plot({"huge": huge}, str(tmp_path / "a.png"), kind=kind)
