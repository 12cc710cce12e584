"""Input samples as every runner takes them, and the tiles in which it runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

THIRD = 8
"""Samples of each kind that `probes` makes."""


def checked(x: Any, width: int | None, dtype: np.dtype[Any], *, rank: int = 2) -> NDArray[Any]:
    """Return `x` as an array of `dtype` with `rank` axes and `width` values in the last one.

    Raises:
        InputError: another rank or width, or values that are not real numbers.
    """
    samples = np.asarray(x)
    if samples.dtype.kind not in "biuf":
        raise InputError(
            f"input: expected numbers, got dtype {samples.dtype}",
            hint="complex, text and object arrays cannot be run",
        )
    if samples.ndim != rank:
        raise InputError(
            f"input: expected {rank} axes, rows first, got shape {samples.shape}",
            hint="one sample x is x[None, :]" if samples.ndim == rank - 1 else None,
        )
    if width is not None and samples.shape[-1] != width:
        raise InputError(f"input: expected n_in = {width} values per row, got {samples.shape[-1]}")
    return np.ascontiguousarray(samples, dtype).reshape(samples.shape)  # it makes scalars [1]


def probes(width: int, dtype: np.dtype[Any], seed: int = 0) -> NDArray[Any]:
    """Return `[24, width]` samples that a comparison should run, the same ones for the same seed.

    A third dense, uniform in [0, 1); a third zeros and ones, 2 % to 50 % of them ones, as networks
    that saturate tell apart; a third dense and small. Whole numbers and float16 keep what they can.
    """
    rng = np.random.default_rng(seed)
    dense, small = rng.random((THIRD, width)), rng.random((THIRD, width))
    sparse = rng.random((THIRD, width)) < np.geomspace(0.02, 0.5, THIRD)[:, None]
    if width:
        sparse[np.arange(THIRD), rng.integers(width, size=THIRD)] = True  # none is all zeros
    small *= np.geomspace(1e-3, 0.1, THIRD)[:, None]
    return np.concatenate([dense, sparse, small]).astype(dtype)


def tiles(rows: int, tile: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of runs of at most `tile` rows."""
    return ((start, min(start + tile, rows)) for start in range(0, rows, tile))
