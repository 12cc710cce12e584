"""Files of one dataset, built as a test says."""

from __future__ import annotations

import h5py
import numpy as np

AT = "layers/000000/values"
V110 = ("v110", "v110")


def build(path, change, libver=V110):
    with h5py.File(path, "w", libver=libver) as file:
        file.create_group("layers/000000")
        change(file)
    return path


def data(*args, **options):
    return lambda f: f.create_dataset(AT, *args, **options)


def low_level(kind=h5py.h5t.STD_U32LE, dims=(4,), *, memory="<u4", settings=None, space=None):
    """A dataset that h5py's upper half would not make."""

    def change(f):
        made = h5py.h5d.create(
            f["layers/000000"].id, b"values", kind, space or h5py.h5s.create_simple(dims), settings
        )
        if memory:
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ones(dims, memory))

    return change


def pipeline(*steps, chunk=(64,)):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk(chunk)
    for step, arguments in steps:
        getattr(settings, step)(*arguments)
    return settings
