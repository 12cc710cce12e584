"""What one engine did at one batch size."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.precision import FLOAT32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from radixfmt.backends.parity import Parity

PHASES = ("read", "lower", "build", "first", "steady")
"""Reading the file, making the engine's form of it, loading that, the first run, all later runs."""


@dataclass(frozen=True, slots=True, eq=False)
class BenchResult:
    """The measurements of one engine.

    Attributes:
        engine: registered name.
        provider: what did the work, read back from the runtime.
        lowering: how the layers were expressed ("blocked", "dense", "csr", …).
        batch: rows per run.
        threads: threads the engine was given.
        samples: phase of `PHASES` → nanoseconds; a phase an engine lacks is absent. `steady[i]`
            was taken in round i, in which every engine of the benchmark ran once.
        edges: nonzero weights of the network.
        peak_bytes: largest resident memory of the engine's process, None where unknown.
        parity: distance from the float64 reference on some rows of the batch.
        config: what the engine chose for itself (tile, layout, runs per sample), and what it could
            not try.
        precision: of the arithmetic, "float32" unless another was asked for.
        placement: of onnxruntime's engines, provider → operator → nodes, and copies between.
    """

    engine: str
    provider: str
    lowering: str
    batch: int
    threads: int
    samples: Mapping[str, Sequence[int]]
    edges: int
    peak_bytes: int | None
    parity: Parity
    config: Mapping[str, Any] = field(default_factory=dict)
    precision: str = FLOAT32
    placement: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> dict[str, float]:
        """`median`, `min`, `p10`, `p90` of the steady samples, in seconds."""
        steady = np.asarray(self.samples["steady"]) / 1e9
        return {
            "median": float(np.median(steady)),
            "min": float(steady.min()),
            "p10": float(np.percentile(steady, 10)),
            "p90": float(np.percentile(steady, 90)),
        }

    @property
    def edges_per_second(self) -> float:
        """Edges · batch / median steady seconds."""
        return self.edges * self.batch / self.seconds["median"]

    def speedup(self, other: BenchResult) -> float:
        """Return how many times faster this engine is: the median of the rounds' own ratios.

        Paired rounds share the machine's noise, so this is steadier than a ratio of medians. Both
        results must come from one `bench` call. Of networks of different size, edges are compared.
        """
        pairs = zip(other.samples["steady"], self.samples["steady"], strict=True)
        times = statistics.median(theirs / ours for theirs, ours in pairs)
        return times if self.edges == other.edges else times * self.edges / other.edges

    def as_json(self) -> dict[str, Any]:
        """Return the stable keys of `radixfmt bench --json`, then those beyond them."""
        return {
            "engine": self.engine,
            "provider": self.provider,
            "lowering": self.lowering,
            "batch": self.batch,
            "threads": self.threads,
            "seconds": self.seconds,
            "samples": {phase: list(taken) for phase, taken in self.samples.items()},
            "edges_per_second": self.edges_per_second,
            "peak_bytes": self.peak_bytes,
            "parity": {"max_abs": self.parity.max_abs, "max_rel": self.parity.max_rel},
            "edges": self.edges,
            "config": dict(self.config),
            "precision": self.precision,
            "placement": self.placement,
        }
