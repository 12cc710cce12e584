"""Datasets of strangers: each trick is refused by its code, before it can hurt.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError
from radixfmt.limits import Limits
from radixfmt.storage import guard as guard_module
from radixfmt.storage.guard import Guard
from radixfmt.storage.structure import walk
from radixfmt.storage.superblock import check_superblock

AT = "layers/000000/values"
V110 = ("v110", "v110")


def build(path, change, libver=V110):
    with h5py.File(path, "w", libver=libver) as file:
        file.create_group("layers/000000")
        change(file)
    return path


def data(*args, **options):
    return lambda f: f.create_dataset(AT, *args, **options)


def raw_chunk(raw, *, size=64, mask=0, **options):
    """A dataset of one chunk of `size` bytes that is stored as `raw`."""

    def change(f):
        f["ext/a.b/ballast"] = np.zeros(size // 512, "u1")  # so that the file could hold it
        made = f.create_dataset(AT, (size // 4,), "<u4", chunks=(size // 4,), **options)
        made.id.write_direct_chunk((0,), raw, filter_mask=mask)

    return change


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


def test_30_a_planted_plugin_is_never_loaded(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to build a plugin")
    canary = tmp_path / "canary"
    source = tmp_path / "trap.c"
    source.write_text(
        "#include <stdio.h>\n__attribute__((constructor)) static void spring(void) "
        f'{{ FILE *f = fopen("{canary}", "w"); if (f) fclose(f); }}\n'
    )
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", plugins / "libtrap.so", source], check=True)

    def change(f):
        settings = pipeline(("set_filter", (40000, 1)))  # optional, or it could not be written
        low_level(dims=(64,), memory=None, settings=settings)(f)
        f[AT].id.write_direct_chunk((0,), bytes(256))

    path = build(tmp_path / "bad.h5", change)
    reading = f"import h5py, sys\nh5py.File(sys.argv[1])['{AT}'][:]"
    guarded = (
        "import sys\nfrom radixfmt.storage.guard import Guard\n"
        f"from radixfmt.storage.structure import walk\nguard = Guard(sys.argv[1])\n"
        "print([finding.code for finding in walk(guard)])\n"
        f"guard.array('/{AT}').read()"
    )
    environment = {**os.environ, "HDF5_PLUGIN_PATH": str(plugins)}
    done = subprocess.run(
        [sys.executable, "-c", guarded, path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RX1013" in done.stdout
    assert "RX1013" in done.stderr
    assert not canary.exists()
    subprocess.run(
        [sys.executable, "-c", reading, path], env=environment, capture_output=True, check=False
    )
    assert canary.exists()  # plain h5py springs the trap


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


def test_45_text_of_variable_length_needs_trust(tmp_path):
    def change(f):
        f["manifest"] = "{}"
        f.attrs["format"] = "radixfmt"

    path = build(tmp_path / "text.h5", change)
    guard = Guard(path)
    with pytest.raises(FormatError, match="RX1031"):
        guard.text("/manifest")
    with pytest.raises(FormatError, match="RX1042"):
        guard.attribute("/", "format")
    guard.close()
    guard = Guard(path, trusted=True)
    assert guard.text("/manifest") == b"{}"
    assert guard.attribute("/", "format") == b"radixfmt"
    assert {f.code for f in walk(guard)} == {"RX1031", "RX1042"}  # trust makes no file valid
    guard.close()


def test_every_type_of_the_format_is_read_bit_for_bit(tmp_path):
    bits = np.arange(256, dtype="<u2") * 257
    bfloat16 = h5py.h5t.IEEE_F16LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_ebias(127)

    def change(f):
        for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
            f[f"layers/000000/{name}"] = np.arange(9).astype(f"<{name}")
        made = h5py.h5d.create(f.id, b"bf16", bfloat16, h5py.h5s.create_simple((256,)))
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, bfloat16)
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(f.id, b"c", bfloat16, h5py.h5s.create_simple((256,)), compact)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, bfloat16)
        f["scalar"], f["empty"] = np.float32(2.5), np.zeros((0,), "<f4")

    guard = Guard(build(tmp_path / "types.h5", change))
    for name in guard.names("/layers/000000"):
        found = guard.array(f"/layers/000000/{name}")[2:5]
        assert (found.dtype, found.tolist()) == (np.dtype(name), [2, 3, 4])
    for name in ("/bf16", "/c"):
        found = guard.array(name)[:]
        assert found.dtype == ml_dtypes.bfloat16
        assert (found.view("<u2") == bits).all()
    assert guard.array("/scalar").read() == 2.5
    assert guard.array("/empty")[:].size == 0
    guard.close()


@pytest.mark.parametrize(
    ("begin", "looks"),
    [
        (b"PK\x03\x04....", "zip"),
        (b"%%MatrixMarket matrix", "MatrixMarket"),
        (b"\x93NUMPY\x01\x00", ".npy"),
        (b"\x08\x0a\x12\x07pytorch", "ONNX"),
        ((16).to_bytes(8, "little") + b'{"a":{}}', "safetensors"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"1\t2\t0.0625\n", "table"),
        (b"Dear reader,\n", "text"),
        (b"PK\x03\x04" + bytes(508) + b"\x89HDF\r\n\x1a\n", "HDF5 file behind 512"),
    ],
)  # fmt: skip
def test_17_other_files_are_recognised(begin, looks, tmp_path):
    (tmp_path / "file").write_bytes(begin)
    with pytest.raises(FormatError) as caught:
        rx.open(tmp_path / "file")
    assert caught.value.code == "RX0101"
    assert looks in str(caught.value)


@pytest.mark.parametrize("at", [24, 40])
def test_8_old_superblocks_are_checked_even_when_trusted(at, tmp_path):
    path = build(tmp_path / "old.h5", lambda f: None, libver="earliest")
    guard = Guard(path, trusted=True)
    assert guard.old
    guard.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + (2**40).to_bytes(8, "little") + whole[at + 8 :])
    with pytest.raises(FormatError, match="RX0105" if at == 24 else "RX0102"):
        Guard(path, trusted=True)
    path.write_bytes(whole)
    with pytest.raises(FormatError, match="RX0106"):
        Guard(path, trusted=True, limits=Limits(file=100))


def test_15_a_file_that_shrinks_while_open_is_said_to(tmp_path):
    path = build(tmp_path / "cut.h5", data(data=np.arange(10**6)))
    guard = Guard(path)
    stored = guard.array(f"/{AT}")
    os.truncate(path, 4096)
    with pytest.raises(FormatError, match="RX0102"):
        stored.read()
    guard.close()


def exchanged(path, other):
    """Another file takes the name."""
    Path(shutil.copy(other, f"{path}.new")).replace(path)


def rewritten(path, other):
    """The same file gets other bytes."""
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("check_superblock", exchanged),
        ("check_superblock", rewritten),
        ("opened", exchanged),
        ("opened", rewritten),
    ],
)
def test_15_what_is_read_is_the_file_that_was_checked(step, change, tmp_path, monkeypatch):
    """It changes behind the check, or between the two openings: then the newer one is checked."""
    path = build(tmp_path / "a.h5", data(data=np.ones(9, "<u4")))
    other = build(tmp_path / "b.h5", data(data=np.full(999, 7, "<u4")))
    real, calls = getattr(guard_module, step), []

    def meanwhile(*args, **options):
        if step == "opened" and not calls:
            change(path, other)
        found = real(*args, **options)
        if step == "check_superblock" and not calls:
            change(path, other)
        calls.append(step)
        return found

    monkeypatch.setattr(guard_module, step, meanwhile)
    guard = Guard(path)
    assert guard.size == other.stat().st_size
    assert guard.array(f"/{AT}").read().tolist() == [7] * 999
    guard.close()


def test_15_a_file_that_never_rests_is_refused_and_let_go(tmp_path, monkeypatch):
    path = build(tmp_path / "a.h5", data(data=np.ones(9, "<u4")))
    files = [build(tmp_path / f"{n}.h5", data(data=np.ones(9 + n, "<u4"))) for n in range(2)]
    calls = []

    def meanwhile(*args, **options):
        found = check_superblock(*args, **options)
        calls.append(found)
        exchanged(path, files[len(calls) % 2])
        return found

    monkeypatch.setattr(guard_module, "check_superblock", meanwhile)
    with pytest.raises(FormatError, match="replaced again and again") as caught:
        Guard(path)
    assert caught.value.code == "RX0105"
    assert len(calls) == guard_module.ATTEMPTS
    held = [entry.readlink() for entry in Path("/proc/self/fd").glob("*") if entry.exists()]
    assert not [name for name in held if str(tmp_path) in str(name)]
