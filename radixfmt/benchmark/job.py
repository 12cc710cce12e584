"""What the benchmark asks of a worker, as it travels between the two processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radixfmt.benchmark.engines import Settings


@dataclass(frozen=True, slots=True)
class Job:
    """One engine, one network, one batch size.

    Attributes:
        engine: registered name.
        path: file of the network.
        settings: what every engine of the benchmark is given.
        seed: of the samples.
        outputs: where to leave the outputs of the checked rows, an `.npy` file.
    """

    engine: str
    path: str
    settings: Settings
    seed: int
    outputs: str
