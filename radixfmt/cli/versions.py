"""What `--version` prints; people paste it into reports."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from radixfmt.version import __version__

LIBRARIES = (
    "numpy", "scipy", "h5py", "onnx", "onnxruntime", "onnxruntime-gpu", "torch", "click",
)  # fmt: skip


def versions(*, verbose: bool) -> str:
    """Return the versions of the package, the format and, if verbose, the libraries."""
    lines = [f"radixfmt {__version__}"]
    if verbose:
        from radixfmt.native import MISSING, instructions
        from radixfmt.storage.guard import HDF5_VERSION
        from radixfmt.storage.manifest import FORMAT_VERSION

        lines[0] += f" (format {FORMAT_VERSION})"
        lines.append(f"python {sys.version.split()[0]}")
        lines += [f"{name} {_installed(name)}" for name in LIBRARIES]
        lines.append(f"HDF5 {HDF5_VERSION}")
        kernels = instructions()
        lines.append(MISSING if kernels is None else f"compiled operators, {kernels}")
    return "\n".join(lines)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
