"""The CUDA kernels without a GPU: that they compile, and that what they compute is right."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from radixfmt import native

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "radixfmt" / "native"
SOURCES = [NATIVE / "cuda" / "layer.h", NATIVE / "cuda" / "kernels.cu"]

KERNELS = 7


class Program:
    """The kernels as NVRTC sees them."""

    def __init__(self, library):
        self.library = library
        self.handle = ctypes.c_void_p()
        text = b"".join(source.read_bytes() for source in SOURCES)
        made = library.nvrtcCreateProgram(
            ctypes.byref(self.handle), text, b"kernels.cu", 0, None, None
        )
        assert made == 0

    def compile(self, *options):
        given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        code = self.library.nvrtcCompileProgram(self.handle, len(options), given)
        size = ctypes.c_size_t()
        self.library.nvrtcGetProgramLogSize(self.handle, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self.library.nvrtcGetProgramLog(self.handle, log)
        return code, log.value.decode()


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100", "sm_120"])
def test_the_kernels_compile_and_keep_their_sums_in_registers(architecture):
    found = native.nvrtc()
    if found is None:
        pytest.skip("NVRTC is not installed: pip install nvidia-cuda-nvrtc")
    program = Program(ctypes.CDLL(str(found)))
    code, log = program.compile(f"-arch={architecture}", "-std=c++17", "--ptxas-options=-v")
    assert code == 0, log
    used = [line for line in log.splitlines() if "spill" in line]
    assert len(used) == KERNELS
    assert all("0 bytes spill stores" in line for line in used), log


def test_kernels_are_right_on_a_gpu_that_is_emulated(tmp_path):
    compiler = shutil.which("c++") or shutil.which("g++")
    if native.library() is None:
        pytest.skip(native.MISSING)
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C++ compiler to emulate a GPU with")
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-fPIC", "-shared", f"-I{NATIVE}"]
    flags += ["-fsanitize=alignment,bounds", "-fsanitize-undefined-trap-on-error"]
    emulation = tmp_path / "libcuda.so.1"
    subprocess.run([compiler, *flags, HERE / "emulated_gpu.cpp", "-o", emulation], check=True)
    (tmp_path / "libnvrtc.so.13").symlink_to(emulation)
    done = subprocess.run(
        [sys.executable, HERE / "emulated_gpu.py"],
        env=os.environ
        | {
            "LD_LIBRARY_PATH": str(tmp_path),
            "RADIXFMT_EMULATED": str(native.library()),
            "RADIXFMT_EMULATED_GPU": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
