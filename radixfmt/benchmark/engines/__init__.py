"""Engines, one file per family: a function that makes a network ready to run.

An engine runs in a process of its own. Where an engine has several ways to be set up
(`configs`), the worker tries each and keeps the fastest, so that no engine is a straw man.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from radixfmt.backends.precision import FLOAT32
from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from radixfmt.backends.placement import Placement
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
        precision: of the arithmetic, for the engines that can choose.
    """

    batch: int
    threads: int
    device: str
    precision: str = FLOAT32


class Work(Protocol):
    """Samples in the place where an engine computes."""

    def run(self) -> None:
        """Compute the outputs, to the end."""

    def outputs(self) -> NDArray[Any]:
        """Return the outputs of the last run, in the host's memory."""


class Calls:
    """Samples in the host's memory, for engines that compute there."""

    def __init__(self, function: Callable[[NDArray[Any]], NDArray[Any]], x: NDArray[Any]) -> None:
        self._function, self._x = function, x

    def run(self) -> None:
        """Compute the outputs."""
        self._y = self._function(self._x)

    def outputs(self) -> NDArray[Any]:
        """Return them."""
        return self._y


@dataclass(frozen=True, slots=True)
class Ready:
    """A network ready to run.

    Attributes:
        run: float32 `[batch, …]` → float32 `[batch, …]`.
        provider: what does the work, read back from the runtime.
        lowering: how the layers are expressed; several are joined by "+".
        bind: places samples where they are computed with, for engines that do not compute in the
            host's memory: their runs copy nothing.
        placement: tells which nodes of a model run on which provider, where that can be asked.
    """

    run: Callable[[NDArray[np.float32]], NDArray[Any]]
    provider: str
    lowering: str
    bind: Callable[[NDArray[np.float32]], Work] | None = None
    placement: Callable[[], Placement] | None = None

    def work(self, x: NDArray[np.float32]) -> Work:
        """Return samples ready to be run."""
        return Calls(self.run, x) if self.bind is None else self.bind(x)


class Engine(Protocol):
    """Make `network` ready under one config, timing the phases "lower" and "build"."""

    def __call__(
        self, network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock
    ) -> Ready:
        """Return the network ready to run; `config` is one of the engine's own `configs`."""


engine: Registry[Engine] = Registry("engine", __name__)
"""Registered with the fact `configs`: JSON objects to try, one of which is used; `cuda_configs` in
their place on CUDA."""
