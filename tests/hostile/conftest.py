"""What all hostile inputs share: good files to break, a way to break them, and the judge."""

from __future__ import annotations

import json
import shutil

import h5py
import ml_dtypes
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.codes import CODES
from radixfmt.errors import FormatError
from radixfmt.limits import Limits
from radixfmt.model.canonical import canonical_json
from radixfmt.validation import Isolated, Options

LIMITS = Limits(memory=300 << 20, cpu=2, wall=60)
"""What one hostile file may cost; `wall` is generous, as shared machines stall."""

READABLE = ("RX8", "RX7004", "RX4009")
"""Errors that are `validate`'s business alone: whoever opens such a file gets sound arrays."""


class Edited:
    """A file that is being broken: an `h5py.File` and short ways to change what is in it."""

    def __init__(self, file: h5py.File) -> None:
        self.file = file

    def replace(self, path, data=None, **options):
        """Put another dataset in place of the one at `path`, or in a free place."""
        if path in self.file:
            del self.file[path]
        return self.file.create_dataset(path, data=data, **options)

    def change(self, path, change):
        """Replace a dataset by what `change` makes of its elements."""
        self.replace(path, change(self.file[path][:]))

    def attribute(self, name, value, path="/"):
        """Set a text attribute."""
        self.file[path].attrs.create(name, self._text(value.encode()))

    def raw_manifest(self, data: bytes):
        """Put these bytes in place of the manifest."""
        self.replace("/manifest", self._text(data))

    def manifest(self, change):
        """Rewrite the manifest after `change` was made to its object."""
        value = json.loads(self.file["manifest"][()])
        change(value)
        self.raw_manifest(canonical_json(value).encode())

    def header(self, change, i=1, name="layer"):
        """Rewrite the JSON of a layer after `change` was made to it."""
        path = f"/layers/{i:06d}"
        value = json.loads(self.file[path].attrs[name])
        change(value)
        self.attribute(name, canonical_json(value), path)

    @staticmethod
    def _text(data: bytes):
        return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))


@pytest.fixture(scope="session")
def bases(tmp_path_factory, small):
    """The sound files that hostile ones are made of, by name."""
    folder = tmp_path_factory.mktemp("bases")
    half = rx.Pattern.explicit((2, 2), [0, 1, 3], [1, 0, 1])
    networks = {
        "procedural": small,
        "explicit": small,
        "bfloat16": rx.chain([rx.Layer("b", half, np.array([1, 2, 3], ml_dtypes.bfloat16))]),
    }
    found = {name: folder / f"{name}.rx.h5" for name in networks}
    for name, network in networks.items():
        rx.write(found[name], network, storage="procedural" if name == "procedural" else "explicit")
    return found


@pytest.fixture
def edited(bases, tmp_path):
    """Return the path of a copy of a sound file to which `change` was done."""

    def edit(base, change):
        path = tmp_path / "hostile.rx.h5"
        shutil.copy(bases[base], path)
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            change(Edited(file))
        return path

    return edit


@pytest.fixture(scope="session")
def worker():
    """The one process in which all hostile files are validated."""
    with Isolated() as found:
        yield found


@pytest.fixture
def judge(worker):
    """Return a function that asserts what is found in a file and what opening it gives.

    `codes` are all errors and warnings that validate has to report, and infos that it has to
    report among others. A file with errors that are not `READABLE` must not open unless it `opens`.
    The function returns the report.
    """

    def validate(path, codes, *, opens=False):
        report = worker.validate(path, Options(limits=LIMITS))
        found = {finding.code for finding in report.findings}
        serious = {code for code in found if CODES[code].severity != "info"}
        assert codes <= found, report
        assert serious <= codes, report
        errors = {code for code in codes if CODES[code].severity == "error"}
        assert report.ok == (not errors)
        for finding in report.findings:
            assert len(str(finding)) < 1000
            assert finding.advice
        if opens or all(code.startswith(READABLE) for code in errors):
            read_everything(path)
        else:
            with pytest.raises(FormatError) as caught:
                read_everything(path)
            assert str(caught.value).startswith(f"{path}:"), caught.value
            assert caught.value.hint
        return report

    return validate


@pytest.fixture
def reading():
    """Return `read_everything`."""
    return read_everything


def read_everything(path):
    """Open a file and read all of it; assert that no number could lead a user astray."""
    with rx.open(path) as network:
        for layer in network.layers:
            n_in, n_out = layer.pattern.shape
            pointers, indices = layer.pattern.columns(0, n_out)
            assert pointers[0] == 0
            assert pointers[-1] == indices.size == layer.pattern.nnz
            assert (np.diff(pointers) >= 0).all()
            assert indices.size == 0 or (indices.min() >= 0 and indices.max() < n_in)
            if layer.weights is not None:
                assert np.broadcast_to(layer.weights[:], (layer.pattern.nnz,)).size == indices.size
