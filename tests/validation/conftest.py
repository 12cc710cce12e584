"""What the tests of checks share: a good file, and what `validate` finds after a change to it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import h5py
import pytest

import radixfmt as rx

sys.path[:0] = [str(Path(__file__).parent)]  # file_edits

from file_edits import by_code  # noqa: E402  found by the line above


@pytest.fixture(scope="session")
def good(tmp_path_factory, small):
    path = tmp_path_factory.mktemp("good") / "net.rx.h5"
    rx.write(path, small, storage="explicit")
    return path


@pytest.fixture
def edited(good, tmp_path):
    """Return what `validate` finds after a change, by code."""

    def edit(change, source=good, **options):
        path = tmp_path / "edited.rx.h5"
        shutil.copy(source, path)
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            change(file)
        return by_code(rx.validate(path, **options))

    return edit


@pytest.fixture
def written(tmp_path):
    """Return what `validate` finds in a network written as it is, by code."""

    def write(network, **options):
        path = tmp_path / "written.rx.h5"
        rx.write(path, network, overwrite=True, storage="explicit")
        return by_code(rx.validate(path, **options))

    return write
