"""Ways to run a network, one file each: onnxruntime, and scipy and torch to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Runner(Protocol):
    """A network made ready to run; made from it with keyword options."""

    provider: str
    """What runs it, as the runtime itself names it."""

    def run(self, x: Any) -> NDArray[Any]:
        """Return the outputs of samples `x`, `[B, n_in]` → `[B, n_out]`."""

    def close(self) -> None:
        """Let go of memory and threads."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


backend: Registry[Callable[..., Runner]] = Registry("backend", __name__)
