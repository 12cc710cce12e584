"""Sparse operators of the domain `ai.radixfmt` for onnxruntime, compiled; optional.

Models that use these operators hold their definition in standard operators as well, so they run
anywhere. Where this library is registered, its kernels take the place of that definition:

    options = onnxruntime.SessionOptions()
    radixfmt.native.register(options)
    session = onnxruntime.InferenceSession("model.onnx", options)

The library has kernels for CPUs and for CUDA. The latter are compiled by NVRTC when a session asks
for CUDA; they have run on an emulated GPU, not on a real one yet. They compute in float32 unless a
session asks for TF32.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DOMAIN = "ai.radixfmt"
VERSION = 1
OPSET = 21
"""Of the standard operators that definitions are made of."""

TF32 = "ai.radixfmt.tf32"
"""Session configuration entry in which "1" lets CUDA round factors; see `register`."""

REGISTERED = "ai.radixfmt.registered"
"""Marks options: onnxruntime refuses sessions in which a domain is registered twice."""

MISSING = (
    "the compiled operators are not installed: models with sparse operators run as standard ones. "
    "Install a C compiler, then radixfmt again"
)
"""What to say where `library` returns None."""


@cache
def library() -> Path | None:
    """Return the compiled library, or None where radixfmt was installed without one."""
    found = find_spec("radixfmt.native._library")
    return Path(found.origin) if found is not None and found.origin else None


def register(options: Any, *, tf32: bool = False) -> bool:
    """Let sessions made with these options compute sparse operators by compiled kernels.

    Args:
        options: an `onnxruntime.SessionOptions`; a second call with the same does nothing, nor does
            it change `tf32`.
        tf32: let CUDA's tensor cores round the factors of products to 10 bits of mantissa, an error
            of about 1e-3 relative; elsewhere this changes nothing.

    Returns:
        Whether there is a library to register; without it, models run by their own definitions.
    """
    path = library()
    if path is None:
        return False
    try:
        options.get_session_config_entry(REGISTERED)
    except RuntimeError:  # no such entry: not yet
        compiler = nvrtc()
        if compiler is not None:
            ctypes.CDLL(str(path)).rx_nvrtc_at(str(compiler).encode())
        if tf32:
            options.add_session_config_entry(TF32, "1")
        options.register_custom_ops_library(str(path))
        options.add_session_config_entry(REGISTERED, "1")
    return True


@cache
def nvrtc() -> Path | None:
    """Return NVRTC where pip has put it, or None; it compiles the CUDA kernels at run time."""
    nvidia = find_spec("nvidia")
    folders = (nvidia.submodule_search_locations or []) if nvidia is not None else []
    found = [
        path
        for folder in folders
        for package in ("cu13", "cuda_nvrtc")
        for path in Path(folder, package, "lib").glob("libnvrtc.so.*")
    ]
    return found[0] if found else None


def instructions() -> str | None:
    """Return the instruction set of the kernels, "avx512", "avx2" or "generic"; None: no library.

    RADIXFMT_NATIVE_ISA in the environment asks for a lesser one.
    """
    path = library()
    if path is None:
        return None
    ask = ctypes.CDLL(str(path)).rx_instructions
    ask.restype = ctypes.c_char_p
    return str(ask().decode())
