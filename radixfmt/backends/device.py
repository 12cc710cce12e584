"""Which devices are really there; package lists and provider lists do not say."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from radixfmt.errors import DeviceError, MissingDependencyError, ParameterError

DEVICES = ("auto", "cpu", "cuda")

CUDA = "CUDAExecutionProvider"

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

L2_ATTRIBUTE = 38
"""CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE of the driver's interface."""

L2_BYTES = 50_000_000
"""Second-level cache of an H100 or H200, assumed where the driver does not tell."""


def cuda_problem() -> str | None:
    """Return why no CUDA device can be used, or None if the driver reports one.

    Asks the driver itself: onnxruntime-gpu lists the CUDA provider on machines without a GPU.
    """
    try:
        driver = _driver()
    except OSError:
        return f"there is no NVIDIA driver here ({DRIVER} cannot be loaded)"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status:
        return f"the NVIDIA driver answers with error {status}"
    return None if count.value else "the NVIDIA driver reports no device"


def l2_bytes() -> int:
    """Return the size of the first GPU's second-level cache."""
    size, handle = ctypes.c_int(0), ctypes.c_int(0)
    try:
        driver = _driver()
        failed = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(handle), 0)
        failed = failed or driver.cuDeviceGetAttribute(ctypes.byref(size), L2_ATTRIBUTE, handle)
    except OSError:
        return L2_BYTES
    return L2_BYTES if failed or size.value <= 0 else size.value


def _driver() -> Any:
    return ctypes.CDLL(DRIVER)


def resolve(device: str) -> str:
    """Return "cpu" or "cuda" for a device name; "auto" is CUDA wherever a device answers.

    Raises:
        ParameterError: another name.
        DeviceError: "cuda" where there is none.
    """
    if device not in DEVICES:
        raise ParameterError(f"device: expected {', '.join(DEVICES)}, got {device!r}")
    if device == "cpu":
        return "cpu"
    problem = cuda_problem() or _build_problem()
    if device == "auto":
        return "cpu" if problem else "cuda"
    if problem:
        raise DeviceError(f"device cuda: {problem}", hint="use --device cpu")
    return "cuda"


def onnxruntime() -> Any:
    """Return onnxruntime, quiet.

    Raises:
        MissingDependencyError: it is not installed, or twice, one build over the other.
    """
    builds = [name for name in ("onnxruntime", "onnxruntime-gpu") if _installed(name)]
    if len(builds) == 2:
        raise MissingDependencyError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files",
            hint="pip uninstall -y onnxruntime onnxruntime-gpu, then one of: "
            "pip install 'radixfmt[cpu]' or pip install 'radixfmt[gpu]'",
        )
    try:
        import onnxruntime as runtime
    except ImportError as error:
        raise MissingDependencyError(
            f"onnxruntime cannot be imported: {error}",
            hint="pip install 'radixfmt[cpu]', or 'radixfmt[gpu]' with an NVIDIA GPU",
        ) from None
    runtime.set_default_logger_severity(3)  # errors only: what matters is raised
    return runtime


def _build_problem() -> str | None:
    if CUDA in onnxruntime().get_available_providers():
        return None
    return "this build of onnxruntime has no CUDA provider (install 'radixfmt[gpu]' instead)"


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; a container's share is smaller than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
