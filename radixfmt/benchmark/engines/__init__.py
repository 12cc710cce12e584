"""Engines, one file per family: a function that makes a network ready to run.

An engine runs in a process of its own. Where an engine has several ways to be set up
(`configs`), the worker tries each and keeps the fastest, so that no engine is a straw man.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

TILE = 256
"""Rows of a tile where an engine tries tiles: activations of a layer then stay in cache."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What every engine of a benchmark is given.

    Attributes:
        batch: rows per run.
        threads: threads to use.
        device: "auto", "cpu" or "cuda".
    """

    batch: int
    threads: int
    device: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A network ready to run.

    Attributes:
        run: float32 `[batch, …]` → float32 `[batch, …]`.
        provider: what does the work, read back from the runtime.
        lowering: how the layers are expressed; several are joined by "+".
    """

    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    provider: str
    lowering: str


class Engine(Protocol):
    """Make `network` ready under one config, timing the phases "lower" and "build"."""

    def __call__(
        self, network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock
    ) -> Ready:
        """Return the network ready to run; `config` is one of the engine's own `configs`."""


engine: Registry[Engine] = Registry("engine", __name__)
"""Registered with the fact `configs`: JSON objects to try, one of which is used."""
