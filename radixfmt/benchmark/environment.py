"""The machine and the software a figure belongs to; nothing that names a person or a host."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from radixfmt.backends.device import cores
from radixfmt.version import __version__

PACKAGES = ("numpy", "scipy", "onnx", "onnxruntime", "onnxruntime-gpu", "openvino", "torch")


def environment() -> dict[str, Any]:
    """Return `{python, radixfmt, packages, os, cpu, cores, memory_bytes, gpus}` as JSON values.

    `cores` are the logical cores this process may use. Unknown values are None, packages that are
    not installed are left out. Nothing is imported to find this out.
    """
    return {
        "python": platform.python_version(),
        "radixfmt": __version__,
        "packages": {name: v for name in PACKAGES if (v := _version(name)) is not None},
        "os": _system(),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": _memory(),
        "gpus": _gpus(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _system() -> str:
    """Return system, version and architecture; own builds of a kernel name who built them."""
    version = re.match(r"[\d.]*\d", platform.release())
    return f"{platform.system()} {version[0] if version else ''} {platform.machine()}"


def _cpu() -> str | None:
    """Return the CPU's name; `platform.processor()` is often empty or a mere "x86_64" on Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or None


def _memory() -> int | None:
    """Return the machine's memory in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _gpus() -> list[str]:
    """Return name, driver and memory of the GPUs that an NVIDIA driver answers for."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []  # installed, and no driver behind it
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
