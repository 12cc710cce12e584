"""What the guard reads, what it reads only of trusted files, and what it never loads.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import h5py
import ml_dtypes
import numpy as np
import pytest
from built_files import AT, build, low_level, pipeline

from radixfmt.errors import FormatError
from radixfmt.storage.guard import Guard
from radixfmt.storage.structure import walk


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
