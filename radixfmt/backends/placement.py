"""Where the nodes of a model really ran: read from onnxruntime's own profile."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.runtime import ELEMENTS, start
from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx

KERNEL = "_kernel_time"
"""End of the names of the events that are nodes."""

COPY = "Memcpy"
"""Start of the names of the operators that onnxruntime adds between two devices."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What ran where.

    Attributes:
        nodes: provider → operator → how many nodes, of the graph as onnxruntime fused it.
        copies: nodes that only move a tensor from one device to another.
    """

    nodes: Mapping[str, Mapping[str, int]]
    copies: int

    def all_on(self, provider: str) -> bool:
        """Return whether every node ran on this provider, and nothing was copied between two."""
        return set(self.nodes) == {provider} and not self.copies

    def as_json(self) -> dict[str, Any]:
        """Return `{nodes, copies}`."""
        return {"nodes": {p: dict(ops) for p, ops in self.nodes.items()}, "copies": self.copies}


def placement(
    model: bytes | str | onnx.ModelProto, kind: str, *, rows: int = 2, **options: Any
) -> Placement:
    """Run a model once in a session of its own that keeps a profile, and return what ran where.

    Args:
        model: as `runtime.loadable` returns it, of one input.
        kind: "cpu" or "cuda".
        rows: samples, all zeros.
        options: of `runtime.start`.

    Raises:
        DeviceError: CUDA cannot run it.
        UnsupportedError: onnxruntime refuses the model or fails on zeros.
    """
    with TemporaryDirectory(prefix="radixfmt-profile-") as folder:
        session = start(model, kind, profile=Path(folder) / "profile", **options)
        [value, *more] = session.get_inputs()
        if more or value.type not in ELEMENTS:
            raise UnsupportedError("placement: expected a model of one input of numbers")
        # what is open is the batch, or a size for which any will do
        shape = [size if isinstance(size, int) else rows for size in value.shape]
        try:
            session.run(None, {value.name: np.zeros(shape, ELEMENTS[value.type])})
        except Exception as error:  # onnxruntime's own exceptions share no base but this one
            raise UnsupportedError(f"onnxruntime fails on zeros: {error}") from error
        written = session.end_profiling()
        return parsed(json.loads(Path(written).read_text(encoding="utf-8")))


def parsed(events: Iterable[Mapping[str, Any]]) -> Placement:
    """Return the placement that a profile tells of; each node counts once, however often it ran."""
    seen: dict[str, tuple[str, str]] = {}
    for event in events:
        name, told = str(event.get("name", "")), event.get("args", {})
        if name.endswith(KERNEL) and "provider" in told:
            seen[name] = (str(told["provider"]), str(told.get("op_name", "")))
    counts: dict[str, Counter[str]] = {}
    for provider, op in sorted(seen.values()):
        counts.setdefault(provider, Counter())[op] += 1
    copies = sum(op.startswith(COPY) for _, op in seen.values())
    return Placement({provider: dict(ops) for provider, ops in counts.items()}, copies)
