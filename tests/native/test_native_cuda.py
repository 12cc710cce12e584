"""The CUDA kernels without a GPU: that they compile, and that what they compute is right."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import radixfmt as rx
from radixfmt import native
from radixfmt.native.nodes import linear, model_of
from radixfmt.native.packed import pack

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "radixfmt" / "native"
SOURCES = [NATIVE / "cuda" / n for n in ("layer.h", "samples.cu", "tensor.cu", "kernels.cu")]

KERNELS = 9


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
    assert all(" 0 bytes stack frame, 0 bytes spill stores" in line for line in used), log


def test_the_library_asks_nvrtc_for_the_gpu_at_hand(tmp_path):
    compiler = shutil.which("cc")
    if native.nvrtc() is None or compiler is None:
        pytest.skip("NVRTC or a C compiler is not installed: pip install nvidia-cuda-nvrtc")
    made = tmp_path / "nvrtc.so"
    words = ["-fPIC", "-shared", f'-DRX_CUDA="{NATIVE / "cuda"}"', NATIVE / "nvrtc.c", "-o", made]
    subprocess.run([compiler, *words], check=True)
    library = ctypes.CDLL(str(made))
    library.rx_compile.restype = ctypes.c_char_p
    message = ctypes.create_string_buffer(160)
    library.rx_nvrtc_at(str(native.nvrtc()).encode())
    assert library.rx_compile(90, message).startswith(b"\x7fELF")
    assert b".target sm_" in library.rx_compile(999, message)  # newer than NVRTC
    assert library.rx_compile(20, message) is None
    assert message.value == b"NVRTC: no code for compute capability 20"


@pytest.fixture(scope="module")
def emulation(tmp_path_factory):
    """A folder with the emulation of a GPU."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if native.library() is None:
        pytest.skip(native.MISSING)
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C++ compiler to emulate a GPU with")
    folder = tmp_path_factory.mktemp("gpu")
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-fPIC", "-shared", f"-I{NATIVE}"]
    flags += ["-fsanitize=alignment,bounds", "-fsanitize-undefined-trap-on-error"]
    made = folder / "libcuda.so.1"
    subprocess.run([compiler, *flags, HERE / "emulated_gpu.cpp", "-o", made], check=True)
    (folder / "libnvrtc.so.13").symlink_to(made)
    return folder


def python(*arguments, **environment):
    """Run Python with the operators that the emulation brings to the CPU."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"RADIXFMT_EMULATED": str(native.library())} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_kernels_are_right_on_a_gpu_that_is_emulated(emulation):
    folder = str(emulation)
    script = HERE / "emulated_gpu.py"
    done = python(script, LD_LIBRARY_PATH=folder, RADIXFMT_EMULATED_GPU=folder)
    assert done.returncode == 0, done.stdout + done.stderr


START = """
import sys
import onnxruntime as ort
options = ort.SessionOptions()
options.register_custom_ops_library(sys.argv[1])
ort.InferenceSession(sys.argv[2], options)
"""


def test_without_a_driver_a_session_is_refused(emulation, tmp_path):
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pass
    else:
        pytest.skip("there is a driver")
    layer = rx.Layer("a", rx.Pattern.explicit((2, 1), [0, 1], [1]), np.ones(1, np.float32))
    onnx.save(model_of([linear(pack(layer), "x", "y", "a")], 2, 1), tmp_path / "model.onnx")
    done = python("-c", START, emulation / "libcuda.so.1", tmp_path / "model.onnx")
    assert done.returncode == 1
    assert "CUDA: there is no driver here (libcuda.so.1)" in done.stderr
