"""What work costs on a target: the few constants from which the planner estimates seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import hypot
from typing import TYPE_CHECKING, Literal

from radixfmt.errors import InputError, ParameterError, PathError
from radixfmt.files import a_path

if TYPE_CHECKING:
    import os

Target = Literal["cpu", "cuda"]

PLANNING_BATCH = 128
"""Rows assumed where the batch is dynamic: the tile in which `Session` runs 1024 neurons."""

OPEN_BATCHES = (1, 1024)
"""Further batches for which a model of dynamic batch is planned: the worst ratio counts."""

NEIGHBOURS = 4
"""Layers whose weights share the cache, as far as one layer can know."""

PAGE = 4096
"""Bytes of memory within which a processor reads ahead."""

PAGES = 48
"""Pages that it follows at a time, about: with more rows than that, far apart, it stalls."""

ROWS, COLUMNS = 12, 16
"""What onnxruntime multiplies at once: rows of a Gemm, columns of a Conv. A Gemm reads the weights
while it multiplies its first rows, a Conv while it multiplies all columns."""

PANEL, PANEL_COLUMNS = 1 << 14, 128
"""Values, and most columns, of what a Conv packs at a time; further panels add to its results."""

NATIVE_TILE, NATIVE_LEAST = 64, 16
"""Rows for which compiled operators read the weights once, and for which they compute at least."""

LARGEST_FILE = 1 << 16
"""Bytes that are read of a file of costs, which takes a few hundred."""

LARGEST_COST = 1e30
"""Above every rate; a larger one overflows."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Speeds of one target, float32, one CPU core or one GPU.

    Attributes:
        multiply: flop/s of a large matrix product.
        move: byte/s of copying whole rows that stay in cache, read and write both counted (Gather;
            a product's own packing of its inputs).
        cache: bytes of rows, or of weights, up to which the other speeds hold.
        spill: byte/s of moving rows, or of reading weights, beyond that.
        read: byte/s of reading weights, which bounds small batches.
        strain: times as long that beyond the cache it takes to read many rows side by side, a
            little of each, as products and transposes do.
        transpose: byte/s of turning [B, n] into [n, B] or back, counted as `move` is; beyond the
            cache it falls as `move` does, and by `strain`.
        row: seconds per gathered row, however short.
        group: seconds per group of a product.
        node: seconds per graph node.
    """

    multiply: float
    move: float
    cache: float
    spill: float
    read: float
    strain: float
    transpose: float
    row: float
    group: float
    node: float

    def dense(self, n_in: int, n_out: int, batch: int) -> float:
        """Return the seconds of one dense layer on [B, n]: a Gemm."""
        weights, first = n_in * n_out, min(batch, ROWS)
        begun = hypot(self._multiplying(weights, first), self._reading(4 * weights))
        return begun + self._multiplying(weights, batch - first) + self.node

    def dense_turned(self, n_in: int, n_out: int, batch: int) -> float:
        """Return the seconds of one dense layer on [n, B]: a Conv, which takes longer to begin."""
        weights, columns = n_in * n_out, -(-batch // COLUMNS) * COLUMNS
        wide = min(PANEL_COLUMNS, 1 << (columns - 1).bit_length())
        further = max(0, -(-n_in * wide // PANEL) - 1)
        moved = self.moved(n_in * batch) + further * self.moved(n_out * batch)
        busy = hypot(self._multiplying(weights, columns), self._reading(4 * weights))
        return busy + moved + 2 * self.node

    def blocked(self, groups: int, outputs: int, inputs: int, batch: int) -> float:
        """Return the seconds of a Gather and a grouped product of `groups` tiles.

        The rows are moved twice: by Gather, then packed by the product. A tile of few outputs
        therefore cannot reach `multiply`. A single output's row vector needs no packing, and is
        spared the strain.
        """
        rows = groups * inputs
        pages = inputs * 4 * batch / PAGE
        strain = min(self.strain, max(1.0, pages / PAGES)) if outputs > 1 else 1.0
        moved = self.moved(rows * batch) + self.moved(rows * batch, strain)
        more = rows * self.row + groups * self.group + 2 * self.node
        cells = groups * outputs * inputs
        return moved + more + self._multiplying(cells, batch) + self._reading(4 * cells)

    def native(self, work: tuple[float, float], size: int, batch: int) -> float:
        """Return the seconds of one layer made by compiled operators.

        Args:
            work: multiply-adds of a row among others, and of a row alone, with what comes beside
                them counted as such.
            size: bytes of weights and indices, which are read once for several rows.
            batch: rows.
        """
        units = work[1] if batch == 1 else work[0] * max(batch, NATIVE_LEAST)
        reading = max(1.0, batch / NATIVE_TILE) * self._reading(size)
        return hypot(2 * units / self.multiply, reading)

    def join(self, width: int, batch: int) -> float:
        """Return the seconds of putting results of `width` values for each row side by side.

        And of the activation after them, which then no longer fuses with a product.
        """
        return 2 * (self.moved(width * batch) + self.node)

    def turn(self, width: int, batch: int) -> float:
        """Return the seconds of one transpose of `width` values for each row."""
        return self.moved(width * batch, self.strain) * self.move / self.transpose + self.node

    def moved(self, values: int, strain: float = 1.0) -> float:
        """Return the seconds of copying so many values; what does not fit the cache spills.

        Args:
            values: float32.
            strain: times as long for what spills.
        """
        kept = min(1.0, self.cache / (4 * values)) if values else 1.0
        return 8 * values * (kept / self.move + strain * (1 - kept) / self.spill)

    def _multiplying(self, weights: int, batch: int) -> float:
        """Return the seconds of multiplying, without reading the weights."""
        return 2 * weights * batch / self.multiply

    def _reading(self, size: int) -> float:
        """Return the seconds of reading so many bytes of weights."""
        kept = min(1.0, self.cache / (NEIGHBOURS * size)) if size else 1.0
        return size * (kept / self.read + (1 - kept) / self.spill)


COSTS: dict[str, Costs] = {
    # One core of a Xeon with AVX-512 and 2 MiB of second-level cache, onnxruntime 1.31.1: fitted
    # to networks of four layers, of 35 patterns at batches of 1 to 1024, in tiles of several sizes
    "cpu": Costs(
        multiply=138e9,
        move=83e9,
        cache=1.05e6,
        spill=23.6e9,
        read=75e9,
        strain=2.5,
        transpose=22e9,
        row=4.0e-9,
        group=50e-9,
        node=0.81e-6,
    ),
    # Not measured: an H200 data sheet's float32 rate and memory bandwidth, derated by a quarter.
    "cuda": Costs(
        multiply=50e12,
        move=3.2e12,
        cache=40e6,
        spill=3.2e12,
        read=3.2e12,
        strain=1.0,
        transpose=1.6e12,
        row=0.0,
        group=0.0,
        node=4e-6,
    ),
}


def costs_of(target: str, path: str | os.PathLike[str] | None = None) -> Costs:
    """Return the constants of `target`: those built in, or the calibrated ones of a file.

    Raises:
        InputError: the file is not what `calibration.save` writes, or is of another target.
        ParameterError: a target other than "cpu" and "cuda".
        PathError: the file cannot be read.
    """
    if target not in COSTS:
        raise ParameterError(f"target: expected {' or '.join(COSTS)}, got {target!r}")
    if path is None:
        return COSTS[target]
    hint = f"radixfmt export --calibrate writes such a file for {target}"
    try:
        with a_path(path).open("rb") as file:
            content = json.loads(file.read(LARGEST_FILE))
    except OSError as error:
        raise PathError(f"{path}: {error.strerror}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected costs as JSON: {error}", hint=hint) from error
    found = content.get("costs") if isinstance(content, dict) else None
    names = [field.name for field in fields(Costs)]
    if not isinstance(found, dict) or sorted(found) != sorted(names):
        raise InputError(
            f"{path}: expected costs {', '.join(names)}, got {found!r:.100}", hint=hint
        )
    if content.get("target") != target:
        got = repr(content.get("target"))[:100]
        raise InputError(f"{path}: target: expected {target!r}, got {got}", hint=hint)
    for name, value in found.items():
        if type(value) not in (int, float) or not 0 < value < LARGEST_COST:
            raise InputError(
                f"{path}: {name}: expected a positive number, got {value!r:.100}", hint=hint
            )
    return Costs(**{name: float(value) for name, value in found.items()})
