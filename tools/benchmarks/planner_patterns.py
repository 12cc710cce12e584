"""The patterns that the planner is judged by: what generators make, what chance makes, shuffled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import radixfmt as rx

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

    Masks = Callable[[np.random.Generator], NDArray[np.bool_]]

LAYERS = 4
"""Layers of every stack, so that the turns at its ends count as in real use."""


def stack(masks: Masks) -> Network:
    """Return a stack of drawn layers, boolean W `[n_in, n_out]` each, with He weights and Relu."""
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    return _weighted([rx.Pattern.from_scipy(sp.csc_array(masks(rng))) for _ in range(LAYERS)], rng)


def family(name: str, *, first: int = 0, shuffled: bool = False, **parameters: Any) -> Network:
    """Return a stack of layers of a generated family, neurons relabelled at random if asked."""
    layers = rx.generate(name, **parameters).layers
    rng = np.random.default_rng(0)
    patterns = [layers[(first + i) % len(layers)].pattern for i in range(LAYERS)]
    return _weighted([_shuffled(p, rng) for p in patterns] if shuffled else patterns, rng)


def _weighted(patterns: list[Pattern], rng: np.random.Generator) -> Network:
    layers = []
    for i, pattern in enumerate(patterns):
        scale = np.sqrt(2 / max(1.0, pattern.nnz / max(1, pattern.shape[1])))
        weights = (scale * rng.standard_normal(pattern.nnz)).astype(np.float32)
        layers.append(rx.Layer(f"layer{i}", pattern, weights))
    return rx.chain(layers, activation="Relu")


def _shuffled(pattern: Pattern, rng: np.random.Generator) -> Pattern:
    n_in, n_out = pattern.shape
    matrix = pattern.to_scipy()[rng.permutation(n_in)][:, rng.permutation(n_out)]
    return rx.Pattern.from_scipy(matrix)


def _uniform(neurons: int, density: float) -> Masks:
    return lambda rng: rng.random((neurons, neurons)) < density


def _power_law(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return layers whose fan-in falls off as a power, from all 1024 inputs down to 8."""
    fan_in = np.minimum(1024, 8 / rng.random(1024) ** 0.7).astype(int)
    return rng.permuted(np.arange(1024)[:, None] < fan_in, axis=0)


def _full_rows(rng: np.random.Generator) -> NDArray[np.bool_]:
    mask = rng.random((1024, 1024)) < 0.01
    mask[:, rng.permutation(1024)[:40]] = True
    return mask


def _near(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return blocks of 32, shuffled, in which one edge in twelve is missing."""
    mask = np.kron(np.eye(32, dtype=bool), rng.random((32, 32)) < 2)
    mask &= rng.random(mask.shape) < 11 / 12
    return mask[rng.permutation(1024)][:, rng.permutation(1024)]


def _uneven(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return blocks of 8 to 64 neurons, shuffled."""
    block = np.repeat(np.arange(1024), rng.integers(8, 65, 1024))[:1024]
    mask = block[:, None] == block
    return mask[rng.permutation(1024)][:, rng.permutation(1024)]


def _half_empty(rng: np.random.Generator) -> NDArray[np.bool_]:
    mask = rng.random((1024, 1024)) < 0.02
    mask[:, rng.random(1024) < 0.5] = False
    return mask


def _permutation(rng: np.random.Generator) -> NDArray[np.bool_]:
    mask = np.zeros((1024, 1024), bool)
    mask[np.arange(1024), rng.permutation(1024)] = True
    return mask


_KRON = {"systems": [[2] * 6], "widths": [16] * 7}
_BLOCKS = {"widths": [1024] * 5, "blocks": 32}
_SPARSE_BLOCKS = {"widths": [1024] * 5, "block": 16, "density": 0.03}

PATTERNS: dict[str, Callable[[], Network]] = {
    "uniform 50 %": partial(stack, _uniform(1024, 0.5)),
    "uniform 10 %": partial(stack, _uniform(1024, 0.1)),
    "uniform 3 %": partial(stack, _uniform(1024, 0.03)),
    "uniform 1 %": partial(stack, _uniform(1024, 0.01)),
    "uniform 0.3 %": partial(stack, _uniform(1024, 0.003)),
    "uniform 10 %, 256": partial(stack, _uniform(256, 0.1)),
    "uniform 1 %, 2048": partial(stack, _uniform(2048, 0.01)),
    "dense 64": partial(stack, _uniform(64, 2)),
    "dense 512": partial(stack, _uniform(512, 2)),
    "radix-net 16 x 64": partial(family, "radix-net", **_KRON),
    "radix-net 16 x 64, shuffled": partial(family, "radix-net", shuffled=True, **_KRON),
    "radix-net 16 x 16": partial(family, "radix-net", systems=[[2] * 4], widths=[16] * 5),
    "radix-net 16 x 128": partial(family, "radix-net", systems=[[2] * 7], widths=[16] * 8),
    "radix-net [32, 32]": partial(family, "radix-net", systems=[[32, 32]]),
    "radix-net [32, 32], shuffled": partial(family, "radix-net", systems=[[32, 32]], shuffled=True),
    "radix-net [10, 10, 10]": partial(family, "radix-net", systems=[[10, 10, 10]]),
    "radix-net [4, 4, 4, 4], shuffled": partial(
        family, "radix-net", systems=[[4] * 4], shuffled=True
    ),
    "graph-challenge 1024": partial(family, "graph-challenge", neurons=1024, layers=12, first=8),
    "block-diagonal 32": partial(family, "block-diagonal", **_BLOCKS),
    "block-diagonal 32, shuffled": partial(family, "block-diagonal", shuffled=True, **_BLOCKS),
    "blocks of 8 to 64, shuffled": partial(stack, _uneven),
    "blocks of 32 with holes, shuffled": partial(stack, _near),
    "block-sparse 16, 3 %": partial(family, "block-sparse", **_SPARSE_BLOCKS),
    "block-sparse 16, 3 %, shuffled": partial(
        family, "block-sparse", shuffled=True, **_SPARSE_BLOCKS
    ),
    "block-sparse 8, 10 %": partial(
        family, "block-sparse", widths=[1024] * 5, block=8, density=0.1
    ),
    "butterfly 1024": partial(family, "butterfly", neurons=1024),
    "pixelfly 1024": partial(family, "pixelfly", widths=[1024] * 5, block=32),
    "monarch 32 x 32": partial(family, "monarch", factors=[32, 32]),
    "random-regular 32": partial(family, "random-regular", widths=[1024] * 5, degree=32),
    "random-regular 8": partial(family, "random-regular", widths=[1024] * 5, degree=8),
    "small-world 32": partial(family, "small-world", widths=[1024] * 5, degree=32, rewire=0.05),
    "power-law fan-in": partial(stack, _power_law),
    "1 % and 40 full rows": partial(stack, _full_rows),
    "half the outputs empty": partial(stack, _half_empty),
    "permutation 1024": partial(stack, _permutation),
}
"""Name → a stack of `LAYERS` layers."""
