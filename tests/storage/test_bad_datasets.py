"""Datasets of strangers: each trick is refused by its code, before it can hurt.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from built_files import AT, build, data, low_level, pipeline

from radixfmt.errors import FormatError
from radixfmt.storage.guard import Guard
from radixfmt.storage.structure import walk


def raw_chunk(raw, *, size=64, mask=0, **options):
    """A dataset of one chunk of `size` bytes that is stored as `raw`."""

    def change(f):
        f["ext/a.b/ballast"] = np.zeros(size // 512, "u1")  # so that the file could hold it
        made = f.create_dataset(AT, (size // 4,), "<u4", chunks=(size // 4,), **options)
        made.id.write_direct_chunk((0,), raw, filter_mask=mask)

    return change


def odd_integer():
    kind = h5py.h5t.STD_U32LE.copy()
    kind.set_precision(24)
    kind.set_offset(3)
    return kind


def committed(f):
    h5py.h5t.STD_U32LE.copy().commit(f.id, b"kind")
    kind = h5py.h5t.open(f.id, b"kind")
    low_level(kind)(f)


def half_the_chunks(f, **options):
    made = f.create_dataset(AT, (1024,), "<u4", chunks=(64,), compression=1, **options)
    made[:512] = 1


def virtual(source):
    def change(f):
        if source:
            f["layers/000000/other"] = np.ones(4, "<u4")
        layout = h5py.VirtualLayout((4,), "<u4")
        layout[:] = h5py.VirtualSource("." if source else "missing.h5", "layers/000000/other", (4,))
        f.create_virtual_dataset(AT, layout)

    return change


def bomb(f):
    made = f.create_dataset(AT, (256,), "<u4", chunks=(256,), compression=1)
    made.id.write_direct_chunk((0,), zlib.compress(bytes(1 << 30), 1))


SHORT = b"\x78\x9c\x63"
BAD = {
    "18-external-storage": (data((9,), "<u4", external=[("/etc/passwd", 0, 36)]), "RX1011"),
    "25-virtual-with-source": (virtual(source=True), "RX1012"),
    "26-virtual-without-source": (virtual(source=False), "RX1012"),
    "31-lzf": (data(data=np.ones(99, "<u4"), compression="lzf"), "RX1013"),
    "31-scale-offset": (data(data=np.ones(99, "<u4"), scaleoffset=2), "RX1013"),
    "31-n-bit": (low_level(odd_integer(), (64,),
                           settings=pipeline(("set_filter", (h5py.h5z.FILTER_NBIT,)))), "RX1032"),
    "31-zstd": (low_level(memory=None, dims=(64,),
                          settings=pipeline(("set_filter", (32015, 1, (3,))))), "RX1013"),
    "31-order": (low_level(dims=(64,), settings=pipeline(("set_deflate", (1,)),
                                                         ("set_shuffle", ()))), "RX1013"),
    "32-mask": (raw_chunk(bytes(64), mask=1, compression=1), "RX1021"),
    **{
        f"34-three-bytes-for-{size}": (raw_chunk(SHORT, size=size, compression=1), "RX1017")
        for size in (64, 4 << 10, 256 << 10, 1 << 20, 4 << 20)
    },
    "34-shuffle-alone": (raw_chunk(SHORT, shuffle=True), "RX1017"),
    "35-tail": (raw_chunk(zlib.compress(bytes(64)) + b"0123456789", compression=1), "RX1017"),
    "36-flip": (raw_chunk(b"\x78\x9c\xff\xff\xff", compression=1), "RX1018"),
    "37-checksum": (raw_chunk(bytes(64) + b"abcd", fletcher32=True), "RX1019"),
    "37-two-bytes": (raw_chunk(b"ab", fletcher32=True), "RX1017"),
    "38-four-tebibytes": (data((2**40,), "<f4", chunks=(2**20,), compression=1), "RX1020"),
    "38-contiguous": (low_level(dims=(2**20,), memory=None), "RX1020"),
    "38-unallocated": (low_level(dims=(4,), memory=None), "RX1015"),
    "39-large-chunk": (data((2**30,), "u1", chunks=(2**31 - 1,), maxshape=(None,)), "RX1014"),
    "39-large-chunk-fixed": (data((2**25,), "u1", chunks=(2**25,), compression=1), "RX1014"),
    "41-half-the-chunks": (half_the_chunks, "RX1015"),
    "42-fill-value": (lambda f: half_the_chunks(f, fillvalue=7), "RX1023"),
    "43-unlimited": (data(data=np.ones(9, "<u4"), maxshape=(None,), chunks=(9,)), "RX1022"),
    "46-compound": (data(data=np.zeros(3, [("a", "<u4")])), "RX1031"),
    "46-enum": (data(data=np.array([True, False])), "RX1031"),
    "46-opaque": (data(data=np.ones(3, ml_dtypes.bfloat16)), "RX1031"),
    "46-reference": (lambda f: f.create_dataset(AT, data=f.ref, dtype=h5py.ref_dtype), "RX1031"),
    "46-array": (data((3,), np.dtype(("<u4", (2,)))), "RX1031"),
    "46-sequences": (data((3,), h5py.vlen_dtype("<u4")), "RX1031"),
    "46-committed": (committed, "RX1031"),
    "47-big-endian": (data(data=np.ones(4, ">u8")), "RX1032"),
    "48-odd-bits": (low_level(odd_integer()), "RX1032"),
    "49-null": (lambda f: f.create_dataset(AT, data=h5py.Empty("<u4")), "RX1033"),
    "50-rank-2": (data(data=np.ones((2, 2), "<u4")), "RX1033"),
    "50-rank-32": (data(data=np.ones((1,) * 32, "<u4")), "RX1033"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_dataset_is_refused_by_its_code(name, tmp_path):
    change, code = BAD[name]
    guard = Guard(build(tmp_path / "bad.h5", change))
    with pytest.raises(FormatError) as caught:
        guard.array(f"/{AT}").read()
    assert caught.value.code == code
    assert f"{tmp_path / 'bad.h5'}:/{AT}: {code}" in str(caught.value)
    if not name.startswith(("34", "35", "36", "37")):  # those need reading
        assert (code, f"/{AT}") in {(f.code, f.path) for f in walk(guard)}
    guard.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_33_a_lying_chunk_does_not_fill_the_memory(tmp_path):
    path = build(tmp_path / "bomb.h5", bomb)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from radixfmt.errors import FormatError\n"
        "from radixfmt.storage.guard import Guard\n"
        "try:\n"
        f"    Guard(sys.argv[1]).array('/{AT}').read()\n"
        "except FormatError as error:\n"
        "    status = Path('/proc/self/status').read_text()\n"  # ru_maxrss outlives exec
        "    print(error.code, status.partition('VmHWM:')[2].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    code, peak = done.stdout.split()
    assert code == "RX1016"
    assert int(peak) < 300 << 10  # KiB


def test_40_datasets_may_not_declare_more_together_than_the_file_can_hold(tmp_path):
    def many(f):
        for i in range(200):
            f.create_dataset(f"ext/a.b/{i:03d}", (2**20,), "u1", chunks=(2**20,), compression=9)
            f[f"ext/a.b/{i:03d}"].id.write_direct_chunk((0,), zlib.compress(b"", 9))

    path = build(tmp_path / "many.h5", many)
    guard = Guard(path)
    codes = [finding.code for finding in walk(guard)]
    assert 0 < codes.count("RX1020") < 200  # the first ones are within the bound
    guard.close()
