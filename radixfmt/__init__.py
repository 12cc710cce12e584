"""radixfmt: the interchange format for sparse neural networks, and its road to ONNX.

The public names are listed here and loaded on first use, so that `import radixfmt` is quick and
brings in no optional package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from radixfmt.version import __version__

if TYPE_CHECKING:
    from radixfmt import nn
    from radixfmt.backends.ort import Session
    from radixfmt.benchmark import bench
    from radixfmt.benchmark.result import BenchResult
    from radixfmt.comparison import Difference, diff
    from radixfmt.converters import convert
    from radixfmt.converters.onnx import from_onnx
    from radixfmt.converters.torch import from_torch
    from radixfmt.errors import RadixfmtError
    from radixfmt.export import to_onnx
    from radixfmt.findings import Finding
    from radixfmt.limits import Limits
    from radixfmt.measures import measure
    from radixfmt.measures.nnstd import NnstdResult, nnstd
    from radixfmt.model.graph import Node, Value
    from radixfmt.model.layer import ConvGeometry, Layer, Quantized
    from radixfmt.model.metadata import Metadata
    from radixfmt.model.network import Network, chain
    from radixfmt.model.pattern import Pattern
    from radixfmt.nn.network import to_torch
    from radixfmt.pruning import prune
    from radixfmt.storage.reader import open, read  # noqa: A004
    from radixfmt.storage.writer import Writer, write
    from radixfmt.topologies import generate
    from radixfmt.validation import Report, validate

_HOMES = {
    "BenchResult": "benchmark.result",
    "ConvGeometry": "model.layer",
    "Difference": "comparison",
    "Finding": "findings",
    "Layer": "model.layer",
    "Limits": "limits",
    "Metadata": "model.metadata",
    "Network": "model.network",
    "NnstdResult": "measures.nnstd",
    "Node": "model.graph",
    "Pattern": "model.pattern",
    "Quantized": "model.layer",
    "RadixfmtError": "errors",
    "Report": "validation",
    "Session": "backends.ort",
    "Value": "model.graph",
    "Writer": "storage.writer",
    "bench": "benchmark",
    "chain": "model.network",
    "convert": "converters",
    "diff": "comparison",
    "from_onnx": "converters.onnx",
    "from_torch": "converters.torch",
    "generate": "topologies",
    "measure": "measures",
    "nn": "nn",
    "nnstd": "measures.nnstd",
    "open": "storage.reader",
    "prune": "pruning",
    "read": "storage.reader",
    "to_onnx": "export",
    "to_torch": "nn.network",
    "validate": "validation",
    "write": "storage.writer",
}

__all__ = [
    "BenchResult", "ConvGeometry", "Difference", "Finding", "Layer", "Limits", "Metadata",
    "Network", "NnstdResult", "Node", "Pattern", "Quantized", "RadixfmtError", "Report", "Session",
    "Value", "Writer", "__version__", "bench", "chain", "convert", "diff", "from_onnx",
    "from_torch", "generate", "measure", "nn", "nnstd", "open", "prune", "read", "to_onnx",
    "to_torch", "validate", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'radixfmt' has no attribute {name!r}")
    home = importlib.import_module(f"radixfmt.{_HOMES[name]}")
    value = home if name == _HOMES[name] else getattr(home, name)  # `nn` is a package
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
